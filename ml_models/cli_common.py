"""What the subcommands share: their usual arguments, and how they start TensorFlow."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_models.release import ReleaseError

Commands = Any  # argparse keeps the type of its sub-parsers private


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="the data folder, instead of DERMA_DATA")


def add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release", type=Path, metavar="DIR", help="the release's folder; default: releases/DEFAULT"
    )


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def shown(path: Path) -> Path:
    """The path as somebody in this folder would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextlib.contextmanager
def tensorflow_noise_kept_back() -> Iterator[None]:
    """Holds file descriptor 2 while TensorFlow starts: it greets there before any setting silences it.

    What was held is shown after all if the start fails.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        except ReleaseError:
            failed = False
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))
