"""What a report says, on a stand-in engine whose answers are known, and on the real one."""

import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml_models import evaluation, figures, metadata, synthetic
from ml_models.data import DataError
from ml_models.evaluation import find, index_images, report, run, summarise_view
from ml_models.imaging import encode
from ml_models.labels import Labels, allowed_views, read_labels
from ml_models.runtime import BATCH_SIZE, Assessment, Engine, ReleaseError
from ml_models.taxonomy import CODES, VIEWS, ImageType, Reason, Urgency

VIEW = {view.name: view for view in VIEWS}


class BrightnessEngine:
    """Says class i for a picture of grey level 10 * (i + 1), with 0.65; the others get 0.05."""

    name = "stand-in"

    def __init__(self) -> None:
        self.card = SimpleNamespace(name="stand-in", size=32, raw={})
        self.batches: list[int] = []

    def assess_inputs(
        self, inputs: NDArray[np.uint8], sides: list[int], image_types: list[ImageType]
    ) -> list[Assessment]:
        assert len(inputs) == len(sides) == len(image_types)
        self.batches.append(len(inputs))
        found = []
        for pixels, side in zip(inputs, sides, strict=True):
            top = CODES[round(float(pixels.mean()) / 10) - 1]
            probabilities = {code: 0.65 if code == top else 0.05 for code in CODES}
            reasons = (Reason.TOO_SMALL,) if side < 64 else ()
            urgency = Urgency.CANNOT_ASSESS if reasons else Urgency.ROUTINE
            found.append(Assessment(top, probabilities, urgency, reasons, self.name, 0.1))
        return found


def stand_in() -> Engine:
    return cast("Engine", BrightnessEngine())


def grey(level: int, side: int = 64) -> bytes:
    return encode(Image.new("RGB", (side, side), (level, level, level)))


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
    folder = folder_of(tmp_path, {f"{i}.png": CODES[i % 8] for i in range(BATCH_SIZE * 2 + 3)})
    labels = labelled({str(i): CODES[i % 8] for i in range(BATCH_SIZE * 2 + 3)})
    engine = BrightnessEngine()
    results = run(cast("Engine", engine), folder, labels)
    assert engine.batches == [BATCH_SIZE, BATCH_SIZE, 3]
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
    scored, kept = evaluation.in_view(VIEW["4"], probabilities, ["nv"])
    assert kept == [0]
    assert scored.probabilities.tolist() == [[0.25] * 4]


def test_the_report_has_the_promised_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {f"{code}.png": code for code in CODES})
    labels = labelled({code: code for code in CODES})
    content: dict[str, Any] = report(stand_in(), labels, run(stand_in(), folder, labels))
    assert list(content["views"]) == ["8", "7", "4", "3", "2"]
    assert set(content) >= {
        *("release", "n", "unreadable", "unreadable_images", "views", "risk_coverage"),
        *("sensitivity_at_specificity", "refused", "ms_per_image"),
    }
    assert set(content["sensitivity_at_specificity"]) == {"0.80", "0.90", "ci", "suspicious"}
    assert content["sensitivity_at_specificity"]["suspicious"] == 4  # ak, bcc, mel and scc, one each
    common = {"n", "classes", "accuracy", "balanced_accuracy", "macro_auc", "per_class", "confusion"}
    common |= {"ece", "ci"}
    for name, view in content["views"].items():
        assert set(view) == common | ({"top3_accuracy"} if name in {"8", "7"} else set())
        assert set(view["per_class"]) == set(view["classes"])
        assert all(
            set(each) == {"recall", "precision", "f1", "auc", "support"}
            for each in view["per_class"].values()
        )
        assert np.array(view["confusion"]).shape == (len(view["classes"]),) * 2
    assert [content["views"][name]["n"] for name in ("8", "7", "4", "3", "2")] == [8, 8, 4, 4, 8]


