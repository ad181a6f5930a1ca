"""The folder of a training run."""

import fcntl
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import curves
from ml_models.data import DataError
from ml_models.recipes import Recipe, Split

KEPT = Path(__file__).resolve().parents[1] / "runs"
FIGURES = "figures.json"


class RunError(DataError):
    """The run folder does not fit what was asked for."""


@dataclass(frozen=True)
class Run:
    """A folder with recipe.json, history.json and checkpoint.npz (the whole state after the last epoch),
    best.npz (what is kept), best_val.npz (its logits and labels of `val`) and phase-N.npz of whole phases.

    When finished it has result.json, final.npz and final_val.npz, which carry the adjustment, and curves.svg;
    `metadata` adds metadata.json.
    """

    folder: Path

    @classmethod
    def open(cls, recipe: Recipe, folder: Path) -> "Run":
        """The run of this recipe in `folder`, new or begun. Raises RunError if it is of another recipe."""
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder)
        if not (folder / "recipe.json").is_file():
            run.write_json("recipe.json", recipe.to_json())
        elif run.recipe() != recipe:
            raise RunError(f"{folder} holds a run of another recipe; give another --run-dir.")
        return run

    @property
    def finished(self) -> bool:
        return (self.folder / "result.json").is_file()

    @property
    def begun(self) -> bool:
        """Whether it goes on from weights of its own."""
        return (self.folder / "checkpoint.npz").is_file() or any(self.folder.glob("phase-*.npz"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """For one process at a time: two would write into each other's files. Raises RunError."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(f"Another process is training in {self.folder}.") from error
            yield

    def recipe(self) -> Recipe:
        return Recipe.from_json(self.read_json("recipe.json"))

    def history(self) -> list[dict[str, Any]]:
        """Rows of the whole epochs; the last row of a running run may be of an unfinished one."""
        return [row for row in self.read_json("history.json") if "step" not in row]

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        _replace(self.folder / name, text.encode())

    def read_json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def write_arrays(self, name: str, arrays: Sequence[NDArray[Any]]) -> None:
        """Replaces the file as a whole, or leaves it as it is."""
        buffer = io.BytesIO()
        named: dict[str, Any] = {f"a{i:04d}": array for i, array in enumerate(arrays)}
        np.savez(buffer, **named)
        _replace(self.folder / name, buffer.getvalue())

    def read_arrays(self, name: str) -> list[NDArray[Any]]:
        """In the order in which they were written."""
        with np.load(self.folder / name) as stored:
            return [stored[key] for key in sorted(stored.files)]


def _replace(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames, so that a killed run leaves the old file or the new one, whole."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def keep(folder: Path, kept: Path = KEPT) -> Path:
    """Copies recipe, history and curves of a finished run to the folder of its recipe; no weights.

    The figures of the run that was kept there before go.
    """
    run = Run(folder)
    if not run.finished:
        raise RunError(f"The run in {folder} is not finished.")
    recipe, history = run.recipe(), run.history()
    name = recipe.name if recipe.split is Split.HONEST else f"{recipe.name}-{recipe.split}-split"
    out = kept / name
    out.mkdir(parents=True, exist_ok=True)
    copy = Run(out)
    copy.write_json("recipe.json", recipe.to_json())
    copy.write_json("history.json", history)
    copy.write_text("curves.svg", curves.draw(recipe.name, history))
    (out / FIGURES).unlink(missing_ok=True)
    return out
