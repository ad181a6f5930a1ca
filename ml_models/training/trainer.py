"""One phase of a run: network, optimizer and moving average of the weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import network
from ml_models.augmentation import augment
from ml_models.backend import keras, tf
from ml_models.recipes import Optimizer, Phase, Recipe
from ml_models.training import losses

Teacher = Callable[[Any], Any]  # pixels float32 [n, s, s, 3] -> probabilities [n, k]


class Trainer:
    """What is validated and kept is the moving average where the recipe has one, else the network itself."""

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        *,
        steps_per_epoch: int,
        class_weights: NDArray[np.float32],
        weights: Path | None,
        teachers: Sequence[Teacher] = (),
    ) -> None:
        self.recipe, self.phase, self.teachers = recipe, phase, teachers
        keras.utils.set_random_seed(recipe.seed)
        self.model = network.build(
            recipe.network, len(recipe.classes), phase.size, dropout=recipe.dropout, weights=weights
        )
        network.set_trainable(self.model, phase.trainable)
        self.class_weights = tf.constant(class_weights)
        self.optimizer = _optimizer(recipe, _schedule(phase, steps_per_epoch))
        self.optimizer.build(self.model.trainable_variables)
        kept = self.model.weights if recipe.ema_decay else []
        self.average = [tf.Variable(weight.value, trainable=False) for weight in kept]
        self._step = tf.function(self._train_step)
        self._forward = tf.function(lambda images: self.model(tf.cast(images, tf.float32), training=False))

    def _train_step(self, images: Any, labels: Any, seed: Any) -> tuple[Any, Any]:
        recipe = self.recipe
        images = augment(images, seed, recipe.augmentation)
        truth = targets = tf.one_hot(labels, len(recipe.classes))
        if not self.phase.teach_mixed:
            targets = self._taught(images, targets)
        alpha = recipe.mixup_alpha if self.phase.mixup_alpha is None else self.phase.mixup_alpha
        if alpha:
            images, both = losses.mix(images, tf.concat([truth, targets], axis=1), seed + 1, alpha)
            truth, targets = tf.split(both, 2, axis=1)
        if self.phase.teach_mixed:
            targets = self._taught(images, targets)
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = losses.cross_entropy(
                targets,
                logits,
                self.class_weights,
                smoothing=recipe.label_smoothing,
                gamma=recipe.focal_gamma,
            )
            loss += sum(self.model.losses)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if recipe.ema_decay:
            done = tf.cast(self.optimizer.iterations, tf.float32)
            keep = tf.minimum(recipe.ema_decay, (1.0 + done) / (10.0 + done))
            for mean, weight in zip(self.average, self.model.weights, strict=True):
                mean.assign(mean * keep + weight * (1.0 - keep))
        # Of a mixed image the class with the larger share is right.
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == tf.argmax(truth, 1), tf.float32))
        return loss, right

    def _taught(self, images: Any, targets: Any) -> Any:
        """The targets [n, k], of which the teachers' answers for these images have their share."""
        if not self.teachers:
            return targets
        share = self.phase.distillation_weight
        answers = tf.add_n([teacher(images) for teacher in self.teachers]) / len(self.teachers)
        return share * answers + (1.0 - share) * targets

    def step(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: Sequence[int]
    ) -> tuple[float, float]:
        """Loss and share of right answers of one batch, which the network has then learnt from."""
        loss, right = self._step(images, labels, tf.constant(seed, tf.int32))
        return float(loss), float(right)

    def kept_weights(self) -> list[NDArray[Any]]:
        """What is validated and kept, in the order of `model.weights`."""
        if not self.recipe.ema_decay:
            return list(self.model.get_weights())
        return [mean.numpy() for mean in self.average]

    def start_from(self, weights: Sequence[NDArray[Any]]) -> None:
        """Takes the weights that the phase before ended with."""
        self.model.set_weights(weights)
        if self.average:
            for mean, weight in zip(self.average, weights, strict=True):
                mean.assign(weight)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Logits float64 [n, k] of what is kept; the network in training is put back afterwards."""
        before = self.model.get_weights()
        self.model.set_weights(self.kept_weights())
        try:
            return network.logits(self._forward, images)
        finally:
            self.model.set_weights(before)

    def state(self) -> list[NDArray[Any]]:
        """All that the next step depends on but its batch, for `restore`."""
        return [part.numpy() for part in self._parts()]

    def restore(self, arrays: Sequence[NDArray[Any]]) -> None:
        for part, array in zip(self._parts(), arrays, strict=True):
            part.assign(array)

    def _parts(self) -> list[Any]:
        """`variables` are the weights and the state of the dropout."""
        return [*self.model.variables, *self.optimizer.variables, *self.average]


def _schedule(phase: Phase, steps_per_epoch: int) -> Any:
    warm_up = round(steps_per_epoch * phase.warm_up_epochs)
    if not phase.cosine:
        return phase.learning_rate
    rest = max(1, steps_per_epoch * phase.epochs - warm_up)
    if warm_up == 0:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, rest)
    return keras.optimizers.schedules.CosineDecay(
        0.0, rest, warmup_target=phase.learning_rate, warmup_steps=warm_up
    )


def _optimizer(recipe: Recipe, schedule: Any) -> Any:
    if recipe.optimizer is Optimizer.ADAM:
        return keras.optimizers.Adam(schedule, global_clipnorm=recipe.clip_norm)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
