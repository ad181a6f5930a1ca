"""Looking into PDF files that strangers sent: never in this process, and not for long."""

import subprocess
import sys
from pathlib import Path

MAX_PAGES = 20
_READER = Path(__file__).with_name("pdf_reader.py")
_SECONDS = 20


class UnreadablePdf(ValueError):
    """The file cannot be opened, or opening it takes too much."""


def count_pages(data: bytes) -> int:
    return int(_ask(data, "count"))


def page_as_png(data: bytes, number: int) -> bytes:
    """Page `number`, from 1, as a picture."""
    return _ask(data, "page", str(number))


def _ask(data: bytes, *question: str) -> bytes:
    command = [sys.executable, "-I", str(_READER), *question]
    try:
        answer = subprocess.run(  # noqa: S603  (our own script; the file goes in by stdin)
            command, input=data, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadablePdf("It takes too long.") from error
    if answer.returncode != 0 or not answer.stdout:
        raise UnreadablePdf(f"The reader ended with {answer.returncode}.")
    return answer.stdout
