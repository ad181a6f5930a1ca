"""HAM10000 and ISIC 2017 as records and as arrays. The environment variable DERMA_DATA names their folder."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ml_models.imaging import ImageError, canonicalise, model_input
from ml_models.taxonomy import CODES, VIEWS, View

HOW_TO_GET = (
    "Set DERMA_DATA to a folder with ham10000/metadata.csv and ham10000/images "
    "(HAM10000, doi:10.1038/sdata.2018.161, with the columns dx8 and split added)."
)


T = TypeVar("T")


class DataError(RuntimeError):
    """Training or evaluation data are missing or wrong; the message is one sentence for the person."""


@dataclass(frozen=True)
class Record:
    """One labelled picture; None is not known."""

    image_id: str
    lesion_id: str
    code: str
    split: str
    path: Path
    alternate: Path | None  # the same picture at a higher resolution, where the data set has it
    stretched: bool = False  # a 4:3 frame that was made square
    age: float | None = None  # years
    sex: str | None = None
    site: str | None = None


def data_root(given: Path | None = None) -> Path:
    """The data folder: the one given, else DERMA_DATA. Raises DataError."""
    root = given or (Path(os.environ["DERMA_DATA"]) if os.environ.get("DERMA_DATA") else None)
    if root is None:
        raise DataError(f"No data folder is set. {HOW_TO_GET}")
    if not (root / "ham10000" / "metadata.csv").is_file():
        raise DataError(f"There is no ham10000/metadata.csv in {root}. {HOW_TO_GET}")
    return root


def read_records(root: Path, split: str, *, column: str = "split") -> list[Record]:
    """All records of one split ("train", "val" or "test"), in the order of the metadata.

    `column` is the split by lesion, or "dermavision_split", which has no "test" and leaks lesions. Raises
    DataError for a missing file or column and for an unknown class code or age.
    """
    folder = root / "ham10000"
    records = []
    rows = _read_rows(folder / "metadata.csv", ("image_id", "lesion_id", "dx8", column))
    for row in rows:
        if row[column] != split:
            continue
        if row["dx8"] not in CODES:
            raise DataError(f"Image {row['image_id']} has the unknown class code {row['dx8']!r}.")
        alternate = folder / "images_224" / f"{row['image_id']}.jpg"
        records.append(
            Record(
                image_id=row["image_id"],
                lesion_id=row["lesion_id"],
                code=row["dx8"],
                split=split,
                path=_present(folder / "images" / f"{row['image_id']}.jpg"),
                alternate=alternate if alternate.is_file() else None,
                age=_age(row),
                sex=_known(row.get("sex")),
                site=_known(row.get("localization")),
            )
        )
    if not records:
        raise DataError(f"The metadata in {folder} have no image in the split {split!r}.")
    return records


def read_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV file with a header, without the spaces around. Raises DataError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    except OSError as error:
        raise DataError(f"The file {path} cannot be read.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"The file {path} is not a CSV file in UTF-8.") from error
    return columns, rows


def _read_rows(path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
    columns, rows = read_csv(path)
    if missing := [name for name in needed if name not in columns]:
        raise DataError(f"The file {path} lacks the column {', '.join(missing)}.")
    return rows


def _present(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"The image file {path} is missing.")
    return path


def _age(row: Mapping[str, str]) -> float | None:
    try:
        return float(row["age"]) if row.get("age") else None
    except ValueError as error:
        raise DataError(f"Image {row['image_id']} has the age {row['age']!r}, which is no number.") from error


def _known(value: str | None) -> str | None:
    return None if value in {None, "", "unknown"} else value


# ISIC 2017 has no other classes; its benign keratoses are seborrheic.
ISIC2017_CODES = {"melanoma": "mel", "nevus": "nv", "seborrheic_keratosis": "bkl"}


def read_isic2017(root: Path, split: str) -> list[Record]:
    """Records of ISIC 2017's "train" or "val" part: mel, nv and bkl, stored as squares. Raises DataError."""
    folder = root / "isic2017"
    if not (folder / "labels.csv").is_file():
        raise DataError(f"There is no isic2017/labels.csv in {root}, which this recipe needs.")
    records = []
    for row in _read_rows(folder / "labels.csv", ("image_id", "diagnosis", "split")):
        if row["split"] != split:
            continue
        name, code = row["image_id"], ISIC2017_CODES.get(row["diagnosis"])
        if code is None:
            raise DataError(f"Image {name} has the unknown diagnosis {row['diagnosis']!r}.")
        path = _present(folder / "images" / f"{name}.jpg")
        records.append(Record(name, name, code, split, path, None, stretched=True))
    return records


