"""The serving side: light to import, verified at load, and equal to what was released."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ml_models import release, runtime, synthetic
from ml_models.imaging import canonicalise, encode, model_input
from ml_models.runtime import (
    Engine,
    GoldenMismatchError,
    Outputs,
    ReleaseError,
    default_release,
    read_card,
    release_path,
)
from ml_models.taxonomy import CODES, ImageType, Reason, Urgency

DERMATOSCOPIC = ImageType.DERMATOSCOPIC
Change = Callable[[dict[str, Any]], None]


def edit(path: Path, change: Change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def sign_again(path: Path) -> None:
    """Makes a spoiled copy's hashes agree, as somebody would who builds a release by hand."""
    release.seal(path, json.loads((path / "card.json").read_text()))


def test_the_serving_side_imports_no_tensorflow() -> None:
    code = (
        "import sys; from ml_models import cli, imaging, runtime, synthetic, taxonomy;"
        "runtime.read_card(runtime.release_path(runtime.default_release()));"
        "print([name for name in ('tensorflow', 'keras', 'django') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_release_is_small_complete_and_names_no_place() -> None:
    path = release_path(default_release())
    card = release.verify(path)
    assert card.name == path.name
    files = [file for file in path.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 30_000_000
    for file in files:
        content = file.read_bytes()
        assert not any(word in content for word in (b"/work/", b"/home/", b"/root/", b"/tmp/")), file


def test_the_card_is_complete() -> None:
    card = read_card(release_path(default_release()))
    assert "CC BY-NC 4.0" in card.licence
    assert "HAM10000" in card.trained_on
    assert any("Fitzpatrick IV-VI" in limit for limit in card.limits)
    assert set(card.raw["training"]) >= {"command", "seed", "data_fingerprint"}
    assert 0.0 < card.thresholds.soon <= card.thresholds.urgent < 1.0
    assert 0.25 <= card.temperature <= 4.0


@pytest.mark.real_images
@pytest.mark.tensorflow
def test_real_images_are_assessed(engine: Engine, real_data: Path) -> None:
    files = sorted((real_data / "ham10000" / "images_600").glob("*.jpg"))[:4]
    images = [canonicalise(file.read_bytes()) for file in files]
    assert [image.size for image in images] == [(600, 450)] * 4
    results = engine.assess(images, [DERMATOSCOPIC] * 4)
    assert all(sum(result.probabilities.values()) == pytest.approx(1.0) for result in results)


def test_the_card_meets_the_floors() -> None:
    figures = read_card(release_path(default_release())).metrics["test"]["views"]["7"]
    assert figures["n"] == 1505
    assert figures["accuracy"] >= 0.75
    assert figures["balanced_accuracy"] >= 0.65


@pytest.mark.parametrize("name", ["", ".", "..", "../releases", "none", "a/b"])
def test_names_that_are_no_release(name: str) -> None:
    with pytest.raises(ReleaseError, match="in ml_models/releases") as caught:
        release_path(name)
    assert str(release.RELEASES) not in str(caught.value)  # health tells it to anybody


def test_without_a_default_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "RELEASES", tmp_path)
    with pytest.raises(ReleaseError, match="no default release"):
        default_release()
    (tmp_path / "DEFAULT").write_text("\n")
    with pytest.raises(ReleaseError, match="empty"):
        default_release()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda card: card.update(classes=[*reversed(CODES)]), "has the classes"),
        (lambda card: card.update(classes=list(CODES[:-1])), "has the classes"),
        (lambda card: card["input"].update(scaling="x / 255"), "another way"),
        (lambda card: card["input"].update(geometry="stretched"), "another way"),
        (lambda card: card["input"].update(size=[160, 120]), "malformed"),
        (lambda card: card.update(format=99), "format 99"),
        (lambda card: card.pop("thresholds"), "malformed"),
        (lambda card: card.update(temperature="warm"), "malformed"),
        (lambda card: card["thresholds"]["soon"].update(value=float("nan")), "malformed"),
        (lambda card: card["thresholds"]["soon"].update(value=0.99), "malformed"),  # above urgent
        (lambda card: card["thresholds"]["entropy"].update(value=-1), "malformed"),
        (lambda card: card["thresholds"]["urgent"].update(value=0.99), "The card of the release"),
        (lambda card: card["quality"]["limits"].update(focus=-9.0), "The card of the release"),
        (lambda card: card["explanation"].update(shown=not card["explanation"]["shown"]), "The card of the"),
        (lambda card: card["files"].pop("golden.json"), "golden.json"),
        (lambda card: card["files"].update({"more.bin": {"size": 1, "sha256": "0"}}), "lacks its file"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(release_copy: Path, change: Change, complaint: str) -> None:
    edit(release_copy / "card.json", change)
    with pytest.raises(ReleaseError, match=complaint) as caught:
        release.verify(release_copy)
    assert "\n" not in str(caught.value)


def test_files_that_changed_are_refused(release_copy: Path) -> None:
    model = release_copy / "saved_model" / "saved_model.pb"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(ReleaseError, match="not the one that was released"):
        Engine.load(release_copy)


def test_missing_and_added_files_are_refused(release_copy: Path) -> None:
    (release_copy / "saved_model" / "extra.txt").write_text("more")
    with pytest.raises(ReleaseError, match=r"does not list: saved_model/extra\.txt"):
        release.verify(release_copy)
    (release_copy / "saved_model" / "extra.txt").unlink()
    (release_copy / "golden.json").unlink()
    with pytest.raises(ReleaseError, match=r"lacks its file golden\.json"):
        release.verify(release_copy)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(
    release_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", is_denied)
    with pytest.raises(
        ReleaseError, match=r"^The file domain\.npz of the release in the folder release cannot"
    ):
        release.verify(release_copy)


def test_a_folder_that_is_no_release_or_has_a_broken_card(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=f"^The folder {tmp_path.name} is no release"):
        read_card(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ReleaseError, match="cannot be read"):
        read_card(tmp_path)
    (tmp_path / "card.json").write_text("[]")
    with pytest.raises(ReleaseError, match="malformed"):
        read_card(tmp_path)


@pytest.mark.tensorflow
def test_a_graph_that_does_not_load_is_refused_in_a_sentence(release_copy: Path) -> None:
    (release_copy / "saved_model" / "saved_model.pb").write_bytes(b"\x08\x01not a graph")
    sign_again(release_copy)
    with pytest.raises(ReleaseError, match="cannot be loaded"):
        Engine.load(release_copy)


@pytest.mark.tensorflow
def test_a_graph_for_another_size_is_refused(release_copy: Path) -> None:
    edit(release_copy / "card.json", lambda card: card["input"].update(size=[128, 128]))
    sign_again(release_copy)
    with pytest.raises(ReleaseError, match="takes another input"):
        Engine.load(release_copy)


@pytest.mark.tensorflow
def test_golden_probabilities_hold(engine: Engine) -> None:
    engine.check_golden()


@pytest.mark.tensorflow
def test_golden_probabilities_catch_another_class_order_and_another_scaling(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Engine.outputs

    def rolled(self: Engine, inputs: Any) -> Outputs:
        outputs = honest(self, inputs)
        return replace(outputs, probabilities=np.roll(outputs.probabilities, 1, axis=1))

    monkeypatch.setattr(Engine, "outputs", rolled)
    with pytest.raises(GoldenMismatchError, match="is off by"):
        engine.check_golden()
    monkeypatch.setattr(Engine, "outputs", lambda self, inputs: honest(self, inputs // 2))
    with pytest.raises(GoldenMismatchError):
        engine.check_golden()


@pytest.mark.tensorflow
def test_a_batch_gives_what_single_images_give(engine: Engine) -> None:
    images = [synthetic.lesion(seed, size) for seed, size in enumerate([(600, 450), (224, 224), (200, 800)])]
    together = engine.assess(images, [DERMATOSCOPIC] * 3)
    for image, result in zip(images, together, strict=True):
        alone = engine.assess([image], [DERMATOSCOPIC])[0]
        assert list(alone.probabilities) == list(CODES)
        assert alone.probabilities == pytest.approx(result.probabilities, abs=1e-5)
        assert sum(alone.probabilities.values()) == pytest.approx(1.0)
        assert alone.top == max(alone.probabilities, key=lambda code: alone.probabilities[code])
        assert alone.release == engine.name
        assert engine.assess([image], [DERMATOSCOPIC])[0] == alone


@pytest.mark.tensorflow
def test_phone_photos_keep_their_probabilities(engine: Engine) -> None:
    image = synthetic.lesion(3)
    as_phone, as_dermatoscopic = engine.assess([image, image], [ImageType.PHONE, DERMATOSCOPIC])
    assert (as_phone.urgency, as_phone.reasons) == (Urgency.CANNOT_ASSESS, (Reason.PHONE_PHOTO,))
    assert as_phone.probabilities == pytest.approx(as_dermatoscopic.probabilities)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "path", sorted(p for p in release.RELEASES.iterdir() if p.is_dir()), ids=lambda p: p.name
)
def test_every_release_of_the_tree_runs(path: Path) -> None:
    engine = Engine.load(path)
    engine.check_golden()
    result = engine.assess([synthetic.lesion(1)], [DERMATOSCOPIC])[0]
    assert np.isfinite(result.domain)
    assert (result.maps is not None) == engine.card.explained


def test_there_are_at_most_two_releases() -> None:
    assert 1 <= sum(path.is_dir() for path in release.RELEASES.iterdir()) <= 2


@pytest.mark.tensorflow
def test_maps_are_what_the_probabilities_are_made_of(engine: Engine) -> None:
    result = engine.assess([synthetic.lesion(5)], [DERMATOSCOPIC])[0]
    assert result.maps is not None
    assert list(result.maps) == list(CODES)
    logits = np.array([np.mean(result.maps[code]) for code in CODES])
    powers = np.exp(logits - logits.max())
    assert powers / powers.sum() == pytest.approx([result.probabilities[code] for code in CODES], abs=0.005)
    json.dumps(result.maps)


@pytest.mark.tensorflow
def test_pictures_that_cannot_be_assessed_keep_their_probabilities_and_say_why(engine: Engine) -> None:
    image = synthetic.lesion(1)
    spoiled = {
        Reason.TOO_DARK: image.point(lambda value: value * 0.2),
        Reason.BLURRED: image.filter(ImageFilter.GaussianBlur(20)),
        Reason.TOO_SMALL: image.resize((80, 60)),
        Reason.NOT_A_LESION: Image.new("RGB", (400, 300), (190, 150, 140)),
    }
    for reason, picture in spoiled.items():
        result = engine.assess([picture], [DERMATOSCOPIC])[0]
        assert result.urgency is Urgency.CANNOT_ASSESS
        assert reason in result.reasons
        assert sum(result.probabilities.values()) == pytest.approx(1.0)
    as_phone = engine.assess([spoiled[Reason.TOO_DARK]], [ImageType.PHONE])[0]
    assert as_phone.reasons == (Reason.PHONE_PHOTO,)


@pytest.mark.tensorflow
@pytest.mark.real_images
def test_ordinary_photos_are_refused_and_lesions_are_not(engine: Engine, real_data: Path) -> None:
    # The domain was learnt from the photos between these.
    photos = sorted((real_data / "ood").glob("*.jpg"))[1::2]
    lesions = sorted((real_data / "ham10000" / "images_600").glob("*.jpg"))[::6]
    shares = []
    for files in (photos, lesions):
        images = [canonicalise(file.read_bytes()) for file in files]
        results = engine.assess(images, [DERMATOSCOPIC] * len(images))
        # By what they show, and not because the answer happens to be doubtful.
        shares.append(np.mean([bool(set(result.reasons) - {Reason.UNCERTAIN}) for result in results]))
    assert shares[0] >= 0.95
    assert shares[1] <= 0.04


@pytest.mark.tensorflow
def test_many_images_are_never_at_work_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.stack([model_input(synthetic.lesion(seed), engine.card.size) for seed in range(3)])
    whole, signature = engine.outputs(inputs), engine._signature
    seen: list[int] = []

    def watched(images: Any) -> Any:
        seen.append(len(images))
        return signature(images=images)

    monkeypatch.setattr(engine, "_signature", watched)
    monkeypatch.setattr(runtime, "BATCH_SIZE", 2)
    parts = engine.outputs(inputs)
    assert seen == [2, 1]
    for mine, other in zip(astuple(parts), astuple(whole), strict=True):
        assert np.allclose(mine, other, atol=1e-4)


@pytest.mark.tensorflow
def test_no_image_gives_no_result_and_a_type_is_needed_for_each(engine: Engine) -> None:
    assert engine.assess([], []) == []
    with pytest.raises(ValueError, match="one image type"):
        engine.assess([synthetic.lesion(1)], [])


@pytest.mark.tensorflow
def test_storing_the_canonical_image_does_not_change_the_result(engine: Engine) -> None:
    image = synthetic.lesion(11, (900, 700))
    stored = canonicalise(encode(image))
    assert np.array_equal(model_input(stored, 160), model_input(image, 160))
    assert engine.assess([stored], [DERMATOSCOPIC]) == engine.assess([image], [DERMATOSCOPIC])


def test_generated_images_are_repeatable_and_different() -> None:
    assert synthetic.lesion(5).tobytes() == synthetic.lesion(5).tobytes()
    assert synthetic.lesion(5).tobytes() != synthetic.lesion(6).tobytes()
    assert synthetic.lesion(5, (320, 200)).size == (320, 200)
