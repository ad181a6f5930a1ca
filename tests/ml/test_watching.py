"""The table of a run that is going on."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ml_models import cli, watching

ROW: dict[str, Any] = {"epoch": 1, "size": 32, "loss": 1.5, "accuracy": 0.4, "seconds": 61.2, "val_loss": 1.1}
GOING = {"epoch": 2, "size": 32, "loss": 1.2, "accuracy": 0.5, "seconds": 9.0, "step": 12, "steps": 234}


def write_whole(path: Path, text: str) -> None:
    """As a run writes its files: whoever reads at the same time finds all of one or nothing."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def test_once_shows_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history.json").write_text(json.dumps([ROW, GOING]))
    assert cli.main(["watch", "--run-dir", str(tmp_path), "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["1", "32", "1.5000", "0.400", "1.1000", "-", "-", "-", "61"]
    assert lines[2].endswith("12/234")


def test_it_follows_the_run_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watcher = threading.Thread(target=watching.watch, args=(tmp_path,), kwargs={"every": 0.01})
    watcher.start()
    write_whole(tmp_path / "history.json", json.dumps([ROW, ROW | {"epoch": 2}]))
    write_whole(tmp_path / "result.json", "{}")
    watcher.join(timeout=20)
    assert not watcher.is_alive()
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", "--run-dir", str(tmp_path / "none")]) == 2
    assert "no run" in capsys.readouterr().err
