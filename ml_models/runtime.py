"""Running a release. TensorFlow is imported when an engine is loaded, never with this module."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_models import synthetic
from ml_models.decision import decide
from ml_models.imaging import model_input
from ml_models.release import (
    GOLDEN,
    SAVED_MODEL,
    Card,
    GoldenMismatchError,
    ReleaseError,
    default_release,
    read_card,
    release_path,
    verify,
)
from ml_models.taxonomy import CODES, ImageType, Reason, Urgency

__all__ = [
    "Assessment",
    "Card",
    "Engine",
    "GoldenMismatchError",
    "ReleaseError",
    "default_release",
    "read_card",
    "release_path",
    "verify",
]


@dataclass(frozen=True)
class Assessment:
    """One image's result; `probabilities` are calibrated, by code in CODES order, and sum to 1."""

    top: str
    probabilities: dict[str, float]
    urgency: Urgency
    reasons: tuple[Reason, ...]
    release: str


class Engine:
    """A loaded release. Use `Engine.load`; one engine serves one process, also from several threads."""

    def __init__(self, card: Card, path: Path, signature: Any, keep_alive: Any, tensorflow: Any) -> None:
        self.card = card
        self.name = card.name
        self._path = path
        self._signature = signature
        self._keep_alive = keep_alive
        self._tensorflow = tensorflow

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> "Engine":
        """Verifies hashes, classes and input contract, then loads. Raises ReleaseError.

        `threads` limits TensorFlow in this process; None leaves it to TensorFlow.
        """
        card = verify(path)
        from ml_models.backend import set_threads, tf

        if threads is not None:
            set_threads(threads)
        try:
            model = tf.saved_model.load(str(path / SAVED_MODEL))
            signature = model.signatures["serving_default"]
            images = signature.structured_input_signature[1]["images"]
            outputs = signature.structured_outputs["probabilities"]
        except Exception as error:  # a damaged graph fails in whatever layer meets it first
            raise ReleaseError(f"The SavedModel of the release {card.name} cannot be loaded.") from error
        expected = [None, card.size, card.size, 3]
        if images.shape.as_list() != expected or images.dtype != tf.uint8:
            raise ReleaseError(
                f"The SavedModel of the release {card.name} takes another input than its card says."
            )
        if outputs.shape.as_list()[-1] != len(CODES):
            raise ReleaseError(
                f"The SavedModel of the release {card.name} does not give {len(CODES)} classes."
            )
        return cls(card, path, signature, model, tf)

    def probabilities(self, inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Network inputs uint8 [n, size, size, 3] -> calibrated probabilities [n, 8] in CODES order."""
        if not len(inputs):
            return np.zeros((0, len(CODES)))
        outputs = self._signature(images=self._tensorflow.constant(inputs))
        rows: NDArray[np.float64] = outputs["probabilities"].numpy().astype(np.float64)
        if not np.isfinite(rows).all():
            raise ReleaseError(f"The release {self.name} gave a probability that is no number.")
        normalised: NDArray[np.float64] = rows / rows.sum(axis=1, keepdims=True)
        return normalised

    def assess(self, images: Sequence[Image.Image], image_types: Sequence[ImageType]) -> list[Assessment]:
        """One assessment for each canonical image, in order."""
        if len(images) != len(image_types):
            raise ValueError("There must be one image type for each image.")
        if not images:
            return []
        rows = self.probabilities(np.stack([model_input(image, self.card.size) for image in images]))
        return [
            self._assessment(row, image_type)
            for row, image_type in zip(rows.tolist(), image_types, strict=True)
        ]

    def _assessment(self, row: list[float], image_type: ImageType) -> Assessment:
        probabilities = dict(zip(CODES, row, strict=True))
        urgency, reasons = decide(probabilities, image_type, self.card.thresholds)
        top = max(probabilities, key=probabilities.__getitem__)
        return Assessment(top, probabilities, urgency, reasons, self.name)

    def check_golden(self) -> None:
        """Compares with the probabilities written at export. Raises GoldenMismatchError; also warms up."""
        golden = json.loads((self._path / GOLDEN).read_text(encoding="utf-8"))
        for case in golden["cases"]:
            image = synthetic.lesion(case["seed"], (case["size"][0], case["size"][1]))
            got = self.assess([image], [ImageType.DERMATOSCOPIC])[0].probabilities
            worst = max(abs(got[code] - case["probabilities"][code]) for code in CODES)
            if not worst <= golden["tolerance"]:
                raise GoldenMismatchError(
                    f"The release {self.name} is off by {worst:.4f} on the generated image {case['seed']} "
                    f"(allowed: {golden['tolerance']})."
                )