def test_refusals_are_counted_by_reason(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": "nv", "b.png": "mel"})
    (folder / "small.png").write_bytes(grey(60, side=40))
    labels = labelled({"a": "nv", "b": "mel", "small": "nv", "gone": "nv"})
    content = report(stand_in(), labels, run(stand_in(), folder, labels))
    assert content["refused"] == {"share": pytest.approx(1 / 3), "n": 1, "reasons": {"too_small": 1}}
    assert content["n"] == 3  # figures are over all readable images, the refused ones too


def test_intervals_resample_lesions_where_they_are_known(tmp_path: Path) -> None:
    # Ten images of one lesion say no more than one of them: resampled by lesion, they come and go together.
    rows = tuple((f"a{i}", "nv") for i in range(10)) + tuple((f"b{i}", "mel") for i in range(10))
    folder = folder_of(tmp_path, {f"{name}.png": "nv" for name, _ in rows})
    one = Labels(rows, allowed_views({"nv", "mel"}), tuple(["one"] * 10 + ["two"] * 10))
    many = Labels(rows, allowed_views({"nv", "mel"}))
    wide, narrow = (
        report(stand_in(), labels, run(stand_in(), folder, labels))["views"]["8"]["ci"]["accuracy"]
        for labels in (one, many)
    )
    assert wide == [0.0, 1.0]
    assert 0.2 < narrow[0] < 0.5 < narrow[1] < 0.8


def test_subgroups_by_the_columns_of_the_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": "nv", "b.png": "mel", "c.png": "nv"})
    csv = tmp_path / "labels.csv"
    csv.write_text("image_id,dx8,sex,age,other\na,nv,male,44.0,x\nb,mel,female,,y\nc,nv,male,80,z\nd,nv,,,\n")
    labels = read_labels(csv)
    content = report(stand_in(), labels, run(stand_in(), folder, labels), subgroups=True)
    assert {name: list(values) for name, values in content["subgroups"].items()} == {
        "sex": ["female", "male"],
        "age": ["30-44", "75+", "unknown"],
    }
    assert content["subgroups"]["sex"]["male"]["n"] == 2
    assert content["subgroups"]["sex"]["male"]["accuracy"] == 1.0


def test_metadata_add_to_the_answers_where_the_release_uses_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.png": "nv", "b.png": "nv"})
    csv = tmp_path / "labels.csv"
    csv.write_text("image_id,dx8,sex,age,localization\na,nv,male,44.0,back\nb,nv,,,unknown\n")
    labels = read_labels(csv)
    engine = BrightnessEngine()
    results = run(cast("Engine", engine), folder, labels)
    card = cast("Engine", engine).card
    with pytest.raises(ReleaseError, match="makes no use"):
        evaluation.metadata_of(card, labels)
    weights = {name: [0.0] * 8 for name in metadata.NAMES}
    weights["sex male"] = [0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    engine.card.raw["metadata"] = {"classes": list(CODES), "weights": weights}
    changed, known = evaluation.with_metadata(evaluation.metadata_of(card, labels), labels, results)
    assert known == {"age": 1, "sex": 1, "site": 1}
    with pytest.raises(DataError, match="no column age"):
        evaluation.metadata_of(card, labelled({"a": "nv"}))
    engine.card.raw["metadata"] = {"classes": list(CODES), "weights": {"sex male": [0.0] * 8}}
    with pytest.raises(ReleaseError, match="another version"):
        evaluation.metadata_of(card, labels)
    mel = CODES.index("mel")
    assert changed.probabilities[0, mel] > 3 * results.probabilities[0, mel]
    assert np.array_equal(changed.probabilities[1], results.probabilities[1])


def test_ages_of_the_isic_archive_are_ages(tmp_path: Path) -> None:
    csv = tmp_path / "labels.csv"
    csv.write_text("image,dx8,age_approx\na,nv,45\n")
    assert read_labels(csv).columns == {"age": ("45",)}


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            (folder / f"{i}.png").write_bytes(grey(10 * (i % 8 + 1), side=256))
        labels = labelled({str(i): CODES[i % 8] for i in range(count)})
        tracemalloc.start()
        try:
            run(stand_in(), folder, labels)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(40), peak(240)
    assert many - few < 200 * 1500  # bytes an image; its pixels at 32 px alone are 3072


def test_plots_are_deterministic_and_well_formed(tmp_path: Path) -> None:
    codes = {f"{code}{i}": code for code in CODES for i in range(3)}
    folder = folder_of(
        tmp_path, {f"{name}.png": ("nv" if "2" in name else code) for name, code in codes.items()}
    )
    labels = labelled(codes)
    results = run(stand_in(), folder, labels)
    content = report(stand_in(), labels, results)
    texts = figures.draw(labels, results, content)
    assert set(texts) == set(figures.NAMES)
    assert texts == figures.draw(labels, results, content)
    for text in texts.values():
        root = ElementTree.fromstring(text)  # noqa: S314  (our own text)
        assert root.tag.endswith("svg")
        assert "prefers-color-scheme: dark" in text
    nothing = labelled({"gone": "nv"})
    results = run(stand_in(), folder, nothing)
    assert set(figures.draw(nothing, results, report(stand_in(), nothing, results))) == set(figures.NAMES)


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
