"""The card of a release as tables for reading. What an older card does not have is left out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from diagnosis import wording
from ml_models.release import Card, has_enough_positives, release_path
from ml_models.taxonomy import CODES, LOCALIZATIONS, Urgency

_DASH = "\u2013"
_SPECIFICITIES = ("0.80", "0.90")


@dataclass(frozen=True)
class Cell:
    """A figure and, where it was measured, the interval that holds it with 95 % confidence."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    note: str = ""


@dataclass(frozen=True)
class Plot:
    name: str  # in the address
    title: str
    says: str  # what to see in it, for those who do not


def tables(card: Card) -> list[Table]:
    """The figures on the test part, whose lesions the classifier had never met."""
    test = _mapping(card.metrics.get("test"))
    views = _mapping(test.get("views"))
    found = [_overall(views), _suspicious(test), _levels(test), _classes(views), *_subgroups(test)]
    return [table for table in (*found, _refused(test), _explanation(card)) if table.rows]


def plots(card: Card) -> list[Plot]:
    """The drawings that the release brings along, in order of reading."""
    known = {
        "reliability": (
            _("Is a probability what it says?"),
            _(
                "How often the most likely class was right, for each probability. On the diagonal it keeps "
                "its word."
            ),
        ),
        "roc": (
            _("Serious spots found against false alarms"),
            _(
                "Sensitivity for malignant or pre-cancer over the share of false alarms. The upper left "
                "corner is best."
            ),
        ),
        "confusion": (
            _("What is taken for what"),
            _("Rows are the truth, columns the most likely class. Right answers stand on the diagonal."),
        ),
        "risk_coverage": (
            _("What abstaining gains"),
            _(
                "The share of errors among the images that are answered, when the most uncertain are left "
                "out first."
            ),
        ),
    }
    return [Plot(name, title, says) for name, (title, says) in known.items() if _drawing(card, name)]


def plot_file(card: Card, name: str) -> bytes | None:
    """The content of a drawing, if the card lists it and it is what was released."""
    file = _drawing(card, name)
    if not file:
        return None
    try:
        content = (release_path(card.name) / file).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == card.files[file]["sha256"] else None


def _drawing(card: Card, name: str) -> str:
    """Its path in the release folder; nothing if the card does not list it among its files."""
    file = str(_mapping(card.raw.get("plots")).get(name, ""))
    return file if file in card.files and file.endswith(".svg") else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cell(value: object, interval: object = None) -> Cell:
    if not isinstance(value, int | float):
        return Cell(_DASH)
    text = f"{value:.3f}"
    if isinstance(interval, Sequence) and len(interval) == 2:
        low, high = interval
        return Cell(text, f"{low:.3f} {_DASH} {high:.3f}")
    return Cell(text)


def _cells(figures: Mapping[str, Any], names: Iterable[str]) -> list[Cell]:
    intervals = _mapping(figures.get("ci"))
    return [_cell(figures.get(name), intervals.get(name)) for name in names]


def _count(number: object) -> Cell:
    return Cell(f"{number:,}" if isinstance(number, int) else _DASH)


def _overall(views: Mapping[str, Any]) -> Table:
    names = {
        "8": _("8 classes"),
        "7": _("7 classes, as HAM10000 has them"),
        "4": _("4 classes: melanoma, mole, basal cell carcinoma, keratosis"),
        "3": _("3 classes: melanoma, basal cell carcinoma, others"),
        "2": _("Malignant or pre-cancer, or neither"),
    }
    figures = ("accuracy", "balanced_accuracy", "macro_auc", "ece")
    return Table(
        _("Overall"),
        (
            _("Images"),
            _("Accuracy"),
            _("Balanced accuracy"),
            _("Area under the curve"),
            _("Calibration error"),
        ),
        [
            (name, [_count(views[view].get("n")), *_cells(views[view], figures)])
            for view, name in names.items()
            if view in views
        ],
        _(
            "Balanced accuracy counts every class alike, however rare it is. "
            "Calibration error: lower is better."
        ),
    )


def _suspicious(test: Mapping[str, Any]) -> Table:
    found = _mapping(test.get("sensitivity_at_specificity"))
    intervals = _mapping(found.get("ci"))
    return Table(
        _("Malignant or pre-cancer: how many are found"),
        (_("Sensitivity"),),
        [
            (
                _("where %(share)s of the others are left in peace")
                % {"share": wording.percent(float(each))},
                [_cell(found[each], intervals.get(each))],
            )
            for each in _SPECIFICITIES
            if each in found
        ],
    )


