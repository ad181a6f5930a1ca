"""HAM10000 and ISIC 2017 as records and as arrays. The environment variable DERMA_DATA names their folder."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ml_models.imaging import canonicalise, model_input
from ml_models.taxonomy import CODES, VIEWS, View

HOW_TO_GET = (
    "Set DERMA_DATA to a folder with ham10000/metadata.csv and ham10000/images "
    "(HAM10000, doi:10.1038/sdata.2018.161, with the columns dx8 and split added)."
)


class DataError(RuntimeError):
    """Training or evaluation data are missing or wrong; the message is one sentence for the person."""


@dataclass(frozen=True)
class Record:
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

    `column` is the split by lesion, or "dermavision_split", which has no "test" and leaks lesions.
    """
    folder = root / "ham10000"
    records = []
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get(column) != split:
                continue
            if row["dx8"] not in CODES:
                raise DataError(f"Image {row['image_id']} has the unknown class code {row['dx8']!r}.")
            name = f"{row['image_id']}.jpg"
            path, alternate = folder / "images" / name, folder / "images_224" / name
            if not path.is_file():
                raise DataError(f"The image file {path} is missing.")
            records.append(
                Record(
                    image_id=row["image_id"],
                    lesion_id=row["lesion_id"],
                    code=row["dx8"],
                    split=split,
                    path=path,
                    alternate=alternate if alternate.is_file() else None,
                    age=float(row["age"]) if row.get("age") else None,
                    sex=_known(row.get("sex")),
                    site=_known(row.get("localization")),
                )
            )
    if not records:
        raise DataError(f"The metadata in {folder} have no image in the split {split!r}.")
    return records


def _known(value: str | None) -> str | None:
    return None if value in {None, "", "unknown"} else value


# ISIC 2017 has no other classes; its benign keratoses are seborrheic.
ISIC2017_CODES = {"melanoma": "mel", "nevus": "nv", "seborrheic_keratosis": "bkl"}


def read_isic2017(root: Path, split: str) -> list[Record]:
    """Records of ISIC 2017's "train" or "val" part: mel, nv and bkl, stored as squares."""
    folder = root / "isic2017"
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
    except OSError as error:
        raise DataError(f"There is no isic2017/labels.csv in {root}, which this recipe needs.") from error
    records = []
    for row in rows:
        name, path = row["image_id"], folder / "images" / f"{row['image_id']}.jpg"
        if not path.is_file():
            raise DataError(f"The image file {path} is missing.")
        code = ISIC2017_CODES[row["diagnosis"]]
        records.append(Record(name, name, code, split, path, None, stretched=True))
    return records


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

    Every record has a class in `view`; `prepare` changes each uint8 [size, size, 3] in addition.
    """
    extra = [(i, record.alternate) for i, record in enumerate(records) if alternates and record.alternate]
    images = np.empty((len(records) + len(extra), size, size, 3), dtype=np.uint8)
    alternate = np.full(len(records), -1, dtype=np.int64)
    sources = [(record.path, record.stretched) for record in records]
    for position, (index, other) in enumerate(extra, start=len(records)):
        alternate[index] = position
        sources.append((other, False))
    bar = tqdm(sources, desc=f"reading {records[0].split}", unit="image", mininterval=2.0)
    for position, (path, stretched) in enumerate(bar):
        image = canonicalise(path.read_bytes())
        if stretched:
            image = image.resize((image.width, image.height * 3 // 4), Image.Resampling.BICUBIC)
        pixels = model_input(image, size)
        images[position] = pixels if prepare is None else prepare(pixels)
    labels = np.array([view.classes.index(view.of[r.code] or "") for r in records], dtype=np.int64)
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
