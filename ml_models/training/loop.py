"""From a recipe to a finished run folder."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_models import calibration, curves, data, metrics, network
from ml_models.backend import set_threads, tf
from ml_models.recipes import Recipe, Split
from ml_models.recipes.base import BEFORE
from ml_models.taxonomy import View, view_named
from ml_models.training import losses, teachers
from ml_models.training.preprocessing import PREPARE
from ml_models.training.run import Run, RunError
from ml_models.training.trainer import Teacher, Trainer

# Seconds between two looks at an epoch that is still going on.
LIVE_EVERY = 5.0
# What the macro AUC of a thousand images goes up and down by from one epoch to the next.
NOISE = 0.002
ADJUSTMENTS = tuple(step / 20 for step in range(-12, 21))
# What balanced accuracy counts beside accuracy when classes are weighed.
BALANCE = 0.5
_EIGHT, _SEVEN = view_named("8"), view_named("7")


@dataclass(frozen=True)
class Sources:
    """`train` has `own` records of HAM10000, then others; `val` is empty where none may be read."""

    train: list[data.Record]
    val: list[data.Record]
    own: int

    @classmethod
    def read(cls, root: Path, recipe: Recipe) -> "Sources":
        if recipe.split is Split.DERMAVISION:
            train, val = data.read_records(root, "train", column="dermavision_split"), []
        else:
            train, val = data.read_records(root, "train"), data.read_records(root, "val")
        train, val = (_usable(records, recipe) for records in (train, val))
        more = _usable(data.read_isic2017(root, "train"), recipe) if recipe.isic2017 else []
        return cls([*train, *more], val, len(train))


def _usable(records: list[data.Record], recipe: Recipe) -> list[data.Record]:
    """Those with a class of the recipe, at most `limit`, evenly taken."""
    known = [record for record in records if recipe.taxonomy.of[record.code] is not None]
    return known if recipe.limit is None else data.spread(known, recipe.limit)


def train(recipe: Recipe, *, root: Path, weights: Path | None, folder: Path, threads: int = 2) -> Run:
    """Trains, or goes on where a run of the same recipe stopped, and calibrates on `val`.

    `weights` are ImageNet's, which only a new run reads. Raises RunError or DataError.
    """
    set_threads(threads)
    # The same command then gives the same weights on the same machine, at no cost that could be measured.
    tf.config.experimental.enable_op_determinism()
    run = Run.open(recipe, folder)
    with run.held():
        if run.finished:
            print(f"The run in {folder} is finished; give another --run-dir for a new one.", flush=True)
        else:
            _train(run, _Pictures(Sources.read(root, recipe), recipe), weights)
    return run


def _train(run: Run, pictures: "_Pictures", weights: Path | None) -> None:
    recipe = run.recipe()
    stage, history = _begin(run, pictures, weights)
    if history:
        print(f"Going on after epoch {len(history)}.", flush=True)
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        if _exhausted(history, recipe):
            print(f"No better for {recipe.patience} epochs.", flush=True)
            break
        if recipe.phase_of(epoch) != stage.index:
            stage = _begin_phase(run, pictures, stage.index + 1, None)
        entry = _epoch(stage, run, history, epoch)
        logits = stage.validate()
        if logits is not None:
            entry |= figures(recipe.taxonomy, logits, stage.val_labels)
        history.append(entry)
        if logits is None or _best(history, recipe)["epoch"] == epoch:
            run.write_arrays("best.npz", stage.trainer.kept_weights())
            if logits is not None:
                run.write_arrays("best_val.npz", [logits, stage.val_labels])
        run.write_json("history.json", history)
        run.write_arrays("checkpoint.npz", [np.array(epoch), *stage.trainer.state()])
        print(json.dumps(entry), flush=True)
    _finish(run, history, pictures)


def _begin(run: Run, pictures: "_Pictures", weights: Path | None) -> tuple["_Stage", list[dict[str, Any]]]:
    """Where the run stands: after its checkpoint's epoch, else after its last whole phase, else at the start.

    So a run between two phases is carried to another machine without its checkpoint, which is four times as
    large as the weights.
    """
    recipe = run.recipe()
    last = len(recipe.phases) - 1
    if (run.folder / "checkpoint.npz").is_file():
        stored = run.read_arrays("checkpoint.npz")
        done = int(stored[0])
        index = recipe.phase_of(done)
        if index == last or done < recipe.epochs_before(index + 1):
            stage = _Stage(pictures, index, None, _teachers(run, index))
            stage.trainer.restore(stored[1:])
            return stage, run.history()[:done]
        begun = index + 1
    else:
        whole = [index for index in range(last) if (run.folder / _phase_file(index)).is_file()]
        begun = max(whole, default=-1) + 1
    history = run.history()[: recipe.epochs_before(begun)] if begun else []
    return _begin_phase(run, pictures, begun, weights), history


def _begin_phase(run: Run, pictures: "_Pictures", index: int, weights: Path | None) -> "_Stage":
    """A phase before its first step. It starts from what was kept of the one before, which is set aside once:
    a run killed in the first epoch has `best.npz` of this phase already and a checkpoint of the one before.
    """
    if index == 0:
        return _Stage(pictures, 0, weights, [])
    before = _phase_file(index - 1)
    if not (run.folder / before).is_file():
        run.write_arrays(before, run.read_arrays("best.npz"))
    stage = _Stage(pictures, index, None, _teachers(run, index))
    stage.trainer.start_from(run.read_arrays(before))
    return stage


def _teachers(run: Run, index: int) -> list[Teacher]:
    recipe = run.recipe()

    def named(name: str) -> Teacher:
        if name != BEFORE:
            return teachers.released(name, recipe)
        phase = recipe.phases[index - 1]
        return teachers.earlier(recipe, phase, run.read_arrays(_phase_file(index - 1)))

    return [named(name) for name in recipe.phases[index].teachers]


def _phase_file(index: int) -> str:
    return f"phase-{index + 1}.npz"


class _Pictures:
    """The images of a run in memory, at one side at a time: they take gigabytes."""

    def __init__(self, sources: Sources, recipe: Recipe) -> None:
        self.sources, self.recipe = sources, recipe
        self._held: tuple[int, data.Cache, data.Cache | None] | None = None

    def at(self, size: int) -> tuple[data.Cache, data.Cache | None]:
        """Those of `train` and of `val`, if it may be read, at this side in pixels."""
        if self._held is None or self._held[0] != size:
            self._held = None
            recipe, sources = self.recipe, self.sources
            prepare = PREPARE[recipe.preprocessing] if recipe.preprocessing else None
            options: dict[str, Any] = {"view": recipe.taxonomy, "prepare": prepare}
            train = data.load_cache(sources.train, size, alternates=recipe.alternates, **options)
            val = data.load_cache(sources.val, size, alternates=False, **options) if sources.val else None
            self._held = size, train, val
        return self._held[1:]


class _Stage:
    """A phase at work."""

    def __init__(
        self, pictures: _Pictures, index: int, weights: Path | None, taught_by: Sequence[Teacher]
    ) -> None:
        recipe = pictures.recipe
        self.recipe, self.index, self.phase = recipe, index, recipe.phases[index]
        self._pictures = pictures
        self.steps = math.ceil(len(self.order(1)) / recipe.batch)
        self.trainer = Trainer(
            recipe,
            self.phase,
            steps_per_epoch=self.steps,
            class_weights=losses.class_weights(
                recipe.classes,
                self.cache.labels,
                given=recipe.class_weights,
                balanced=recipe.balanced_weights,
            ),
            weights=weights,
            teachers=taught_by,
        )

    @property
    def cache(self) -> data.Cache:
        return self._pictures.at(self.phase.size)[0]

    @property
    def val(self) -> data.Cache | None:
        return self._pictures.at(self.phase.size)[1]

    def order(self, epoch: int) -> NDArray[np.int64]:
        recipe = self.recipe
        return data.epoch_order(
            self.cache.labels,
            power=recipe.sampling_power,
            seed=recipe.seed,
            epoch=epoch,
            length=self._pictures.sources.own,
        )

    def validate(self) -> NDArray[np.float64] | None:
        return None if self.val is None else self.trainer.logits(self.val.images)

    @property
    def val_labels(self) -> NDArray[np.int64]:
        return np.zeros(0, dtype=np.int64) if self.val is None else self.val.labels


def _epoch(stage: _Stage, run: Run, history: list[dict[str, Any]], epoch: int) -> dict[str, Any]:
    """One pass; also measures how long the step waited for its batches."""
    recipe, began = stage.recipe, time.perf_counter()
    waited, sums, seen, shown = 0.0, np.zeros(2), 0, began
    order = stage.order(epoch)
    batches = _batches(stage.cache, recipe, order, epoch)

    def entry() -> dict[str, Any]:
        return {
            "epoch": epoch,
            "size": stage.phase.size,
            "loss": round(sums[0] / seen, 5),
            "accuracy": round(sums[1] / seen, 5),
            "seconds": round(time.perf_counter() - began, 1),
            "seconds_waiting_for_data": round(waited, 2),
        }

    bar = tqdm(range(stage.steps), desc=f"epoch {epoch}/{recipe.epochs}", unit="step", mininterval=20.0)
    for number in bar:
        asked = time.perf_counter()
        images, labels = next(batches)
        waited += time.perf_counter() - asked
        step = stage.trainer.step(images, labels, [(recipe.seed * 1000 + epoch) % 2**31, number])
        sums += np.array(step) * len(labels)
        seen += len(labels)
        if not np.isfinite(sums[0]):
            raise RunError("The loss is no longer a number; the recipe needs a smaller rate.")
        if time.perf_counter() - shown > LIVE_EVERY:
            shown = time.perf_counter()
            run.write_json("history.json", [*history, entry() | {"step": number + 1, "steps": stage.steps}])
    return entry()


def _batches(
    cache: data.Cache, recipe: Recipe, order: NDArray[np.int64], epoch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    rng = np.random.default_rng([recipe.seed, epoch, 1])
    sharper = (cache.alternate[order] >= 0) & (rng.random(len(order)) < 0.5)
    positions = np.where(sharper, cache.alternate[order], order)
    for start in range(0, len(order), recipe.batch):
        chosen = slice(start, start + recipe.batch)
        yield cache.images[positions[chosen]], cache.labels[order[chosen]]


def _judged(classes: View) -> View:
    """HAM10000 tells seven of the eight classes apart."""
    return _SEVEN if classes is _EIGHT else classes


def figures(classes: View, logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """What an epoch gives on `val`, from logits [n, k] and labels [n]; eight classes are read as seven."""
    probabilities = metrics.softmax(logits)
    loss = metrics.log_loss(probabilities, labels)
    judged = _judged(classes)
    scored = metrics.Scored(
        judged.classes,
        metrics.summed(probabilities, classes, judged),
        metrics.members(classes, judged).argmax(axis=1)[labels],
    )
    summary = metrics.summarise(scored, top3=False)
    named = {"val_loss": loss} | {
        f"val_{name}": summary[name] for name in ("accuracy", "balanced_accuracy", "macro_auc")
    }
    return {name: round(value, 5) for name, value in named.items() if value is not None}


def _best(history: list[dict[str, Any]], recipe: Recipe) -> dict[str, Any]:
    """The chosen epoch, of the last phase if it has begun; the last one where `val` may not be read.

    Chosen by the macro AUC, which depends on neither temperature nor prior: both are fitted afterwards. Of
    those that lie no more than `NOISE` below the highest it is the last, whose rate has come down furthest.
    """
    phase = recipe.phase_of(len(history))
    rows = [row for row in history if recipe.phase_of(row["epoch"]) == phase]
    if "val_accuracy" not in rows[-1]:
        return rows[-1]
    areas = [row.get("val_macro_auc", 0.0) for row in rows]
    return next(row for row, area in reversed([*zip(rows, areas, strict=True)]) if area >= max(areas) - NOISE)


def _exhausted(history: list[dict[str, Any]], recipe: Recipe) -> bool:
    if recipe.patience is None or not history or "val_accuracy" not in history[-1]:
        return False
    return len(history) - int(_best(history, recipe)["epoch"]) >= recipe.patience


def fit_adjustment(
    classes: View, logits: NDArray[np.float64], labels: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What to add to the biases [k]; `logits` [n, k] and `labels` [n] of `val`, `counts` [k] of `train`.

    First the prior: as much of the logarithm of the classes' training shares is taken off (Menon 2021) as
    makes `val` likeliest, one number for all classes, since `val` has too few images of the rare ones to fit
    one for each. Then every class is weighed by 1 + BALANCE / (classes x its share), by which the likeliest
    class is the best answer for accuracy + BALANCE x balanced accuracy (of seven classes, where it is eight).
    """
    priors = np.log(np.maximum(counts, 1) / counts.sum())

    def fitted(tau: float) -> tuple[float, float]:
        """Log loss and temperature."""
        temperature = calibration.fit_temperature(logits - tau * priors, labels)
        return metrics.log_loss(metrics.softmax((logits - tau * priors) / temperature), labels), temperature

    tau = min(ADJUSTMENTS, key=lambda each: fitted(each)[0])
    matrix = metrics.members(classes, _judged(classes))
    shares = matrix @ (counts @ matrix) / counts.sum()
    weights = np.log1p(BALANCE / (matrix.shape[1] * np.maximum(shares, 1.0 / counts.sum())))
    shift: NDArray[np.float64] = fitted(tau)[1] * weights - tau * priors
    return shift


