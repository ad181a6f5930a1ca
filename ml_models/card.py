"""The words and numbers that a release says of itself."""

import datetime
from typing import Any

from ml_models import calibration, figures, recipes, release
from ml_models.decision import Thresholds
from ml_models.recipes import Network, Recipe
from ml_models.taxonomy import CODES

HAM10000 = (
    "HAM10000 (Tschandl, Rosendahl, Kittler 2018, doi:10.1038/sdata.2018.161): dermatoscopic images, "
    "training split grouped by lesion"
)
ISIC2017 = "training part of ISIC 2017 (Codella et al. 2018, doi:10.1109/ISBI.2018.8363547)"
IMAGENET = "body of the network from ImageNet"
LICENCE = (
    "CC BY-NC 4.0 (weights trained on HAM10000, which is CC BY-NC 4.0; "
    "the ImageNet weights that training started from: Apache-2.0)"
)
BODIES = {Network.LITE: "EfficientNet-Lite0", Network.MOBILENET: "MobileNetV2 (alpha 1.0)"}
HEAD = ", global average pooling, one linear layer; weights in half precision"
EIGHT_VIEWS = "; its answer is the mean over eight flips and quarter turns of the picture"
INTENDED_USE = (
    "Decision support for clinicians who review dermatoscopic images of single skin lesions; not a diagnosis."
)
LIMITS = (
    "Decision support for clinicians, not a diagnosis.",
    "Not validated on darker skin (Fitzpatrick IV-VI): skin type is unrecorded, nearly all is light.",
    "For dermatoscopic images only; phone photos are outside its domain.",
    "It knows no class but its eight; most pictures that show no lesion are refused, not all.",
    "The data come from few clinics; figures on images from elsewhere are lower.",
)
NO_MAP = "Its activation maps did not pass their test and are not shown."


def thresholds(values: Thresholds) -> dict[str, Any]:
    return {
        "urgent": {
            "value": values.urgent,
            "rule": "least sum of malignant and pre-cancer probabilities with a specificity of at least "
            f"{calibration.URGENT_SPECIFICITY} on val",
        },
        "soon": {
            "value": values.soon,
            "rule": "greatest sum of malignant and pre-cancer probabilities with a sensitivity "
            f"of at least {calibration.SOON_SENSITIVITY} on val",
        },
        "entropy": {
            "value": values.entropy,
            "rule": "entropy in nats above which, where the sum is not urgent, the result is "
            f"cannot_assess; at most {calibration.REFUSED_SHARE} of val",
        },
    }


def plots() -> dict[str, str]:
    """Where the drawings lie in the release's folder, by name."""
    return {name.removesuffix(".svg").replace("-", "_"): f"{release.PLOTS}/{name}" for name in figures.NAMES}


def make(
    name: str, recipe: Recipe, result: dict[str, Any], temperature: float, limits: Thresholds
) -> dict[str, Any]:
    """card.json without what is measured later."""
    sources = [HAM10000, *([ISIC2017] if recipe.isic2017 else []), IMAGENET]
    return {
        "format": release.FORMAT,
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "network": BODIES[recipe.network] + HEAD + (EIGHT_VIEWS if recipe.views > 1 else ""),
        "views": recipe.views,
        "intended_use": INTENDED_USE,
        "classes": list(CODES),
        "input": {
            "size": [recipe.size, recipe.size],
            "geometry": release.GEOMETRY,
            "scaling": release.SCALING,
        },
        "temperature": temperature,
        "thresholds": thresholds(limits),
        "training": {
            "command": recipes.command(name, recipe),
            "seed": recipe.seed,
            "recipe": recipe.to_json(),
            "epoch": result["epoch"],
            "data_fingerprint": result["data_fingerprint"],
        },
        "trained_on": f"{'; '.join(sources)}.",
        "licence": LICENCE,
        "limits": list(LIMITS),
        "metrics": {},
    }
