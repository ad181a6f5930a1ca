"""A phase that learns from the one before, and from a release."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_models.data import DataError
from ml_models.recipes import RECIPES, Phase, Recipe
from ml_models.release import default_release
from ml_models.runtime import Engine
from ml_models.taxonomy import CODES

pytestmark = pytest.mark.tensorflow


def two_phases(*, second_rate: float = 1e-3) -> Recipe:
    first = Phase(epochs=1, size=32, learning_rate=1e-3)
    second = replace(first, teachers=("before",), learning_rate=second_rate)
    return replace(RECIPES["dermai"], phases=(first, second))


def of_one_step(recipe: Recipe, *teachers: Any) -> Any:
    """A trainer of the recipe's first phase, all classes weighed alike."""
    from ml_models.training.trainer import Trainer

    return Trainer(
        recipe,
        recipe.phases[0],
        steps_per_epoch=1,
        class_weights=np.ones(7, dtype=np.float32),
        weights=None,
        teachers=list(teachers),
    )


def test_a_phase_starts_from_the_one_before_and_learns_from_it(small_data: Path, tmp_path: Path) -> None:
    from ml_models.training import Run, loop

    recipe = two_phases()
    run = loop.train(recipe, root=small_data, weights=None, folder=tmp_path / "run")
    assert [row["epoch"] for row in run.history()] == [1, 2]
    assert run.read_json("result.json")["epoch"] == 2
    after = run.read_arrays("best.npz")
    assert not np.array_equal(run.read_arrays("phase-1.npz")[0], after[0])

    # Carried to another machine between the phases, without the large checkpoint.
    carried = Run(tmp_path / "carried")
    carried.folder.mkdir()
    for name in ("recipe.json", "phase-1.npz"):
        shutil.copy(run.folder / name, carried.folder)
    carried.write_json("history.json", run.history()[:1])
    loop.train(recipe, root=small_data, weights=None, folder=carried.folder)
    assert [row["epoch"] for row in carried.history()] == [1, 2]
    for mine, other in zip(after, carried.read_arrays("best.npz"), strict=True):
        assert np.array_equal(mine, other)


def test_a_phase_that_does_not_move_ends_where_the_one_before_did(small_data: Path, tmp_path: Path) -> None:
    from ml_models.training import loop

    still = two_phases(second_rate=0.0)
    run = loop.train(still, root=small_data, weights=None, folder=tmp_path / "run")
    # Without the normalisations, whose statistics follow the images.
    for before, after in zip(run.read_arrays("phase-1.npz"), run.read_arrays("final.npz"), strict=True):
        if before.ndim > 1:
            assert np.array_equal(before, after)


def test_the_last_whole_phase_is_all_that_another_machine_needs(small_data: Path, tmp_path: Path) -> None:
    from ml_models.training import Run, loop

    recipe = two_phases()
    recipe = replace(recipe, phases=(*recipe.phases, replace(recipe.phases[1], epochs=1)))
    run = loop.train(recipe, root=small_data, weights=None, folder=tmp_path / "run")
    carried = Run(tmp_path / "carried")
    carried.folder.mkdir()
    for name in ("recipe.json", "phase-2.npz"):
        shutil.copy(run.folder / name, carried.folder)
    assert carried.begun
    carried.write_json("history.json", run.history()[:2])
    loop.train(recipe, root=small_data, weights=None, folder=carried.folder)
    assert [row["epoch"] for row in carried.history()] == [1, 2, 3]
    for mine, other in zip(run.read_arrays("final.npz"), carried.read_arrays("final.npz"), strict=True):
        assert np.array_equal(mine, other)


