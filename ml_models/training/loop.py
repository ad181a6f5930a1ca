"""From a recipe to a finished run folder."""

import json
import math
import time
from collections.abc import Iterator
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
from ml_models.taxonomy import CODES, VIEWS, View
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
_SEVEN = next(view for view in VIEWS if view.name == "7")


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
    if recipe.limit is None:
        return known
    return known[:: max(1, len(known) // recipe.limit)][: recipe.limit]


def train(recipe: Recipe, *, root: Path, weights: Path | None, folder: Path, threads: int = 2) -> Run:
    """Trains, or goes on where a run of the same recipe stopped, and calibrates on `val`."""
    set_threads(threads)
    # The same command then gives the same weights on the same machine, at no cost that could be measured.
    tf.config.experimental.enable_op_determinism()
    run = Run.open(recipe, folder)
    if run.finished:
        print(f"The run in {folder} is finished; give another --run-dir for a new one.", flush=True)
        return run
    sources = Sources.read(root, recipe)
    stage, history = _begin(run, sources, weights)
    if history:
        print(f"Going on after epoch {len(history)}.", flush=True)
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        if _exhausted(history, recipe):
            print(f"No better for {recipe.patience} epochs.", flush=True)
            break
        if recipe.phase_of(epoch) != stage.index:
            stage = stage.next(sources, run)
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
    _finish(run, recipe, history, sources, stage)
    return run


def _begin(run: Run, sources: Sources, weights: Path | None) -> tuple["_Stage", list[dict[str, Any]]]:
    """Where the run stands: after its checkpoint's epoch, else after its last whole phase, else at the start.

    So a run between two phases is carried to another machine without its checkpoint, which is four times as
    large as the weights.
    """
    recipe = run.recipe()
    if (run.folder / "checkpoint.npz").is_file():
        stored = run.read_arrays("checkpoint.npz")
        history = run.history()[: int(stored[0])]
        stage = _Stage(sources, run, recipe.phase_of(len(history)), weights)
        stage.trainer.restore(stored[1:])
        return stage, history
    whole = [i for i in range(len(recipe.phases) - 1) if (run.folder / _phase_file(i)).is_file()]
    if not whole:
        return _Stage(sources, run, 0, weights), []
    stage = _Stage(sources, run, whole[-1] + 1, None)
    stage.trainer.start_from(run.read_arrays(_phase_file(whole[-1])))
    return stage, run.history()[: sum(phase.epochs for phase in recipe.phases[: stage.index])]


class _Stage:
    """A phase with its images in memory."""

    def __init__(self, sources: Sources, run: Run, index: int, weights: Path | None) -> None:
        recipe = run.recipe()
        self.recipe, self.index, self.phase = recipe, index, recipe.phases[index]
        prepare = PREPARE[recipe.preprocessing] if recipe.preprocessing else None
        options: dict[str, Any] = {"view": recipe.taxonomy, "prepare": prepare}
        size = self.phase.size
        self.cache = data.load_cache(sources.train, size, alternates=recipe.alternates, **options)
        self.val = data.load_cache(sources.val, size, alternates=False, **options) if sources.val else None
        self.length = sources.own
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
            teachers=[self._teacher(name, run) for name in self.phase.teachers],
        )

    def _teacher(self, name: str, run: Run) -> Teacher:
        if name != BEFORE:
            return teachers.released(name, self.recipe)
        before = self.index - 1
        return teachers.earlier(self.recipe, self.recipe.phases[before], run.read_arrays(_phase_file(before)))

    def next(self, sources: Sources, run: Run) -> "_Stage":
        """The phase after this one: it starts from the weights of this one's best epoch."""
        weights = run.read_arrays("best.npz")
        run.write_arrays(_phase_file(self.index), weights)
        stage = _Stage(sources, run, self.index + 1, None)
        stage.trainer.start_from(weights)
        return stage

    def order(self, epoch: int) -> NDArray[np.int64]:
        recipe = self.recipe
        return data.epoch_order(
            self.cache.labels,
            power=recipe.sampling_power,
            seed=recipe.seed,
            epoch=epoch,
            length=self.length,
        )

    def validate(self) -> NDArray[np.float64] | None:
        return None if self.val is None else self.trainer.logits(self.val.images)

    @property
    def val_labels(self) -> NDArray[np.int64]:
        return np.zeros(0, dtype=np.int64) if self.val is None else self.val.labels


def _phase_file(index: int) -> str:
    return f"phase-{index + 1}.npz"


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
        step = stage.trainer.step(images, labels, [recipe.seed * 1000 + epoch, number])
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


def figures(view: View, logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """What an epoch gives on `val`, from logits [n, k] and labels [n]; eight classes are read as seven."""
    probabilities = metrics.softmax(logits)
    loss = metrics.log_loss(probabilities, labels)
    if view.name == "8":
        place = np.array([_SEVEN.classes.index(_SEVEN.of[code] or "") for code in CODES])
        sums = np.zeros((len(labels), len(_SEVEN.classes)))
        np.add.at(sums.T, place, probabilities.T)
        probabilities, labels, view = sums, place[labels], _SEVEN
    summary = metrics.summarise(metrics.Scored(view.classes, probabilities, labels), top3=False)
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
    view: View, logits: NDArray[np.float64], labels: NDArray[np.int64], counts: NDArray[np.int64]
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
    judged = _SEVEN if view.name == "8" else view
    codes = CODES if view.name == "8" else view.classes
    members = np.array([judged.of.get(code, code) for code in codes])
    shares = np.array([counts[members == each].sum() for each in members]) / counts.sum()
    weights = np.log1p(BALANCE / (len(judged.classes) * np.maximum(shares, 1.0 / counts.sum())))
    shift: NDArray[np.float64] = fitted(tau)[1] * weights - tau * priors
    return shift


def _from_all_sides(run: Run, recipe: Recipe, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of what was kept as they will be measured, by the mean over the recipe's views."""
    model = network.build(recipe.network, len(recipe.classes), recipe.size)
    model.set_weights(run.read_arrays("best.npz"))
    return network.logits(network.predictor(model, recipe.views), images, recipe.views)


def _finish(run: Run, recipe: Recipe, history: list[dict[str, Any]], sources: Sources, stage: _Stage) -> None:
    """Puts the adjustment into the last layer's bias and writes result.json."""
    result: dict[str, Any] = {"epoch": _best(history, recipe)["epoch"], "temperature": 1.0}
    if sources.val:
        logits, labels = run.read_arrays("best_val.npz")
        if recipe.views > 1 and stage.val is not None:
            logits = _from_all_sides(run, recipe, stage.val.images)
            run.write_arrays("best_val.npz", [logits, labels])
        if recipe.fit_adjustment:
            view = recipe.taxonomy
            own = sources.train[: sources.own]
            codes = [view.classes.index(view.of[record.code] or "") for record in own]
            counts = np.bincount(codes, minlength=len(view.classes))
            shift = fit_adjustment(view, logits, labels, counts)
            weights = run.read_arrays("best.npz")
            weights[-1] = (weights[-1] + shift).astype(weights[-1].dtype)
            result["adjustment"] = [round(float(each), 4) for each in shift]
            # Both files are rewritten from what was kept, so being killed in between must not shift twice.
            run.write_arrays("adjusted.npz", weights)
            run.write_arrays("adjusted_val.npz", [logits + shift, labels])
            logits = logits + shift
        result["temperature"] = calibration.fit_temperature(logits, labels)
        result["val"] = figures(recipe.taxonomy, logits, labels)
    result["data_fingerprint"] = data.fingerprint([*sources.train, *sources.val])
    for name in ("best.npz", "best_val.npz"):
        adjusted = run.folder / name.replace("best", "adjusted")
        if adjusted.is_file():
            adjusted.replace(run.folder / name)
    run.write_text("curves.svg", curves.draw(recipe.name, history))
    run.write_json("result.json", result)
