"""A run's history.json as a table in the terminal, while it is written."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from ml_models.data import DataError

_COLUMNS = (
    ("epoch", "epoch", "d"),
    ("px", "size", "d"),
    ("loss", "loss", ".4f"),
    ("accuracy", "accuracy", ".3f"),
    ("val loss", "val_loss", ".4f"),
    ("val acc.", "val_accuracy", ".3f"),
    ("balanced", "val_balanced_accuracy", ".3f"),
    ("AUC", "val_macro_auc", ".3f"),
    ("seconds", "seconds", ".0f"),
)
_WIDTH = 9


def header() -> str:
    return " ".join(f"{title:>{_WIDTH}}" for title, _, _ in _COLUMNS)


def line(row: dict[str, Any]) -> str:
    """One row; what it lacks is a dash, and an epoch that goes on says how far it is."""
    cells = [f"{row[key]:{form}}" if key in row else "-" for _, key, form in _COLUMNS]
    text = " ".join(f"{cell:>{_WIDTH}}" for cell in cells)
    return f"{text}  {row['step']}/{row['steps']}" if "step" in row else text


def watch(folder: Path, *, once: bool = False, every: float = 2.0) -> None:
    """Prints whole epochs as they come, and the present one in place on a terminal, until the run ends."""
    path = folder / "history.json"
    if not folder.is_dir():
        raise DataError(f"There is no run in {folder}.")
    live = sys.stdout.isatty() and not once
    print(header(), flush=True)
    shown = 0
    while True:
        finished = (folder / "result.json").is_file()
        # Written beside and renamed, so it is whole whenever it is there.
        rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        for row in rows[shown:]:
            if "step" in row and not (live or once):
                continue
            end = "\r" if "step" in row and live else "\n"
            # What is left of a longer line before it is wiped away.
            print(line(row) + ("\x1b[K" if live else ""), end=end, flush=True)
            shown += "step" not in row
        if once or finished:
            return
        time.sleep(every)
