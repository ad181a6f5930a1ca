"""HAM10000 as records and as arrays. The folder comes from the environment variable DERMA_DATA."""

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml_models.imaging import canonicalise, model_input
from ml_models.taxonomy import CODES

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


def data_root(given: Path | None = None) -> Path:
    """The data folder: the one given, else DERMA_DATA. Raises DataError."""
    root = given or (Path(os.environ["DERMA_DATA"]) if os.environ.get("DERMA_DATA") else None)
    if root is None:
        raise DataError(f"No data folder is set. {HOW_TO_GET}")
    if not (root / "ham10000" / "metadata.csv").is_file():
        raise DataError(f"There is no ham10000/metadata.csv in {root}. {HOW_TO_GET}")
    return root


def read_records(root: Path, split: str) -> list[Record]:
    """All records of one split ("train", "val" or "test"), in the order of the metadata."""
    folder = root / "ham10000"
    records = []
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] != split:
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
                )
            )
    if not records:
        raise DataError(f"The metadata in {folder} have no image in the split {split!r}.")
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

    `images` uint8 [m, size, size, 3]; `labels` int [n], index into CODES; picture i of the n records is
    `images[i]`, and also `images[alternate[i]]` where that is not -1.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    alternate: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def load_cache(records: Sequence[Record], size: int, *, alternates: bool) -> Cache:
    """Decodes all records once, through the same two functions that serve a patient's upload."""
    extra = [(i, record.alternate) for i, record in enumerate(records) if alternates and record.alternate]
    images = np.empty((len(records) + len(extra), size, size, 3), dtype=np.uint8)
    alternate = np.full(len(records), -1, dtype=np.int64)
    paths = [record.path for record in records]
    for position, (index, other) in enumerate(extra, start=len(records)):
        alternate[index] = position
        paths.append(other)
    for position, path in enumerate(tqdm(paths, desc=f"reading {records[0].split}", unit="image")):
        images[position] = model_input(canonicalise(path.read_bytes()), size)
    labels = np.array([CODES.index(record.code) for record in records], dtype=np.int64)
    return Cache(images, labels, alternate)


def epoch_order(labels: NDArray[np.int64], *, power: float, seed: int, epoch: int) -> NDArray[np.int64]:
    """Indices of one epoch, about as many as there are labels; class shares follow count ** power.

    Within a class every image comes once before any comes again. The same seed and epoch give the same order.
    """
    rng = np.random.default_rng([seed, epoch])
    counts = np.bincount(labels, minlength=len(CODES))
    shares = np.where(counts > 0, counts.astype(float) ** power, 0.0)
    wanted = np.rint(shares / shares.sum() * len(labels)).astype(int)
    parts = []
    for index, number in enumerate(wanted):
        members = np.flatnonzero(labels == index)
        rounds = -(-int(number) // max(len(members), 1))
        if rounds:
            parts.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:number])
    return rng.permutation(np.concatenate(parts))
