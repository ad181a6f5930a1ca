"""Releases for tests: copies of a real one under other names, and what can be wrong with them."""

import json
from pathlib import Path
from typing import Any

from diagnosis import presentation
from ml_models import release as folder


def copy_release(source: Path, target: Path) -> None:
    """A release under another name: its files are shared, its card is its own."""
    for file in source.rglob("*"):
        copied = target / file.relative_to(source)
        if file.is_dir():
            copied.mkdir(parents=True)
        elif file.name != folder.CARD:
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.symlink_to(file)
    edit_card(source, target, name=target.name)


def edit_card(source: Path, target: Path, **changes: Any) -> None:
    """Seal `target` with the card of `source` and these changes; a link to golden.json becomes a file."""
    folder.seal(target, json.loads((source / folder.CARD).read_text()) | changes)


def damage(release: Path) -> None:
    """One of its files is no longer what was released; the real one behind a copy stays whole."""
    golden = release / folder.GOLDEN
    content = golden.read_text()
    golden.unlink()
    golden.write_text(content + " ")


def forget_cards() -> None:
    """What this process has read of releases."""
    presentation._card.cache_clear()
    presentation.verified_card.cache_clear()