def read_image(path: Path) -> Image.Image:
    """The canonical image of a file. Raises DataError, which names the file."""
    try:
        return canonicalise(path.read_bytes())
    except (ImageError, OSError) as error:
        raise DataError(f"The image {path} cannot be read: {error}") from error


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, in their order and spread over all of them."""
    chosen = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[i] for i in chosen]


def fingerprint(records: Iterable[Record]) -> str:
    """SHA-256 over image id, class, split and file hashes; order and place of the files do not matter."""
    lines = []
    for record in records:
        hashes = [_file_hash(path) for path in (record.path, record.alternate) if path is not None]
        lines.append(" ".join([record.image_id, record.code, record.split, *hashes]))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Cache:
    """Network inputs in memory.

    `images` uint8 [m, size, size, 3]; `labels` int [n], index into the view's classes; picture i of the n
    records is `images[i]`, and also `images[alternate[i]]` where that is not -1.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    alternate: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def load_cache(
    records: Sequence[Record],
    size: int,
    *,
    alternates: bool,
    view: View = VIEWS[0],
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
) -> Cache:
    """Decodes all records once, through the same two functions that serve a patient's upload.

    Every record has a class in `view`; `prepare` changes each uint8 [size, size, 3] in addition. Raises
    DataError, which counts the images that cannot be read and names the first.
    """
    extra = [(i, record.alternate) for i, record in enumerate(records) if alternates and record.alternate]
    images = np.empty((len(records) + len(extra), size, size, 3), dtype=np.uint8)
    alternate = np.full(len(records), -1, dtype=np.int64)
    sources = [(record.path, record.stretched) for record in records]
    for position, (index, other) in enumerate(extra, start=len(records)):
        alternate[index] = position
        sources.append((other, False))
    unreadable: list[DataError] = []
    bar = tqdm(sources, desc=f"reading {records[0].split}", unit="image", mininterval=2.0)
    for position, (path, stretched) in enumerate(bar):
        try:
            image = read_image(path)
        except DataError as error:
            unreadable.append(error)
            continue
        if stretched:
            image = image.resize((image.width, image.height * 3 // 4), Image.Resampling.BICUBIC)
        pixels = model_input(image, size)
        images[position] = pixels if prepare is None else prepare(pixels)
    if unreadable:
        raise DataError(f"{len(unreadable)} of {len(sources)} images cannot be used. {unreadable[0]}")
    labels = np.array([view.index(r.code) for r in records], dtype=np.int64)
    return Cache(images, labels, alternate)


def epoch_order(
    labels: NDArray[np.int64], *, power: float, seed: int, epoch: int, length: int | None = None
) -> NDArray[np.int64]:
    """Indices of one epoch, about `length` (or as many as labels); class shares follow count ** power.

    Within a class every image comes once before any comes again. The same seed and epoch give the same order.
    """
    rng = np.random.default_rng([seed, epoch])
    counts = np.bincount(labels)
    shares = np.where(counts > 0, counts.astype(float) ** power, 0.0)
    wanted = np.rint(shares / shares.sum() * (length or len(labels))).astype(int)
    parts = []
    for index, number in enumerate(wanted):
        members = np.flatnonzero(labels == index)
        rounds = -(-int(number) // max(len(members), 1))
        if rounds:
            parts.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:number])
    return rng.permutation(np.concatenate(parts))
