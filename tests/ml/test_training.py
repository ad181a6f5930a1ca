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

pytestmark = pytest.mark.tensorflow


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
    from ml_models.backend import keras
    from ml_models.recipes import Phase, Recipe
    from ml_models.training import Run, loop
    from ml_models.training.trainer import Trainer

    root = tmp_path_factory.mktemp("runs")
    weights = root / "start.weights.h5"
    keras.utils.set_random_seed(1)
    keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None).save_weights(
        weights
    )
    recipe = Recipe(
        name="derma",
        phases=(Phase(epochs=2, size=32, learning_rate=8e-4, trainable="after block_2", warm_up_epochs=1.0),),
        batch=16,
        seed=3,
        sampling_power=0.5,
        ema_decay=0.998,
        isic2017=True,
        views=8,
        fit_adjustment=True,
    )
    folder, copy = root / "whole", root / "stopped"
    write = Run.write_arrays

    def write_and_copy(self: Any, name: str, arrays: Any) -> None:
        write(self, name, arrays)
        if name == "checkpoint.npz" and not copy.exists():
            shutil.copytree(self.folder, copy)

    trainers: list[Any] = []

    def make_and_keep(*arguments: Any, **options: Any) -> Any:
        trainers.append(Trainer(*arguments, **options))
        return trainers[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "write_arrays", write_and_copy)
        patch.setattr(loop, "Trainer", make_and_keep)
        loop.train(recipe, root=small_data, weights=weights, folder=folder)
    return Finished(folder, copy, recipe, weights, trainers[0])


def test_a_run_leaves_history_curves_and_a_temperature(finished: Finished) -> None:
    from ml_models.training import Run

    run = Run(finished.folder)
    history = run.read_json("history.json")
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in history)
    assert all(0.0 <= row["val_macro_auc"] <= 1.0 for row in history)
    result = run.read_json("result.json")
    assert 0.25 <= result["temperature"] <= 4.0
    assert len(result["data_fingerprint"]) == 64
    assert run.recipe() == finished.recipe
    assert (finished.folder / "curves.svg").read_text().startswith("<svg")
    assert not list(finished.folder.glob("*.tmp"))


def test_the_kept_weights_carry_the_adjustment(finished: Finished, small_data: Path) -> None:
    """What final_val.npz says is what a network with the weights of final.npz answers from all sides."""
    from ml_models import data, network
    from ml_models.network.views import turned
    from ml_models.training import Run

    run = Run(finished.folder)
    model = network.restore(finished.recipe, run.read_arrays("final.npz"))
    logits, labels = run.read_arrays("final_val.npz")
    cache = data.load_cache(data.read_records(small_data, "val"), 32, alternates=False)
    assert np.array_equal(labels, cache.labels)
    images = cache.images.astype(np.float32)
    ours = np.mean([model(turned(images, view), training=False) for view in range(8)], axis=0)
    assert np.allclose(ours, logits, atol=1e-3)
    shift = run.read_arrays("final.npz")[-1] - run.read_arrays("best.npz")[-1]
    assert shift == pytest.approx(run.read_json("result.json")["adjustment"], abs=1e-3)
    assert np.ptp(shift) > 0.1


