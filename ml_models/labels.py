"""Label files of any of the usual data sets, read into one vocabulary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml_models.data import DataError, read_csv
from ml_models.taxonomy import BY_CODE, CLASSES, CODES, VIEWS, View

# HAM10000's actinic keratosis or Bowen's disease: ak or scc, and the label does not say which.
AKIEC = "akiec"
# ISIC 2019's "none of the eight": such a row is outside every view.
UNKNOWN = "unk"
LABEL_COLUMNS = ("dx8", "dx", "diagnosis")
ID_COLUMNS = ("image_id", "image")
LESION_COLUMN = "lesion_id"
# What makes subgroups, and what else each may be called.
SUBGROUP_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sex": ("sex",),
    "age": ("age", "age_approx"),
    "localization": ("localization",),
}
# Names other than our own codes: HAM10000, ISIC 2017 and the ISIC archive, PAD-UFES-20.
NAMES: Mapping[str, str] = {
    **{code: code for code in CODES},
    "akiec": AKIEC,
    "melanoma": "mel",
    "nevus": "nv",
    "melanocytic nevus": "nv",
    "seborrheic_keratosis": "bkl",
    "seborrheic keratosis": "bkl",
    "benign keratosis": "bkl",
    "basal cell carcinoma": "bcc",
    "squamous cell carcinoma": "scc",
    "actinic keratosis": "ak",
    "dermatofibroma": "df",
    "vascular lesion": "vasc",
    "ack": "ak",
    "nev": "nv",
    "sek": "bkl",
    "bod": "scc",
}
ONE_HOT: Mapping[str, str] = {**{code.upper(): code for code in CODES}, "AKIEC": AKIEC, "UNK": UNKNOWN}


@dataclass(frozen=True)
class Labels:
    """`rows` are (image id, label), a label being one of CODES, AKIEC or UNKNOWN; `views` fit all labels.

    `lesions` names the lesion of each row, empty where the file has no lesion_id; `columns` holds, by name,
    the values of those columns that can make subgroups.
    """

    rows: tuple[tuple[str, str], ...]
    views: tuple[View, ...]
    lesions: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def place(view: View, label: str) -> str | None:
    """The view's class for a label, None where the label is outside the view."""
    if label == UNKNOWN:
        return None
    if label == AKIEC:
        return {view.of[code] for code in _members(label)}.pop()
    return view.of[label]


def _members(label: str) -> tuple[str, ...]:
    if label in BY_CODE:
        return (label,)
    return tuple(lesion.code for lesion in CLASSES if lesion.ham10000 == label)


def allowed_views(vocabulary: set[str]) -> tuple[View, ...]:
    """Views in which every label has one definite place, or definitely none: with akiec that excludes "8"."""
    return tuple(
        view
        for view in VIEWS
        if all(len({view.of[code] for code in _members(label)}) <= 1 for label in vocabulary)
    )


def read_labels(path: Path, where: Sequence[str] = ()) -> Labels:
    """Rows of a CSV that meet every `column=value` of `where`. Raises DataError in one sentence."""
    columns, rows = read_csv(path)
    numbered = list(enumerate(rows, start=2))
    for condition in where:
        column, sign, value = condition.partition("=")
        if not sign or column not in columns:
            raise DataError(
                f"--where {condition}: give column=value with a column of {path} ({', '.join(columns)})."
            )
        numbered = [(number, row) for number, row in numbered if row[column] == value]
    id_column = next((name for name in ID_COLUMNS if name in columns), None)
    if id_column is None:
        raise DataError(f"The label file {path} has no column image_id or image.")
    if not numbered:
        raise DataError(f"No row of the label file {path} is left to evaluate.")
    return _label(path, columns, id_column, numbered)


def _label(
    path: Path, columns: Sequence[str], id_column: str, numbered: Sequence[tuple[int, dict[str, str]]]
) -> Labels:
    column = next((name for name in LABEL_COLUMNS if name in columns), None)
    hot = {name: ONE_HOT[name.upper()] for name in columns if name.upper() in ONE_HOT}
    pairs = []
    for number, row in numbered:
        if not row[id_column]:
            raise DataError(f"Line {number} of {path} has no {id_column}.")
        if column is not None:
            label = NAMES.get(row[column].lower())
            if label is None:
                raise DataError(
                    f"Line {number} of {path} has the unknown class code {row[column]!r} in {column}."
                )
        elif len(hot) > 1:
            label = _one_hot(path, number, row, hot)
        else:
            raise DataError(f"{path} has no label: no column dx8, dx or diagnosis, and no one-hot columns.")
        pairs.append((row[id_column], label))
    vocabulary = set(hot.values()) if column is None else {label for _, label in pairs}
    return Labels(
        tuple(pairs),
        allowed_views(vocabulary),
        tuple(row[LESION_COLUMN] for _, row in numbered) if LESION_COLUMN in columns else (),
        {
            name: tuple(row[column] for _, row in numbered)
            for name, known in SUBGROUP_COLUMNS.items()
            if (column := next((each for each in known if each in columns), None))
        },
    )


def _one_hot(path: Path, number: int, row: Mapping[str, str], hot: Mapping[str, str]) -> str:
    try:
        chosen = [label for name, label in hot.items() if float(row[name] or 0) == 1.0]
        valid = len(chosen) == 1 and all(float(row[name] or 0) in {0.0, 1.0} for name in hot)
    except ValueError:
        valid = False
    if not valid:
        raise DataError(f"Line {number} of {path} does not have a 1 in exactly one class column.")
    return chosen[0]
