"""Running a release. TensorFlow is imported when an engine is loaded, never with this module."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml_models import quality, synthetic
from ml_models.decision import decide
from ml_models.domain import Domain, colours
from ml_models.imaging import model_input
from ml_models.release import (
    DOMAIN,
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
    "BATCH_SIZE",
    "Assessment",
    "Card",
    "Engine",
    "GoldenMismatchError",
    "Outputs",
    "ReleaseError",
    "default_release",
    "read_card",
    "release_path",
    "verify",
]


Floats = NDArray[np.float64]
# Images at work at once: a release that answers from eight sides then sees 64 pictures, in about a gigabyte.
BATCH_SIZE = 8


@dataclass(frozen=True)
class Assessment:
    """One image's result; `probabilities` are calibrated, by code in CODES order, and sum to 1.

    They are there for every image, also where `reasons` say that they mean nothing. `domain` is the distance
    from the training images: about 0 is usual. `maps` holds, by code, what speaks
    for the class at each place of the centre square: rows of logits; None where the maps are not to be shown.
    """

    top: str
    probabilities: dict[str, float]
    urgency: Urgency
    reasons: tuple[Reason, ...]
    release: str
    domain: float
    maps: dict[str, list[list[float]]] | None = None


@dataclass(frozen=True)
class Outputs:
    """What one pass gives: `probabilities` [n, 8], `embeddings` [n, d] and `maps` [n, h, w, 8].

    The mean of a map over h and w is the calibrated logit of its class.
    """

    probabilities: Floats
    embeddings: Floats
    maps: Floats


class Engine:
    """A loaded release. Use `Engine.load`; one engine serves one process, also from several threads."""

    def __init__(
        self,
        card: Card,
        path: Path,
        signature: Any,
        keep_alive: Any,
        tensorflow: Any,
        *,
        domain: Domain,
    ) -> None:
        self.card = card
        self.name = card.name
        self._path = path
        self._signature = signature
        self._keep_alive = keep_alive
        self._tensorflow = tensorflow
        self._domain = domain

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
            outputs = signature.structured_outputs
            classes = outputs["probabilities"].shape.as_list()[-1]
        except Exception as error:  # a damaged graph fails in whatever layer meets it first
            raise ReleaseError(f"The SavedModel of the release {card.name} cannot be loaded.") from error
        expected = [None, card.size, card.size, 3]
        if images.shape.as_list() != expected or images.dtype != tf.uint8:
            raise ReleaseError(
                f"The SavedModel of the release {card.name} takes another input than its card says."
            )
        if classes != len(CODES):
            raise ReleaseError(
                f"The SavedModel of the release {card.name} does not give {len(CODES)} classes."
            )
        if not {"embedding", "activation_map"} <= set(outputs):
            raise ReleaseError(
                f"The SavedModel of the release {card.name} gives no embedding or no activation map."
            )
        try:
            domain = Domain.load(path / DOMAIN)
        except (OSError, KeyError, ValueError) as error:
            raise ReleaseError(f"The domain statistics of the release {card.name} cannot be read.") from error
        return cls(card, path, signature, model, tf, domain=domain)

    def outputs(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Network inputs uint8 [n, size, size, 3], at least one -> all that one pass gives.

        Memory does not grow with n but for the answers: at most `BATCH_SIZE` images are at work at once.
        """
        parts = [
            self._signature(images=self._tensorflow.constant(inputs[i : i + BATCH_SIZE]))
            for i in range(0, len(inputs), BATCH_SIZE)
        ]
        rows, embeddings, maps = (
            np.concatenate([part[name].numpy() for part in parts]).astype(np.float64)
            for name in ("probabilities", "embedding", "activation_map")
        )
        if not np.isfinite(rows).all():
            raise ReleaseError(f"The release {self.name} gave a probability that is no number.")
        return Outputs(rows / rows.sum(axis=1, keepdims=True), embeddings, maps)

    def probabilities(self, inputs: NDArray[np.uint8]) -> Floats:
        """Network inputs uint8 [n, size, size, 3] -> calibrated probabilities [n, 8] in CODES order."""
        if not len(inputs):
            return np.zeros((0, len(CODES)))
        return self.outputs(inputs).probabilities

    def assess(self, images: Sequence[Image.Image], image_types: Sequence[ImageType]) -> list[Assessment]:
        """One assessment for each canonical image, in order."""
        if len(images) != len(image_types):
            raise ValueError("There must be one image type for each image.")
        if not images:
            return []
        inputs = np.stack([model_input(image, self.card.size) for image in images])
        return self.assess_inputs(inputs, [min(image.size) for image in images], image_types)

    def assess_inputs(
        self,
        inputs: NDArray[np.uint8],
        sides: Sequence[int],
        image_types: Sequence[ImageType],
    ) -> list[Assessment]:
        """Assessments of network inputs uint8 [n, size, size, 3], at least one.

        `sides` are the shorter sides of the canonical images in pixels.
        """
        outputs = self.outputs(inputs)
        tones = np.stack([colours(pixels) for pixels in inputs])
        scores = self._domain.scores(outputs.embeddings, tones).tolist()
        maps = [*outputs.maps] if self.card.explained else [None] * len(inputs)
        return [
            self._assessment(row, image_type, self._refusals(pixels, side, score), score, shown)
            for row, image_type, pixels, side, score, shown in zip(
                outputs.probabilities.tolist(), image_types, inputs, sides, scores, maps, strict=True
            )
        ]

    def _refusals(self, pixels: NDArray[np.uint8], side: int, score: float) -> tuple[Reason, ...]:
        found = quality.reasons(quality.measure(pixels, side), self.card.quality)
        stranger = self._domain.reason(score)
        # A picture that is too dark or blurred is a stranger for that very reason.
        return found or (() if stranger is None else (stranger,))

    def _assessment(
        self,
        row: list[float],
        image_type: ImageType,
        refusals: tuple[Reason, ...],
        score: float,
        maps: Floats | None,
    ) -> Assessment:
        probabilities = dict(zip(CODES, row, strict=True))
        urgency, reasons = decide(probabilities, image_type, self.card.thresholds, refusals)
        top = max(probabilities, key=probabilities.__getitem__)
        shown = None
        if maps is not None:
            shown = {code: np.round(maps[:, :, i], 3).tolist() for i, code in enumerate(CODES)}
        return Assessment(top, probabilities, urgency, reasons, self.name, score, shown)

    def warm_up(self) -> None:
        """Judges a full batch once, which TensorFlow takes longer for the first time."""
        size = self.card.size
        self.probabilities(np.zeros((BATCH_SIZE, size, size, 3), dtype=np.uint8))

    def check_golden(self) -> None:
        """Compares with the probabilities written at export. Raises GoldenMismatchError; also warms up."""
        golden = json.loads((self._path / GOLDEN).read_text(encoding="utf-8"))
        for case in golden["cases"]:
            image = synthetic.lesion(case["seed"], (case["size"][0], case["size"][1]))
            result = self.assess([image], [ImageType.DERMATOSCOPIC])[0]
            got = result.probabilities
            worst = max(abs(got[code] - case["probabilities"][code]) for code in CODES)
            if not worst <= golden["tolerance"]:
                raise GoldenMismatchError(
                    f"The release {self.name} is off by {worst:.4f} on the generated image {case['seed']} "
                    f"(allowed: {golden['tolerance']})."
                )
            if not abs(result.domain - case["domain"]) <= golden["tolerance"] * 10:
                raise GoldenMismatchError(
                    f"The release {self.name} gives the generated image {case['seed']} another domain score."
                )
