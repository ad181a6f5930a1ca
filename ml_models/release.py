"""A release on disk: the network in its formats, `golden.json`, `card.json`. Reading needs no TensorFlow."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ml_models.decision import Thresholds
from ml_models.quality import Limits
from ml_models.taxonomy import CODES

FORMAT = 4
RELEASES = Path(__file__).parent / "releases"
# How sentences call it: visitors read some of them, and need not know where it lies on the machine.
_SHOWN = "ml_models/releases"
_DEFAULT = f"{_SHOWN}/DEFAULT"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
CARD, GOLDEN, SAVED_MODEL = "card.json", "golden.json", "saved_model"
DOMAIN, PLOTS = "domain.npz", "plots"
# What the network expects before its signature; a release made for another contract is refused.
GEOMETRY = "centre square of the canonical image, bicubic with antialiasing"
SCALING = "uint8 RGB; x / 127.5 - 1 inside the SavedModel"
LEAST_SUSPICIOUS = 10


def has_enough_positives(sensitivity: Mapping[str, Any]) -> bool:
    """Whether a subgroup's sensitivity rests on enough malignant images; old cards do not count them."""
    return int(sensitivity.get("suspicious", LEAST_SUSPICIOUS)) >= LEAST_SUSPICIOUS


class ReleaseError(RuntimeError):
    """The release cannot be used; the message is one sentence for the operator."""


class GoldenMismatchError(ReleaseError):
    """The release runs but does not give the probabilities that it was released with."""


@dataclass(frozen=True)
class Card:
    """What a release says of itself; `raw` is the whole of card.json.

    `quality` are the limits of its quality gate, `explained` says whether its activation maps may be shown.
    """

    name: str
    classes: tuple[str, ...]
    size: int
    temperature: float
    thresholds: Thresholds
    licence: str
    trained_on: str
    limits: tuple[str, ...]
    metrics: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    raw: Mapping[str, Any]
    quality: Limits
    explained: bool
    views: int  # flips and quarter turns that its graph averages over


def default_release() -> str:
    """The name in releases/DEFAULT."""
    try:
        name = (RELEASES / "DEFAULT").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ReleaseError(f"There is no default release: {_DEFAULT} cannot be read.") from error
    if not name:
        raise ReleaseError(f"There is no default release: {_DEFAULT} is empty.")
    return name


def release_path(name: str) -> Path:
    """The folder of a release of the tree by its name. Raises ReleaseError for a name that is none."""
    path = RELEASES / name
    if not NAME.fullmatch(name) or not path.is_dir():
        raise ReleaseError(f"There is no release named {name!r} in {_SHOWN}.")
    return path


def read_card(path: Path) -> Card:
    """The card of the release in the folder `path`: classes and input contract checked, hashes not."""
    folder = path.name or path.resolve().name
    try:
        raw = json.loads((path / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReleaseError(f"The folder {folder} is no release: it has no {CARD}.") from error
    except (OSError, ValueError) as error:
        raise ReleaseError(f"The card of the release in the folder {folder} cannot be read.") from error
    try:
        if raw["format"] != FORMAT:
            raise ReleaseError(
                f"The release in the folder {folder} has format {raw['format']}, this version reads {FORMAT}."
            )
        card = _parse(raw)
        contract = (raw["input"]["geometry"], raw["input"]["scaling"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseError(
            f"The card of the release in the folder {folder} is incomplete or malformed."
        ) from error
    if card.classes != CODES:
        raise ReleaseError(
            f"The release {card.name} has the classes {' '.join(card.classes)}, "
            f"this version has {' '.join(CODES)}."
        )
    if contract != (GEOMETRY, SCALING):
        raise ReleaseError(f"The release {card.name} expects its input prepared in another way.")
    return card


def _parse(raw: dict[str, Any]) -> Card:
    width, height = raw["input"]["size"]
    if width != height or not isinstance(width, int):
        raise ValueError("input size")
    values = raw["thresholds"]
    thresholds = Thresholds(**{name: float(values[name]["value"]) for name in ("urgent", "soon", "entropy")})
    if not (0.0 <= thresholds.soon <= thresholds.urgent <= 1.0 and 0.0 <= thresholds.entropy < math.inf):
        raise ValueError("thresholds")
    return Card(
        name=str(raw["name"]),
        classes=tuple(str(code) for code in raw["classes"]),
        size=width,
        temperature=float(raw["temperature"]),
        thresholds=thresholds,
        licence=str(raw["licence"]),
        trained_on=str(raw["trained_on"]),
        limits=tuple(str(limit) for limit in raw["limits"]),
        metrics=MappingProxyType(dict(raw["metrics"])),
        files=MappingProxyType({str(name): dict(entry) for name, entry in raw["files"].items()}),
        raw=MappingProxyType(raw),
        quality=Limits.of(raw["quality"]["limits"]),
        explained=raw["explanation"]["shown"] is True,
        views=int(raw.get("views", 1)),
    )


def list_files(path: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file of a release but its card, by relative POSIX path.

    Raises ReleaseError for one that cannot be read.
    """
    entries = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        try:
            content = file.read_bytes() if file.is_file() and name != CARD else None
        except OSError as error:
            raise ReleaseError(
                f"The file {name} of the release in the folder {path.name} cannot be read."
            ) from error
        if content is not None:
            entries[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return entries


def seal(path: Path, content: Mapping[str, Any]) -> None:
    """Writes the card `content` of the release in `path`, with the hashes of its files.

    The card cannot hold its own hash: golden.json does, of all in it but the list of files.
    """
    golden = json.loads((path / GOLDEN).read_text(encoding="utf-8"))
    _write_json(path / GOLDEN, golden | {"card": _digest(content)})
    _write_json(path / CARD, {**content, "files": list_files(path)})


def _digest(content: Mapping[str, Any]) -> str:
    known = {key: value for key, value in content.items() if key != "files"}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    made = path.with_suffix(".new")
    made.write_text(text, encoding="utf-8")
    made.replace(path)


def verify(path: Path) -> Card:
    """The card of a release of which card and files are whole and unchanged. Raises ReleaseError."""
    card = read_card(path)
    found = list_files(path)
    for name, entry in card.files.items():
        if name not in found:
            raise ReleaseError(f"The release {card.name} lacks its file {name}.")
        if found[name] != entry:
            raise ReleaseError(
                f"The file {name} of the release {card.name} is not the one that was released."
            )
    for needed in (GOLDEN, f"{SAVED_MODEL}/saved_model.pb", DOMAIN):
        if needed not in card.files:
            raise ReleaseError(f"The release {card.name} has no {needed}.")
    if strangers := sorted(set(found) - set(card.files)):
        raise ReleaseError(f"The release {card.name} has a file that its card does not list: {strangers[0]}.")
    if json.loads((path / GOLDEN).read_text(encoding="utf-8")).get("card") != _digest(card.raw):
        raise ReleaseError(f"The card of the release {card.name} is not the one that was released.")
    return card
