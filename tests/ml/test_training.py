"""A tiny run on generated images: it learns, stops, goes on, and becomes a release."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_models.data import DataError
from ml_models.imaging import canonicalise
from ml_models.release import read_card
from ml_models.runtime import Engine
from ml_models.taxonomy import CODES, ImageType

pytestmark = [
    pytest.mark.tensorflow,
    # Keras reads its variables in a way that NumPy is about to stop supporting.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]


@dataclass(frozen=True)
class Finished:
    folder: Path
    after_first_epoch: Path
    recipe: Any
    weights: Path
    trainer: Any


@pytest.fixture(scope="module")
def finished(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run of two epochs at 32 px, and a copy of its folder as it was after the first."""
    from ml_models import training
    from ml_models.backend import keras

    root = tmp_path_factory.mktemp("runs")
    weights = root / "start.weights.h5"
    keras.utils.set_random_seed(1)
    keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None).save_weights(
        weights
    )
    recipe = training.Recipe(size=32, epochs=2, batch=16, seed=3)
    folder, copy = root / "whole", root / "stopped"
    write = training.Run.write_arrays

    def write_and_copy(self: Any, name: str, arrays: Any) -> None:
        write(self, name, arrays)
        if name == "checkpoint.npz" and not copy.exists():
            shutil.copytree(self.folder, copy)

    trainers: list[Any] = []
    make_trainer = training.Trainer

    def make_and_keep(*arguments: Any, **options: Any) -> Any:
        trainers.append(make_trainer(*arguments, **options))
        return trainers[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Run, "write_arrays", write_and_copy)
        patch.setattr(training, "Trainer", make_and_keep)
        training.train(recipe, root=small_data, weights=weights, folder=folder)
    return Finished(folder, copy, recipe, weights, trainers[0])


def test_a_run_leaves_history_and_a_temperature(finished: Finished) -> None:
    from ml_models.training import Run

    run = Run(finished.folder)
    history = run.read_json("history.json")
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in history)
    result = run.read_json("result.json")
    assert 0.25 <= result["temperature"] <= 4.0
    assert len(result["data_fingerprint"]) == 64
    assert not list(finished.folder.glob("*.tmp"))


def test_a_stopped_run_goes_on_to_the_same_end(
    finished: Finished, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_models import training
    from ml_models.training import Run, train

    # The used trainer spares a second compilation; what it did since then must not matter.
    monkeypatch.setattr(training, "Trainer", lambda *_, **__: finished.trainer)
    stopped, whole = Run(finished.after_first_epoch), Run(finished.folder)
    assert not (stopped.folder / "result.json").exists()
    assert len(stopped.read_json("history.json")) == 1
    train(finished.recipe, root=small_data, weights=finished.weights, folder=stopped.folder)
    ours, theirs = stopped.read_json("history.json"), whole.read_json("history.json")
    assert ours[0] == theirs[0]
    assert ours[1]["loss"] == pytest.approx(theirs[1]["loss"], rel=0.005)
    assert ours[1]["val_loss"] == pytest.approx(theirs[1]["val_loss"], rel=0.005)


def test_a_finished_run_is_left_alone(
    finished: Finished, small_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ml_models.training import train

    train(finished.recipe, root=small_data, weights=finished.weights, folder=finished.folder)
    assert "is finished" in capsys.readouterr().out


def test_another_recipe_does_not_go_on_in_the_same_folder(finished: Finished, small_data: Path) -> None:
    from ml_models.training import train

    with pytest.raises(DataError, match="another recipe"):
        train(
            replace(finished.recipe, seed=4),
            root=small_data,
            weights=finished.weights,
            folder=finished.folder,
        )


def test_missing_weights_are_told(small_data: Path, tmp_path: Path) -> None:
    from ml_models import network

    with pytest.raises(DataError, match=r"weights .* missing"):
        network.build(32, weights=tmp_path / "none.h5")


def test_the_first_blocks_are_frozen_and_statistics_follow_quickly() -> None:
    from ml_models import network
    from ml_models.backend import keras

    body = network.build(32, frozen_up_to="block_2").get_layer("mobilenetv2_1.00_32")
    assert not body.get_layer("block_2_project_BN").trainable
    assert body.get_layer("block_3_expand").trainable
    momenta = {layer.momentum for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {network.BATCH_NORM_MOMENTUM}


def test_augmentation_is_repeatable_and_keeps_the_range() -> None:
    from ml_models.augmentation import augment
    from ml_models.backend import tf

    images = np.random.default_rng(1).integers(0, 256, size=(10, 48, 48, 3), dtype=np.uint8)
    once = augment(images, tf.constant([1, 2])).numpy()
    assert (once.shape, once.dtype) == (images.shape, np.float32)
    assert once.min() >= 0.0
    assert once.max() <= 255.0
    assert np.array_equal(once, augment(images, tf.constant([1, 2])).numpy())
    assert not np.allclose(once, augment(images, tf.constant([1, 3])).numpy())
    flat = np.full((10, 48, 48, 3), 128, dtype=np.uint8)
    assert np.ptp(augment(flat, tf.constant([1, 2])).numpy(), axis=(1, 2)).max() < 8.0


def test_augmentation_takes_a_last_batch_of_one() -> None:
    from ml_models.augmentation import augment
    from ml_models.backend import tf

    one = np.full((1, 48, 48, 3), 128, dtype=np.uint8)
    assert tf.function(augment)(one, tf.constant([1, 2])).shape == one.shape


def test_a_run_becomes_a_release_that_serves_what_was_trained(
    finished: Finished, small_data: Path, tmp_path: Path
) -> None:
    from ml_models.export import export

    out = export(finished.folder, tmp_path / "tiny-1", root=small_data)
    engine = Engine.load(out)
    engine.check_golden()
    card = read_card(out)
    assert (card.name, card.classes, card.size) == ("tiny-1", CODES, 32)
    assert card.raw["training"]["command"].startswith("python -m ml_models train --name tiny-1 --size 32")
    assert card.metrics["test"]["views"]["8"]["n"] == 24
    assert card.metrics["val"]["urgency"]["soon_sensitivity"] >= 0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny-1"]
    image = canonicalise(next((small_data / "ham10000" / "images").iterdir()).read_bytes())
    assert engine.assess([image], [ImageType.DERMATOSCOPIC])[0].release == "tiny-1"
    with pytest.raises(DataError, match="exists already"):
        export(finished.folder, out, root=small_data)


@pytest.mark.parametrize("name", ["Tiny 1", "-x", "übung"])
def test_release_names_are_plain(finished: Finished, small_data: Path, tmp_path: Path, name: str) -> None:
    from ml_models.export import export

    with pytest.raises(DataError, match="release name"):
        export(finished.folder, tmp_path / name, root=small_data)


def test_an_unfinished_run_makes_no_release(tmp_path: Path) -> None:
    from ml_models.export import export

    with pytest.raises(DataError, match="not finished"):
        export(tmp_path, tmp_path / "release", root=tmp_path)