def _finish(run: Run, history: list[dict[str, Any]], pictures: _Pictures) -> None:
    """Writes final.npz, what was kept with the adjustment in the last layer's bias, and result.json."""
    recipe, sources = run.recipe(), pictures.sources
    weights = run.read_arrays("best.npz")
    result: dict[str, Any] = {"epoch": _best(history, recipe)["epoch"], "temperature": 1.0}
    if sources.val:
        logits, labels = run.read_arrays("best_val.npz")
        val = pictures.at(recipe.size)[1]
        if val is not None and recipe.views > 1:
            logits = _from_all_sides(recipe, weights, val.images)
        if recipe.fit_adjustment:
            codes = [recipe.taxonomy.index(record.code) for record in sources.train[: sources.own]]
            counts = np.bincount(codes, minlength=len(recipe.classes))
            shift = fit_adjustment(recipe.taxonomy, logits, labels, counts)
            weights[-1] = (weights[-1] + shift).astype(weights[-1].dtype)
            logits = logits + shift
            result["adjustment"] = [round(float(each), 4) for each in shift]
        result["temperature"] = calibration.fit_temperature(logits, labels)
        result["val"] = figures(recipe.taxonomy, logits, labels)
        run.write_arrays("final_val.npz", [logits, labels])
    result["data_fingerprint"] = data.fingerprint([*sources.train, *sources.val])
    run.write_arrays("final.npz", weights)
    run.write_text("curves.svg", curves.draw(recipe.name, history))
    run.write_json("result.json", result)


def _from_all_sides(
    recipe: Recipe, weights: list[NDArray[Any]], images: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Logits as they will be measured, by the mean over the recipe's views."""
    model = network.restore(recipe, weights)
    return network.logits(network.predictor(model, recipe.views), images, recipe.views)