def test_a_run_killed_between_its_phases_does_not_take_the_new_one_for_the_old(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: best.npz is of the second phase already, the checkpoint still of the first."""
    from ml_models.training import Run, loop

    recipe, write, killed = two_phases(), Run.write_arrays, tmp_path / "killed"
    whole = loop.train(recipe, root=small_data, weights=None, folder=tmp_path / "whole")

    def write_or_die(self: Any, name: str, arrays: Any) -> None:
        if name == "checkpoint.npz" and int(arrays[0]) == 2:
            raise KeyboardInterrupt
        write(self, name, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_arrays", write_or_die)
        with pytest.raises(KeyboardInterrupt):
            loop.train(recipe, root=small_data, weights=None, folder=killed)
    run = loop.train(recipe, root=small_data, weights=None, folder=killed)
    for name in ("phase-1.npz", "final.npz"):
        for mine, other in zip(run.read_arrays(name), whole.read_arrays(name), strict=True):
            assert np.array_equal(mine, other)


@pytest.mark.parametrize("teach_mixed", [False, True])
def test_what_is_called_right_is_what_the_label_says(
    monkeypatch: pytest.MonkeyPatch, teach_mixed: bool
) -> None:
    """Not what teachers think, who here are sure of class 6."""
    from ml_models.backend import tf

    phase = Phase(
        epochs=1,
        size=32,
        learning_rate=0.0,
        teachers=("before",),
        distillation_weight=0.9,
        teach_mixed=teach_mixed,
    )
    recipe = replace(RECIPES["dermai"], phases=(phase,), dropout=0.0)
    trainer = of_one_step(recipe, lambda images: tf.one_hot(tf.fill([tf.shape(images)[0]], 6), 7))
    kernel, bias = trainer.model.get_layer("logits").weights
    kernel.assign(tf.zeros_like(kernel))
    bias.assign(tf.one_hot(2, 7))
    _, right = trainer.step(np.zeros((4, 32, 32, 3), dtype=np.uint8), np.array([2, 2, 2, 5]), [1, 1])
    assert right == 0.75


@pytest.mark.parametrize(("of_the_phase", "mixed"), [(None, 0.3), (0.0, None), (0.7, 0.7)])
def test_a_phase_may_mix_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch, of_the_phase: float | None, mixed: float | None
) -> None:
    from ml_models.training import losses

    seen: list[float] = []

    def mix(images: Any, targets: Any, _seed: Any, alpha: float) -> Any:
        seen.append(alpha)
        return images, targets

    monkeypatch.setattr(losses, "mix", mix)
    phase = Phase(epochs=1, size=32, learning_rate=1e-3, mixup_alpha=of_the_phase)
    recipe = replace(RECIPES["dermai"], phases=(phase,), mixup_alpha=0.3)
    trainer = of_one_step(recipe)
    trainer.step(np.zeros((2, 32, 32, 3), dtype=np.uint8), np.array([0, 1]), [1, 1])
    assert set(seen) == ({mixed} if mixed else set())


@pytest.mark.parametrize(
    ("teach_mixed", "of_the_first"),
    # What the first of two images has for its class, of which its neighbour is not; it keeps 0.8 of itself.
    [(False, 0.8 * (0.75 * 0.5 + 0.25)), (True, 0.75 * 0.5 + 0.25 * 0.8)],
)
def test_teachers_answer_for_what_is_mixed_or_before_it(
    monkeypatch: pytest.MonkeyPatch, teach_mixed: bool, of_the_first: float
) -> None:
    from ml_models.backend import tf
    from ml_models.training import losses

    def mix(images: Any, targets: Any, _seed: Any, _alpha: float) -> Any:
        return images + 1.0, 0.8 * targets + 0.2 * targets[::-1]

    def teacher(images: Any) -> Any:
        """A half of the first image is of class 0, if it is mixed as it should be, and none of the second."""
        mixed = tf.reduce_all(images == (1.0 if teach_mixed else 0.0))
        rows = tf.one_hot(tf.where(mixed, [0, 6], [6, 6]), 7) + tf.one_hot([5, 5], 7)
        return rows / 2.0

    def loss(targets: Any, logits: Any, *_: Any, **__: Any) -> Any:
        return targets[0, 0] + 0.0 * tf.reduce_sum(logits)

    monkeypatch.setattr("ml_models.training.trainer.augment", lambda images, *_: tf.cast(images, tf.float32))
    monkeypatch.setattr(losses, "mix", mix)
    monkeypatch.setattr(losses, "cross_entropy", loss)
    phase = Phase(
        epochs=1,
        size=32,
        learning_rate=1e-3,
        teachers=("before",),
        distillation_weight=0.75,
        teach_mixed=teach_mixed,
        mixup_alpha=0.3,
    )
    recipe = replace(RECIPES["dermai"], phases=(phase,))
    trainer = of_one_step(recipe, teacher)
    given, _ = trainer.step(np.zeros((2, 32, 32, 3), dtype=np.uint8), np.array([0, 1]), [1, 1])
    assert given == pytest.approx(of_the_first, abs=1e-5)


def test_the_teacher_of_an_earlier_phase_answers_as_that_network() -> None:
    from ml_models import network
    from ml_models.training.teachers import earlier

    recipe = two_phases()
    model = network.build(recipe.network, len(recipe.classes), 32)
    images = np.random.default_rng(1).uniform(0, 255, size=(3, 32, 32, 3)).astype(np.float32)
    shares = np.asarray(earlier(recipe, recipe.phases[0], model.get_weights())(images))
    assert np.allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    powers = np.exp(np.asarray(model(images, training=False), dtype=np.float64))
    assert np.allclose(shares, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_a_release_teaches_what_it_serves(engine: Engine) -> None:
    from ml_models.network.views import turned
    from ml_models.training.teachers import released

    teach, size = released(default_release(), RECIPES["derma"]), engine.card.size
    images = np.random.default_rng(1).integers(0, 256, size=(2, size, size, 3)).astype(np.float32)
    logs = np.mean([np.log(teach(turned(images, view))) for view in range(engine.card.views)], axis=0)
    # The mean of logits is that of logarithms but for a constant.
    powers = np.exp(logs)
    served = engine.probabilities(images.astype(np.uint8))
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), served, atol=1e-5)
    assert np.asarray(teach(images[:, ::2, ::2])).shape == (2, len(CODES))
    with pytest.raises(DataError, match="other classes"):
        released(default_release(), RECIPES["dermascan"])
