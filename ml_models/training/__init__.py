"""Training of recipes, with resumable checkpoints. `val` decides; `test` is never read here."""

from ml_models.training.loop import train
from ml_models.training.run import Run, RunError

__all__ = ["Run", "RunError", "train"]
