"""The same image gives the same answer on the way through upload, queue and SavedModel as at the export.

A class order or a scaling that differs anywhere between training and serving would be seen here.
"""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ml_models import synthetic
from ml_models.runtime import default_release, release_path
from tests.processes.platform import REPOSITORY, Platform, wait_until

GOLDEN = json.loads((release_path(default_release()) / "golden.json").read_text())


def result_of(platform: Platform, image: bytes) -> Any:
    bob = platform.client("bob@example.org")
    status, sent = bob.upload(image)
    assert status in (200, 202), sent
    wait_until(lambda: bob.analysis(sent["id"])["status"] == "done", platform.result_seconds, "the result")
    return bob.analysis(sent["id"])


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"lesion {case['seed']}")
def test_generated_images_give_the_golden_probabilities(platform: Platform, case: dict[str, Any]) -> None:
    width, height = case["size"]
    if min(width, height) < 200:
        pytest.skip("too small to be uploaded; the worker's warm-up checks it")
    out = BytesIO()
    synthetic.lesion(case["seed"], (width, height)).save(out, "PNG")
    result = result_of(platform, out.getvalue())
    assert result["release"] == default_release()
    assert result["probabilities"] == pytest.approx(case["probabilities"], abs=GOLDEN["tolerance"])
    assert result["top"] == max(case["probabilities"], key=case["probabilities"].__getitem__)


@pytest.mark.real_images
def test_real_images_give_what_the_command_line_gives(platform: Platform) -> None:
    if "DERMA_DATA" not in os.environ:
        pytest.skip("set DERMA_DATA to the folder of real images (docs/classifier.md) to run this")
    ham10000 = Path(os.environ["DERMA_DATA"]).resolve() / "ham10000"
    files = [
        *sorted((ham10000 / "images_600").glob("*.jpg"))[::40],
        *sorted((ham10000 / "images_224").glob("*.jpg"))[::1500],
    ]
    assert len(files) >= 6
    predicted = subprocess.run(
        [sys.executable, "-m", "ml_models", "predict", *map(str, files)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [json.loads(line) for line in predicted.stdout.splitlines()]
    for file, line in zip(files, expected, strict=True):
        result = result_of(platform, file.read_bytes())
        assert (result["top"], result["urgency"]) == (line["top"], line["urgency"])
        assert result["reasons"] == line["reasons"]
        assert result["probabilities"] == pytest.approx(line["probabilities"], abs=1e-3)
