"""What a report says, on a stand-in engine whose answers are known, and on the real one."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_models import evaluation, synthetic
from ml_models.data import DataError
from ml_models.evaluation import find, index_images, report, run, summarise_view
from ml_models.imaging import encode
from ml_models.labels import Labels, allowed_views, read_labels
from ml_models.runtime import Engine
from ml_models.taxonomy import CODES, VIEWS

VIEW = {view.name: view for view in VIEWS}


class BrightnessEngine:
    """Says class i for a picture of grey level 10 * (i + 1), with 0.65; the others get 0.05."""

    name = "stand-in"
    card = SimpleNamespace(size=32)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def probabilities(self, inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        self.batches.append(len(inputs))
        rows = np.full((len(inputs), 8), 0.05)
        rows[np.arange(len(inputs)), np.rint(inputs.mean(axis=(1, 2, 3)) / 10).astype(int) - 1] = 0.65
        return rows


def stand_in() -> Engine:
    return cast("Engine", BrightnessEngine())


def grey(level: int) -> bytes:
    from PIL import Image

    return encode(Image.new("RGB", (64, 64), (level, level, level)))


def folder_of(tmp_path: Path, codes: dict[str, str]) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, code in codes.items():
        (folder / name).write_bytes(grey(10 * (CODES.index(code) + 1)))
    return folder


def labelled(pairs: dict[str, str]) -> Labels:
    return Labels(tuple(pairs.items()), allowed_views(set(pairs.values())))


def test_files_are_found_by_id_whatever_the_extension_or_case(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, dict.fromkeys(["A1.JPG", "b2.png", "c3.jpeg", "D4.webp", "e.5.heic"], "nv"))
    (folder / "notes.txt").write_text("no image")
    index = index_images(folder)
    assert len(index) == 5
    for image_id in ("A1", "a1.jpg", "B2", "c3.png", "d4", "e.5", "e.5.heic"):
        assert find(index, image_id) is not None, image_id
    assert find(index, "notes") is None


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no image"):
        index_images(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        index_images(tmp_path / "none")


def test_missing_and_broken_files_are_listed_and_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": "nv", "b.png": "mel"})
    (folder / "broken.png").write_bytes(grey(10)[:60])
    (folder / "empty.jpg").write_bytes(b"")
    labels = labelled({"a": "nv", "broken": "nv", "b": "mel", "gone": "df", "empty": "df"})
    content = report(stand_in(), labels, run(stand_in(), folder, labels))
    assert (content["n"], content["unreadable"]) == (2, 3)
    assert content["unreadable_images"] == [
        {"image": "broken", "problem": "truncated"},
        {"image": "gone", "problem": "no_file"},
        {"image": "empty", "problem": "empty"},
    ]
    assert content["views"]["8"]["accuracy"] == 1.0


def test_nothing_readable_still_makes_a_valid_report(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": "nv"})
    labels = labelled({"gone": "nv"})
    content = report(stand_in(), labels, run(stand_in(), folder, labels))
    assert content["views"]["8"]["accuracy"] is None
    evaluation.write_report(content, tmp_path / "new" / "report.json")
    assert json.loads((tmp_path / "new" / "report.json").read_text())["n"] == 0


def test_images_stream_in_batches(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {f"{i}.png": CODES[i % 8] for i in range(evaluation.BATCH * 2 + 3)})
    labels = labelled({str(i): CODES[i % 8] for i in range(evaluation.BATCH * 2 + 3)})
    engine = BrightnessEngine()
    results = run(cast("Engine", engine), folder, labels)
    assert engine.batches == [evaluation.BATCH, evaluation.BATCH, 3]
    assert [CODES[i] for i in results.probabilities.argmax(axis=1)] == results.labels


def test_views_sum_leave_out_and_renormalise() -> None:
    row = dict.fromkeys(CODES, 0.0) | {"nv": 0.2, "bkl": 0.25, "mel": 0.3, "df": 0.25}
    probabilities = np.array([[row[code] for code in CODES]] * 2)
    three = summarise_view(VIEW["3"], probabilities, ["nv", "df"])
    assert three["n"] == 1
    assert (
        three["per_class"]["benign"]["recall"] == 1.0
    )  # 0.45 against 0.3, although mel is the top of the eight
    assert summarise_view(VIEW["8"], probabilities, ["nv", "df"])["accuracy"] == 0.0
    two = summarise_view(VIEW["2"], probabilities, ["nv", "df"])
    assert (two["n"], two["accuracy"]) == (2, 1.0)


def test_a_view_whose_classes_got_nothing_is_even() -> None:
    probabilities = np.zeros((1, 8))
    probabilities[0, CODES.index("df")] = 1.0
    assert summarise_view(VIEW["4"], probabilities, ["nv"])["n"] == 1


def test_the_report_has_the_promised_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {f"{code}.png": code for code in CODES})
    labels = labelled({code: code for code in CODES})
    content: dict[str, Any] = report(stand_in(), labels, run(stand_in(), folder, labels))
    assert list(content["views"]) == ["8", "7", "4", "3", "2"]
    common = {"n", "classes", "accuracy", "balanced_accuracy", "macro_auc", "per_class", "confusion"}
    for name, view in content["views"].items():
        assert set(view) == common | ({"top3_accuracy"} if name in {"8", "7"} else set())
        assert set(view["per_class"]) == set(view["classes"])
        assert all(
            set(each) == {"recall", "precision", "f1", "auc", "support"}
            for each in view["per_class"].values()
        )
        assert np.array(view["confusion"]).shape == (len(view["classes"]),) * 2
    assert [content["views"][name]["n"] for name in ("8", "7", "4", "3", "2")] == [8, 8, 4, 4, 8]


@pytest.mark.tensorflow
def test_the_real_engine_on_small_images(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, size in enumerate([(64, 64), (64, 90), (300, 200)]):
        (folder / f"{seed}.png").write_bytes(encode(synthetic.lesion(seed, size)))
    labels = labelled({"0": "nv", "1": "mel", "2": "bcc"})
    assert report(engine, labels, run(engine, folder, labels))["n"] == 3


@pytest.mark.tensorflow
@pytest.mark.real_images
def test_real_images_reach_the_figures_of_the_card(engine: Engine, real_data: Path) -> None:
    labels = read_labels(
        real_data / "ham10000" / "metadata.csv", ["split=test", "sex=female", "localization=back"]
    )
    content = report(engine, labels, run(engine, real_data / "ham10000" / "images", labels))
    assert content["unreadable"] == 0
    assert content["n"] > 80
    assert content["views"]["7"]["accuracy"] == pytest.approx(
        engine.card.metrics["test"]["views"]["7"]["accuracy"], abs=0.12
    )
