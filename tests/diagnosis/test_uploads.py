"""Bad input gets a clear sentence; odd but good input works."""

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image

from accounts.models import User
from diagnosis.models import Analysis
from diagnosis.services import ConsentRequired, submit_analysis
from diagnosis.uploads import UploadRefused, examine
from ml_models import imaging
from tests import images

JPEG = images.encoded(images.picture(), "JPEG")

BAD = {
    "not an image": (b"Dear doctor, please look at my arm.", "not_an_image"),
    "a format that we do not take": (images.encoded(images.picture(), "BMP"), "unsupported_format"),
    "truncated": (JPEG[: len(JPEG) // 2], "truncated"),
    "zero bytes": (b"", "empty"),
    "a decompression bomb": (images.bomb_png(), "too_many_pixels"),
    "shorter side under 200 px": (images.encoded(images.picture((200, 150))), "too_small"),
    "narrower than 1:4": (images.encoded(images.picture((1000, 240))), "too_narrow"),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_a_sentence_and_leaves_nothing(
    alice: User, data: bytes, code: str
) -> None:
    with pytest.raises(UploadRefused) as refusal:
        submit_analysis(patient=alice, upload=images.upload(data))
    assert refusal.value.code == code
    assert refusal.value.sentence.endswith(".")
    assert not Analysis.objects.exists()


def test_a_file_over_the_limit_is_refused(alice: User, settings: object) -> None:
    settings.DERMA_MAX_UPLOAD_BYTES = 1000  # type: ignore[attr-defined]
    with pytest.raises(UploadRefused) as refusal:
        submit_analysis(patient=alice, upload=images.upload(JPEG))
    assert refusal.value.code == "too_large"


ODD = {
    "CMYK": images.encoded(images.picture().convert("CMYK"), "JPEG"),
    "palette": images.encoded(images.picture().convert("P"), "PNG"),
    "16-bit": images.sixteen_bit_png(),
    "RGBA": images.transparent_png(),
    "animated": images.animated_gif_as_webp(),
    "EXIF-rotated": images.rotated_jpeg(),
    "224 x 224": images.encoded(images.picture((224, 224))),
    "WebP": images.encoded(images.picture(), "WEBP"),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_an_odd_file_is_taken_and_looks_as_it_should(data: bytes) -> None:
    received = examine(data)
    with Image.open(io.BytesIO(received.image)) as stored:
        assert (stored.mode, stored.format) == ("RGB", "PNG")
        assert stored.size == (received.width, received.height)
        assert not stored.getexif()
        width, height = stored.size
        spot = stored.convert("L").getpixel((int(width * 0.35), int(height * 0.3)))
        ground = stored.convert("L").getpixel((int(width * 0.9), int(height * 0.9)))
    assert spot is not None
    assert ground is not None
    assert float(str(spot)) + 40 < float(str(ground)) < 250


def test_heic_is_taken() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    assert examine(images.encoded(images.picture(), "HEIF")).width == 300


def test_content_decides_and_not_the_name(alice: User) -> None:
    submission = submit_analysis(
        patient=alice, upload=images.upload(JPEG, name="spot.txt", content_type="text/plain")
    )
    assert submission.created


def test_position_and_remarks_are_not_stored(alice: User) -> None:
    data = images.rotated_jpeg()
    assert b"belongs to somebody" in data
    analysis = submit_analysis(patient=alice, upload=images.upload(data)).analysis
    for file in (analysis.image, analysis.thumbnail):
        with file.open("rb"):
            stored = file.read()
        assert b"belongs to somebody" not in stored
        with Image.open(io.BytesIO(stored)) as image:
            assert not image.getexif()
    assert re.fullmatch(r"images/\d{4}/\d\d/[0-9a-f]{32}\.png", str(analysis.image.name))


def test_where_memory_runs_out_the_picture_is_not_called_incomplete(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_little(source: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(imaging, "_to_rgb", too_little)
    with pytest.raises(MemoryError):  # the page of a failure on our side
        submit_analysis(patient=alice, upload=images.upload(images.encoded(images.picture())))


def test_without_consent_nothing_is_taken(carol: User) -> None:
    with pytest.raises(ConsentRequired):
        submit_analysis(patient=carol, upload=images.upload(JPEG))
    assert not Analysis.objects.exists()


def test_the_same_image_twice_is_one_analysis(
    alice: User, bob: User, submit: Callable[..., Analysis]
) -> None:
    first = submit(alice)
    again = submit_analysis(patient=alice, upload=images.upload(images.encoded(images.picture())))
    assert (again.analysis, again.created) == (first, False)
    assert submit(bob) != first  # another patient's is another analysis