def test_a_run_killed_at_its_very_end_is_finished_as_it_would_have_been(
    finished: Finished, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_models.training import Run, loop

    monkeypatch.setattr(loop, "Trainer", lambda *_, **__: finished.trainer)
    killed, whole = Run(Path(shutil.copytree(finished.folder, tmp_path / "killed"))), Run(finished.folder)
    (killed.folder / "result.json").unlink()
    loop.train(finished.recipe, root=small_data, weights=None, folder=killed.folder)
    assert killed.read_json("result.json") == whole.read_json("result.json")
    for mine, other in zip(killed.read_arrays("final.npz"), whole.read_arrays("final.npz"), strict=True):
        assert np.array_equal(mine, other)


def test_two_processes_never_train_in_one_folder(finished: Finished, small_data: Path) -> None:
    from ml_models.training import Run, train

    with Run(finished.folder).held(), pytest.raises(DataError, match="Another process"):
        train(finished.recipe, root=small_data, weights=None, folder=finished.folder)


def test_a_stopped_run_goes_on_to_the_same_end(
    finished: Finished, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_models.training import Run, loop

    # The used trainer spares a second compilation; what it did since then must not matter.
    monkeypatch.setattr(loop, "Trainer", lambda *_, **__: finished.trainer)
    stopped, whole = Run(finished.after_first_epoch), Run(finished.folder)
    assert not stopped.finished
    # What a killed epoch leaves behind.
    rows = stopped.read_json("history.json")
    stopped.write_json("history.json", [*rows, {"epoch": 2, "step": 1, "steps": 12}])
    assert len(stopped.history()) == 1
    # ImageNet's weights are not asked for again.
    assert stopped.begun
    loop.train(finished.recipe, root=small_data, weights=None, folder=stopped.folder)
    ours, theirs = stopped.history(), whole.history()
    assert ours[0] == theirs[0]
    for key in ("loss", "accuracy", "val_loss"):
        assert ours[1][key] == theirs[1][key], key
    for mine, other in zip(stopped.read_arrays("best.npz"), whole.read_arrays("best.npz"), strict=True):
        assert np.array_equal(mine, other)


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


def test_augmentation_that_changes_nothing_changes_nothing() -> None:
    from ml_models.augmentation import augment
    from ml_models.backend import tf
    from ml_models.recipes.base import GEOMETRY_ONLY

    images = np.random.default_rng(1).integers(0, 256, size=(4, 32, 32, 3), dtype=np.uint8)
    still = replace(GEOMETRY_ONLY, min_area=1.0, stretch=0.0, tilt=0.0, quarter_turns=False, flips=False)
    assert np.allclose(augment(images, tf.constant([1, 2]), still).numpy(), images, atol=1e-3)
    turned = augment(images, tf.constant([1, 2]), replace(still, flips=True, quarter_turns=True)).numpy()
    for image, seen in zip(images, turned, strict=True):
        all_eight = [np.rot90(each, k) for each in (image, image[:, ::-1]) for k in range(4)]
        assert min(np.abs(seen - each).mean() for each in all_eight) < 0.5


def test_a_run_becomes_a_release_that_serves_what_was_trained(
    finished: Finished, small_data: Path, tmp_path: Path
) -> None:
    from ml_models.export import export
    from ml_models.training import Run
    from ml_models.training.answers import fit_answers

    answers = fit_answers(finished.folder, root=small_data)
    without, extended = answers["val"]["without"], answers["val"]["with"]
    assert answers["better"] == (
        extended["val_loss"] < without["val_loss"]
        and all(extended[name] >= without[name] for name in without if name != "val_loss")
    )
    Run(finished.folder).write_json("metadata.json", answers | {"better": True})
    out = export(finished.folder, tmp_path / "tiny-1", root=small_data)
    engine = Engine.load(out)
    engine.check_golden()
    card = read_card(out)
    assert (card.name, card.classes, card.size) == ("tiny-1", CODES, 32)
    assert card.raw["training"]["command"].startswith(
        "python -m ml_models train --recipe derma --name tiny-1 --epochs 2 --size 32"
    )
    assert card.metrics["test"]["views"]["8"]["n"] == 24
    assert card.metrics["val"]["urgency"]["soon_sensitivity"] >= 0.95
    extended = card.raw["metadata"]["metrics"]["test"]
    assert (extended["n"], extended["known"]) == (24, {"age": 16, "sex": 16, "site": 0})
    assert set(extended["views"]["7"]) == {"accuracy", "balanced_accuracy", "macro_auc", "ece", "ci"}
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


def test_answers_that_make_a_figure_worse_are_not_taken_along(
    finished: Finished, small_data: Path, tmp_path: Path
) -> None:
    from ml_models.export import export
    from ml_models.training import Run
    from ml_models.training.answers import fit_answers

    answers = fit_answers(finished.folder, root=small_data)
    Run(finished.folder).write_json("metadata.json", answers | {"better": False})
    assert "metadata" not in read_card(export(finished.folder, tmp_path / "tiny-2", root=small_data)).raw


def test_without_ordinary_photos_there_is_no_release(
    finished: Finished, small_data: Path, tmp_path: Path
) -> None:
    from ml_models.export import export

    root = tmp_path / "data"
    shutil.copytree(small_data, root, ignore=shutil.ignore_patterns("photo_0*"))
    shutil.rmtree(root / "ham10000" / "images")  # it is told before anything is read
    with pytest.raises(
        DataError, match=r"^The domain of a release is learnt .* 10 ordinary photos: there are 2 "
    ):
        export(finished.folder, tmp_path / "release", root=root)


def test_an_unfinished_run_makes_no_release(tmp_path: Path) -> None:
    from ml_models.export import export

    with pytest.raises(DataError, match="not finished"):
        export(tmp_path, tmp_path / "release", root=tmp_path)