def _levels(test: Mapping[str, Any]) -> Table:
    urgency = _mapping(test.get("urgency"))
    return Table(
        _("Levels of urgency"),
        (_("Share of images"),),
        [
            (wording.urgency_word(level), [Cell(wording.percent(urgency[f"share_{level}"]))])
            for level in Urgency
            if f"share_{level}" in urgency
        ],
        _(
            "Before any image is refused, the sum for “%(soon)s” or above is reached by %(found)s of what is "
            "malignant or pre-cancer and by %(alarms)s of the others."
        )
        % {
            "soon": wording.urgency_word(Urgency.SOON),
            "found": wording.percent(urgency["soon_sensitivity"]),
            "alarms": wording.percent(1 - urgency["soon_specificity"]),
        }
        if {"soon_sensitivity", "soon_specificity"} <= set(urgency)
        else "",
    )


def _classes(views: Mapping[str, Any]) -> Table:
    view = _mapping(views.get("8"))
    classes = _mapping(view.get("per_class"))
    intervals = _mapping(_mapping(view.get("ci")).get("recall"))
    return Table(
        _("Class by class"),
        (_("Images"), _("Found (recall)"), _("Right when named (precision)"), _("Area under the curve")),
        [
            (
                wording.class_name(code),
                [
                    _count(classes[code].get("support")),
                    _cell(classes[code].get("recall"), intervals.get(code)),
                    _cell(classes[code].get("precision")),
                    _cell(classes[code].get("auc")),
                ],
            )
            for code in CODES
            if code in classes
        ],
        _(
            "By the most likely class. "
            "The urgency does not go by it, but by all serious possibilities together."
        ),
    )


def _subgroups(test: Mapping[str, Any]) -> list[Table]:
    titles = {"sex": _("By sex"), "age": _("By age"), "localization": _("By body site")}
    groups = _mapping(test.get("subgroups"))
    return [
        Table(
            title,
            (_("Images"), _("Balanced accuracy"), _("Sensitivity at a specificity of 0.80"), _("Refused")),
            [
                (_group_name(column, value), _group(row))
                for value, row in _mapping(groups.get(column)).items()
            ],
            _(
                "Groups with few images have wide intervals: differences inside of them may be chance. "
                "Each group has a threshold of its own for that specificity. "
                "A dash means too few serious spots to tell."
            ),
        )
        for column, title in titles.items()
    ]


def _group(row: Mapping[str, Any]) -> list[Cell]:
    found = _mapping(row.get("sensitivity_at_specificity"))
    share = _mapping(row.get("refused")).get("share")
    return [
        _count(row.get("n")),
        *_cells(row, ("balanced_accuracy",)),
        _cell(found.get("0.80"), _mapping(found.get("ci")).get("0.80"))
        if has_enough_positives(found)
        else Cell(_DASH),
        Cell(wording.percent(share) if isinstance(share, float) else _DASH),
    ]


def _group_name(column: str, value: str) -> str:
    if column == "localization" and value in LOCALIZATIONS:
        return wording.body_site_name(value)
    names = {"female": _("Women"), "male": _("Men"), "unknown": _("Not known")}
    if value in names:
        return names[value]
    return _("%(years)s years") % {"years": value.replace("-", _DASH)} if column == "age" else value


def _refused(test: Mapping[str, Any]) -> Table:
    refused = _mapping(test.get("refused"))
    counts = _mapping(refused.get("reasons"))
    rows = [(wording.reason_sentence(reason), [_count(count)]) for reason, count in counts.items()]
    if "n" in refused:
        rows.insert(0, (_("All together"), [_count(refused["n"])]))
    return Table(
        _("Images that it would not judge"),
        (_("Images"),),
        rows,
        _("An image may have several reasons. Figures above count every image, also these."),
    )


def _explanation(card: Card) -> Table:
    """The deletion test of the activation maps."""
    explanation = _mapping(card.raw.get("explanation"))
    test = _mapping(_mapping(explanation.get("test")).get("val"))
    losses = {
        "loss_by_map": _("the places that the map points at"),
        "loss_by_random_places": _("as many places drawn at random"),
        "loss_by_map_of_another_picture": _("the places that the map of another picture points at"),
    }
    return Table(
        _("Does covering what the map points at change the answer?"),
        (_("Loss of the most likely class"),),
        [(covered, [_cell(test[key])]) for key, covered in losses.items() if key in test],
        _("The map is shown with results, because its places count more than others.")
        if explanation.get("shown")
        else _("The map is not shown with results, because this test does not support it."),
    )
