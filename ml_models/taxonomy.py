"""The classes, their coarser views, the urgency levels and reason codes: the one place that defines them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Group(StrEnum):
    MALIGNANT = "malignant"
    PRE_CANCER = "pre_cancer"
    BENIGN = "benign"


@dataclass(frozen=True)
class LesionClass:
    """One class; `ham10000`, `four`, `three`, `two` name its place in the coarser views (None: outside)."""

    code: str
    group: Group
    ham10000: str
    four: str | None
    three: str | None

    @property
    def two(self) -> str:
        return "benign" if self.group is Group.BENIGN else "suspicious"


CLASSES: tuple[LesionClass, ...] = (
    LesionClass("ak", Group.PRE_CANCER, "akiec", None, None),
    LesionClass("bcc", Group.MALIGNANT, "bcc", "bcc", "bcc"),
    LesionClass("bkl", Group.BENIGN, "bkl", "bkl", "benign"),
    LesionClass("df", Group.BENIGN, "df", None, None),
    LesionClass("mel", Group.MALIGNANT, "mel", "mel", "mel"),
    LesionClass("nv", Group.BENIGN, "nv", "nv", "benign"),
    LesionClass("scc", Group.MALIGNANT, "akiec", None, None),
    LesionClass("vasc", Group.BENIGN, "vasc", None, None),
)
CODES: tuple[str, ...] = tuple(lesion.code for lesion in CLASSES)
BY_CODE: Mapping[str, LesionClass] = MappingProxyType({lesion.code: lesion for lesion in CLASSES})
SUSPICIOUS: frozenset[str] = frozenset(lesion.code for lesion in CLASSES if lesion.group is not Group.BENIGN)


@dataclass(frozen=True)
class View:
    """A coarser reading of the eight classes: `of[code]` is the view's class, None where it has no place."""

    name: str
    classes: tuple[str, ...]
    of: Mapping[str, str | None]

    def index(self, code: str) -> int:
        """The place of a code's class among `classes`. Raises ValueError where the view has none for it."""
        target = self.of[code]
        if target is None:
            raise ValueError(f"The view {self.name} has no place for {code}.")
        return self.classes.index(target)

    def sums_into(self, other: "View") -> bool:
        """Whether every class of this view lies within one class of the other, or outside, and fills all."""
        targets = {
            name: {other.of[code] for code, place in self.of.items() if place == name}
            for name in self.classes
        }
        reached = set().union(*targets.values()) - {None}
        return all(len(each) == 1 for each in targets.values()) and reached == set(other.classes)


def _view(name: str, of: dict[str, str | None]) -> View:
    classes = tuple(dict.fromkeys(target for code in CODES if (target := of[code]) is not None))
    return View(name, classes, MappingProxyType(of))


VIEWS: tuple[View, ...] = (
    _view("8", {lesion.code: lesion.code for lesion in CLASSES}),
    _view("7", {lesion.code: lesion.ham10000 for lesion in CLASSES}),
    _view("4", {lesion.code: lesion.four for lesion in CLASSES}),
    _view("3", {lesion.code: lesion.three for lesion in CLASSES}),
    _view("2", {lesion.code: lesion.two for lesion in CLASSES}),
)
_BY_NAME = MappingProxyType({view.name: view for view in VIEWS})


def view_named(name: str) -> View:
    """The view of that name, "8" to "2". Raises KeyError."""
    return _BY_NAME[name]


class Urgency(StrEnum):
    URGENT = "urgent"
    SOON = "soon"
    ROUTINE = "routine"
    CANNOT_ASSESS = "cannot_assess"


class Reason(StrEnum):
    UNREADABLE = "unreadable"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    NOT_A_LESION = "not_a_lesion"
    OUT_OF_DOMAIN = "out_of_domain"
    UNCERTAIN = "uncertain"
    PHONE_PHOTO = "phone_photo"
    RED_FLAG = "red_flag"


class ImageType(StrEnum):
    DERMATOSCOPIC = "dermatoscopic"
    PHONE = "phone"


LOCALIZATIONS: tuple[str, ...] = (
    "abdomen",
    "acral",
    "back",
    "chest",
    "ear",
    "face",
    "foot",
    "genital",
    "hand",
    "lower extremity",
    "neck",
    "scalp",
    "trunk",
    "unknown",
    "upper extremity",
)
