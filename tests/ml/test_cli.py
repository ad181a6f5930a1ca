"""The command line as other programs meet it: streams, exit codes, one sentence for each mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ml_models import synthetic
from ml_models.cli import main
from ml_models.imaging import encode
from ml_models.runtime import default_release, release_path
from ml_models.taxonomy import CODES


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DERMA_DATA"}
    command = [sys.executable, "-m", "ml_models", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(synthetic.lesion(2)))
    return path


@pytest.mark.tensorflow
def test_predict_prints_one_object_a_line_and_nothing_else(picture: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 and no more")
    wrong = tmp_path / "really-a-png.jpg"
    shutil.copy(picture, wrong)
    images = [picture, broken, tmp_path / "missing.jpg", tmp_path, wrong]
    done = run("predict", *images)
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["image"] for line in lines] == [str(image) for image in images]
    for line in lines:
        assert set(line) == {"image", "top", "probabilities", "urgency", "reasons", "release"}
        assert line["release"] == default_release()
    for line in (lines[0], lines[4]):
        assert list(line["probabilities"]) == list(CODES)
        assert sum(line["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
        assert line["top"] in CODES
    assert lines[0]["probabilities"] == lines[4]["probabilities"]
    for line in lines[1:4]:
        assert (line["top"], line["probabilities"]) == (None, None)
        assert (line["urgency"], line["reasons"]) == ("cannot_assess", ["unreadable"])


@pytest.mark.tensorflow
def test_predict_for_a_phone_photo(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--image-type", "phone", str(picture)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["urgency"], line["reasons"]) == ("cannot_assess", ["phone_photo"])
    assert line["probabilities"] is not None


@pytest.mark.tensorflow
def test_evaluate_writes_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        (folder / f"S{seed}.JPG").write_bytes(encode(synthetic.lesion(seed, (120, 90))))
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "image,diagnosis,split\ns0,nevus,test\nS1.jpg,MEL,test\nS2,BOD,test\nS3,nv,train\nS9,nv,test\n"
    )
    out = tmp_path / "report.json"
    arguments = ["--images", str(folder), "--labels", str(labels), "--where", "split=test", "--out", str(out)]
    assert main(["evaluate", *arguments, "--plots", str(tmp_path / "plots"), "--subgroups"]) == 0
    assert len(list((tmp_path / "plots").glob("*.svg"))) == 4
    content = json.loads(out.read_text())
    assert (content["n"], content["unreadable"]) == (3, 1)
    assert content["views"]["4"]["n"] == 2
    assert "balanced" in capsys.readouterr().out


def test_help_is_quick_and_names_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("train", "evaluate", "predict", "export", "degrade"):
        assert command in done.stdout


def test_without_a_run_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--keep"]) == 2
    assert "no run to keep the figures of" in capsys.readouterr().err


def test_mistakes_get_one_sentence_and_exit_code_two(picture: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("image_id,dx\npicture,wart\n")
    good = tmp_path / "good.csv"
    good.write_text("image_id,dx\npicture,nv\n")
    (tmp_path / "empty").mkdir()
    newer = tmp_path / "newer"
    newer.mkdir()
    card = json.loads((release_path(default_release()) / "card.json").read_text())
    (newer / "card.json").write_text(json.dumps(card | {"format": 99}))
    out = tmp_path / "report.json"
    evaluate: list[str | Path] = ["evaluate", "--out", out, "--images"]
    mistakes: list[tuple[list[str | Path], str]] = [
        (["train"], "DERMA_DATA"),
        (["train", "--data", tmp_path], "metadata.csv"),
        (["export", "--run-dir", tmp_path, "--out", tmp_path / "r"], "DERMA_DATA"),
        (["predict", "--release", tmp_path, picture], "is no release"),
        ([*evaluate, tmp_path, "--labels", labels], "wart"),
        ([*evaluate, tmp_path, "--labels", tmp_path / "none.csv"], "cannot be read"),
        ([*evaluate, tmp_path / "empty", "--labels", good], "has no image"),
        ([*evaluate, tmp_path, "--labels", good, "--where", "split=x"], "split=x"),
        ([*evaluate, tmp_path, "--labels", good, "--release", tmp_path], "is no release"),
        ([*evaluate, tmp_path, "--labels", good, "--release", newer], "format 99"),
        (["degrade", "--data", tmp_path], "metadata.csv"),
    ]
    for arguments, complaint in mistakes:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not out.exists()


@pytest.mark.tensorflow
def test_a_corrupt_release_is_refused_in_one_line(release_copy: Path, picture: Path) -> None:
    with (release_copy / "golden.json").open("a") as file:
        file.write(" ")
    done = run("predict", "--release", release_copy, picture)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "golden.json" in done.stderr
