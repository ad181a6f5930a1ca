"""Fine-tuning with resumable checkpoints. Every choice is made on `val`; `test` is never read here."""

import io
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_models import calibration, data, metrics, network
from ml_models.augmentation import augment
from ml_models.backend import keras, set_threads, tf
from ml_models.taxonomy import CODES


@dataclass(frozen=True)
class Recipe:
    """All that decides about a run; stored with it, and a run resumes only under the same recipe."""

    size: int = 160
    epochs: int = 16
    batch: int = 32
    seed: int = 2026
    rate: float = 8e-4
    warm_up_epochs: float = 1.0
    weight_decay: float = 0.01
    dropout: float = 0.25
    label_smoothing: float = 0.05
    resampling_power: float = 0.5
    frozen_up_to: str = "block_2"
    average: float = 0.998
    alternates: bool = True
    limit: int | None = None  # at most so many images of each split, for trying things out


class RunError(data.DataError):
    """The run folder does not fit what was asked for."""


@dataclass(frozen=True)
class Run:
    """A folder with recipe.json, history.json, checkpoint.npz, best.npz and, when finished, result.json."""

    folder: Path

    def write_json(self, name: str, value: Any) -> None:
        _replace(self.folder / name, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def write_arrays(self, name: str, arrays: Sequence[NDArray[Any]]) -> None:
        buffer = io.BytesIO()
        named: dict[str, Any] = {f"a{i:04d}": array for i, array in enumerate(arrays)}
        np.savez(buffer, **named)
        _replace(self.folder / name, buffer.getvalue())

    def read_arrays(self, name: str) -> list[NDArray[Any]]:
        with np.load(self.folder / name) as stored:
            return [stored[key] for key in sorted(stored.files)]


def _replace(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames, so that a killed run leaves the old file or the new one, whole."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class Trainer:
    """Network, optimizer and moving average of the weights (what is validated and released)."""

    def __init__(self, recipe: Recipe, *, steps_per_epoch: int, weights: Path) -> None:
        self.recipe = recipe
        keras.utils.set_random_seed(recipe.seed)
        self.model = network.build(
            recipe.size, dropout=recipe.dropout, frozen_up_to=recipe.frozen_up_to, weights=weights
        )
        steps = steps_per_epoch * recipe.epochs
        warm_up = max(1, round(steps_per_epoch * recipe.warm_up_epochs))
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=recipe.rate, warmup_steps=warm_up
        )
        self.optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=recipe.weight_decay, global_clipnorm=1.0
        )
        self.optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self.optimizer.build(self.model.trainable_variables)
        self.average = [tf.Variable(weight.value, trainable=False) for weight in self.model.weights]
        self.loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        )
        self._step = tf.function(self._train_step)
        self._forward = tf.function(lambda images: self.model(tf.cast(images, tf.float32), training=False))

    def _train_step(self, images: Any, labels: Any, seed: Any) -> tuple[Any, Any]:
        images = augment(images, seed)
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = self.loss(tf.one_hot(labels, len(CODES)), logits)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        done = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(self.recipe.average, (1.0 + done) / (10.0 + done))
        for mean, weight in zip(self.average, self.model.weights, strict=True):
            mean.assign(mean * keep + weight * (1.0 - keep))
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))
        return loss, right

    def step(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: Sequence[int]
    ) -> tuple[Any, Any]:
        result: tuple[Any, Any] = self._step(images, labels, tf.constant(seed, tf.int32))
        return result

    def averaged_logits(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Logits float64 [n, 8] of the averaged network; the network in training is put back afterwards."""
        kept = self.model.get_weights()
        self.model.set_weights([mean.numpy() for mean in self.average])
        try:
            parts = [self._forward(images[i : i + 64]).numpy() for i in range(0, len(images), 64)]
        finally:
            self.model.set_weights(kept)
        return np.concatenate(parts).astype(np.float64)

    def state(self) -> list[NDArray[Any]]:
        return [part.numpy() for part in self._parts()]

    def restore(self, arrays: Sequence[NDArray[Any]]) -> None:
        for part, array in zip(self._parts(), arrays, strict=True):
            part.assign(array)

    def _parts(self) -> list[Any]:
        """All that the next step depends on; `variables` are the weights and the state of the dropout."""
        return [*self.model.variables, *self.optimizer.variables, *self.average]


def train(recipe: Recipe, *, root: Path, weights: Path, folder: Path, threads: int = 2) -> Run:
    """Trains, or goes on where a run of the same recipe stopped, and fits the temperature on `val`."""
    set_threads(threads)
    run = _open_run(recipe, folder)
    if (folder / "result.json").is_file():
        print(f"The run in {folder} is finished; give another --run-dir for a new one.", flush=True)
        return run
    train_records = _limited(data.read_records(root, "train"), recipe.limit)
    val_records = _limited(data.read_records(root, "val"), recipe.limit)
    cache = data.load_cache(train_records, recipe.size, alternates=recipe.alternates)
    val = data.load_cache(val_records, recipe.size, alternates=False)
    steps = math.ceil(len(_order(cache, recipe, 1)) / recipe.batch)
    trainer = Trainer(recipe, steps_per_epoch=steps, weights=weights)
    history: list[dict[str, float]] = []
    if (folder / "checkpoint.npz").is_file():
        history = run.read_json("history.json")
        stored = run.read_arrays("checkpoint.npz")
        history = history[: int(stored[0])]
        trainer.restore(stored[1:])
        print(f"Going on after epoch {len(history)}.", flush=True)
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        entry = _epoch(trainer, cache, epoch)
        logits = trainer.averaged_logits(val.images)
        entry |= _validate(logits, val.labels)
        history.append(entry)
        if entry["val_balanced_accuracy"] >= max(row["val_balanced_accuracy"] for row in history):
            run.write_arrays("best.npz", [mean.numpy() for mean in trainer.average])
            run.write_arrays("best_val.npz", [logits, val.labels])
        run.write_json("history.json", history)
        run.write_arrays("checkpoint.npz", [np.array(epoch), *trainer.state()])
        print(json.dumps(entry), flush=True)
    _finish(run, history, data.fingerprint([*train_records, *val_records]))
    return run


def _limited(records: list[data.Record], limit: int | None) -> list[data.Record]:
    return records if limit is None else records[:: max(1, len(records) // limit)][:limit]


def _open_run(recipe: Recipe, folder: Path) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    wanted = asdict(recipe)
    if (folder / "recipe.json").is_file():
        if run.read_json("recipe.json") != wanted:
            raise RunError(f"{folder} holds a run of another recipe; give another --run-dir.")
    else:
        run.write_json("recipe.json", wanted)
    return run


def _epoch(trainer: Trainer, cache: data.Cache, epoch: int) -> dict[str, float]:
    """One pass; also measures how long the step waited for its batches."""
    recipe, began = trainer.recipe, time.perf_counter()
    waited, sums, seen = 0.0, np.zeros(2), 0
    order = _order(cache, recipe, epoch)
    batches = _batches(cache, recipe, order, epoch)
    total = math.ceil(len(order) / recipe.batch)
    bar = tqdm(range(total), desc=f"epoch {epoch}/{recipe.epochs}", unit="step", mininterval=5.0)
    for number in bar:
        asked = time.perf_counter()
        images, labels = next(batches)
        waited += time.perf_counter() - asked
        loss, right = trainer.step(images, labels, [recipe.seed * 1000 + epoch, number])
        sums += np.array([float(loss), float(right)]) * len(labels)
        seen += len(labels)
        bar.set_postfix(loss=f"{sums[0] / seen:.3f}", accuracy=f"{sums[1] / seen:.3f}", refresh=False)
    if not np.isfinite(sums[0]):
        raise RunError("The loss is no longer a number; try a smaller --rate.")
    return {
        "epoch": epoch,
        "loss": round(sums[0] / seen, 5),
        "accuracy": round(sums[1] / seen, 5),
        "seconds": round(time.perf_counter() - began, 1),
        "seconds_waiting_for_data": round(waited, 2),
    }


def _order(cache: data.Cache, recipe: Recipe, epoch: int) -> NDArray[np.int64]:
    return data.epoch_order(cache.labels, power=recipe.resampling_power, seed=recipe.seed, epoch=epoch)


def _batches(
    cache: data.Cache, recipe: Recipe, order: NDArray[np.int64], epoch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    rng = np.random.default_rng([recipe.seed, epoch, 1])
    sharper = (cache.alternate[order] >= 0) & (rng.random(len(order)) < 0.5)
    positions = np.where(sharper, cache.alternate[order], order)
    for start in range(0, len(order), recipe.batch):
        chosen = slice(start, start + recipe.batch)
        yield cache.images[positions[chosen]], cache.labels[order[chosen]]


def _validate(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    probabilities = metrics.softmax(logits)
    predicted = probabilities.argmax(1)
    recalls = [float(np.mean(predicted[labels == k] == k)) for k in np.unique(labels)]
    return {
        "val_loss": round(metrics.log_loss(probabilities, labels), 5),
        "val_accuracy": round(float(np.mean(predicted == labels)), 5),
        "val_balanced_accuracy": round(float(np.mean(recalls)), 5),
    }


def _finish(run: Run, history: list[dict[str, float]], fingerprint: str) -> None:
    logits, labels = run.read_arrays("best_val.npz")
    best = max(history, key=lambda row: (row["val_balanced_accuracy"], row["epoch"]))
    run.write_json(
        "result.json",
        {
            "epoch": best["epoch"],
            "temperature": calibration.fit_temperature(logits, labels),
            "data_fingerprint": fingerprint,
        },
    )
