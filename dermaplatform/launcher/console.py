"""What the launcher says, one short line at a time."""

import os
import sys
from pathlib import Path

_COLOURS = {"warning": "\033[33m", "good": "\033[32m"}


def say(line: str, *, warning: bool = False, good: bool = False) -> None:
    """To a terminal that may be gone by now: a closed window must not keep us from cleaning up."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ and (warning or good):
        line = f"{_COLOURS['warning' if warning else 'good']}{line}\033[0m"
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        pass


def last_line(log: Path) -> str:
    """The last line of a log that says something, at most 200 characters; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4000))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
