"""Whatever arrives becomes one canonical image, or one ImageError."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ml_models import imaging, synthetic
from ml_models.imaging import (
    MAX_SIDE,
    ImageError,
    ImageProblem,
    canonicalise,
    encode,
    model_input,
)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def sample(size: tuple[int, int] = (300, 200)) -> Image.Image:
    return synthetic.lesion(7, size)


def gap(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def png_header_of(width: int, height: int) -> bytes:
    """A valid PNG head that promises width x height pixels and holds none."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + body
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(b"")
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
    )


def problem_of(data: bytes) -> ImageProblem:
    with pytest.raises(ImageError) as caught:
        canonicalise(data)
    return caught.value.problem


@pytest.mark.parametrize(
    ("file_format", "options", "limit"),
    [
        ("PNG", {}, 0.0),
        ("JPEG", {"quality": 95}, 3.0),
        ("WEBP", {"quality": 95}, 4.0),
        ("WEBP", {"lossless": True}, 0.0),
        ("HEIF", {"quality": 95}, 4.0),
    ],
)
def test_accepted_formats(file_format: str, options: dict[str, object], limit: float) -> None:
    image = canonicalise(saved(sample(), file_format, **options))
    assert (image.mode, image.size) == ("RGB", (300, 200))
    assert gap(image, sample()) <= limit


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda image: saved(image.convert("CMYK"), "JPEG", quality=95), 4.0),
        (lambda image: saved(image.quantize(256), "PNG"), 6.0),
        (lambda image: saved(image.convert("RGBA"), "PNG"), 0.0),
        (lambda image: saved(image, "PNG", transparency=(1, 2, 3)), 0.0),
        (
            lambda image: saved(
                image, "WEBP", save_all=True, append_images=[image.rotate(180)], lossless=True
            ),
            0.0,
        ),
        (lambda image: saved(image, "PNG", save_all=True, append_images=[image.rotate(180)]), 0.0),
    ],
    ids=["cmyk", "palette", "rgba", "transparent colour", "animated webp", "animated png"],
)
def test_colour_modes_and_frames_give_the_same_picture(
    make: Callable[[Image.Image], bytes], limit: float
) -> None:
    image = canonicalise(make(sample()))
    assert image.mode == "RGB"
    assert gap(image, sample()) <= limit


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    grey = np.linspace(0, 65535, 200 * 300).reshape(200, 300)
    stored = saved(Image.fromarray(grey.astype(np.uint16)), "PNG")
    image = canonicalise(stored)
    expected = np.rint(grey.astype(np.uint16) / 257.0)
    assert np.array_equal(np.asarray(image)[..., 1], expected.astype(np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_modes(mode: str) -> None:
    assert canonicalise(saved(sample().convert(mode), "PNG")).mode == "RGB"


def test_transparency_shows_white() -> None:
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    assert canonicalise(saved(clear, "PNG")).getpixel((5, 5)) == (255, 255, 255)
    palette = Image.new("P", (40, 30), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    assert canonicalise(saved(palette, "PNG", transparency=bytes([255, 0]))).getpixel((5, 5)) == (
        255,
        255,
        255,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, file_format: str) -> None:
    upright = Image.new("RGB", (64, 32), "white")
    upright.paste((200, 0, 0), (0, 0, 32, 16))
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = canonicalise(saved(stored, file_format, exif=exif))
    assert image.size == (64, 32)
    assert gap(image, upright) < 4.0
    assert not image.getexif()


def test_broken_exif_does_not_refuse_the_picture() -> None:
    assert canonicalise(saved(sample(), "JPEG", exif=b"Exif\x00\x00broken")).size == (300, 200)


def test_large_images_come_down_to_the_longest_side() -> None:
    image = canonicalise(saved(sample().resize((3000, 1500)), "JPEG"))
    assert image.size == (MAX_SIDE, MAX_SIDE // 2)


def test_canonicalising_what_was_stored_changes_nothing() -> None:
    once = canonicalise(saved(sample().resize((2500, 1900)), "JPEG"))
    stored = encode(once)
    again = canonicalise(stored)
    assert np.array_equal(np.asarray(once), np.asarray(again))
    assert encode(again) == stored


def test_what_is_stored_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    image = canonicalise(saved(sample(), "JPEG", exif=exif, comment=b"Secret comment"))
    assert b"Secret" not in encode(image)
    assert Image.open(io.BytesIO(encode(image))).info == {}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", ImageProblem.EMPTY),
        (b"a" * 5000, ImageProblem.NOT_AN_IMAGE),
        (b"<html><img src='x.png'></html>", ImageProblem.NOT_AN_IMAGE),
        (b"%PDF-1.7 ...", ImageProblem.UNSUPPORTED_FORMAT),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', ImageProblem.UNSUPPORTED_FORMAT),
        (b"\x89PNG\r\n\x1a\n", ImageProblem.TRUNCATED),
        (b"\xff\xd8\xff", ImageProblem.TRUNCATED),
    ],
)
def test_bytes_that_are_no_image(data: bytes, problem: ImageProblem) -> None:
    assert problem_of(data) is problem


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_named_as_such(file_format: str) -> None:
    assert problem_of(saved(sample(), file_format)) is ImageProblem.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(file_format: str, share: float) -> None:
    whole = saved(sample(), file_format)
    assert problem_of(whole[: int(len(whole) * share)]) is ImageProblem.TRUNCATED


@pytest.mark.parametrize(
    "size", [(8000, 8000), (25_000, 10), (10, 25_000), (100_000, 100_000), (40_000, 40_000)]
)
def test_absurd_dimensions_are_refused_from_the_header(size: tuple[int, int]) -> None:
    assert problem_of(png_header_of(*size)) is ImageProblem.TOO_MANY_PIXELS


@settings(max_examples=150)
@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "WEBP", "HEIF", ""]), st.integers(0, 3000))
def test_damaged_files_raise_nothing_but_image_errors(noise: bytes, file_format: str, at: int) -> None:
    data = saved(sample((64, 48)), file_format) if file_format else b""
    at = min(at, len(data))
    damaged = data[:at] + noise + data[at + len(noise) :]
    try:
        image = canonicalise(damaged)
    except ImageError:
        return
    assert image.mode == "RGB"


def test_the_model_sees_the_centre_square() -> None:
    wide = Image.new("RGB", (300, 100), "white")
    wide.paste((10, 20, 30), (100, 0, 200, 100))
    pixels = model_input(wide, 50)
    assert pixels.shape == (50, 50, 3)
    assert pixels.dtype == np.uint8
    # The filter reaches a little beyond the square's edge, so only the rim may know of the white.
    assert np.array_equal(np.unique(pixels[:, 2:-2].reshape(-1, 3), axis=0), [[10, 20, 30]])
    assert pixels.max() < 60


def test_shrinking_averages_instead_of_skipping() -> None:
    board = np.indices((640, 640)).sum(axis=0) % 2 * 255
    pixels = model_input(Image.fromarray(board.astype(np.uint8)).convert("RGB"), 160)
    assert np.abs(pixels.astype(int) - 128).max() < 12


@given(st.integers(64, 700), st.integers(64, 700))
@settings(max_examples=20)
def test_every_shape_gives_the_same_input_shape(width: int, height: int) -> None:
    assert model_input(Image.new("RGB", (width, height)), 32).shape == (32, 32, 3)


def display_p3() -> bytes:
    """A small ICC profile: the primaries of Display P3, adapted to D50, and a gamma of 2.2."""
    description = b"desc" + bytes(4) + struct.pack(">I", 11) + b"Display P3\0" + bytes(78)
    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    colours = {
        b"wtpt": (0.9642, 1.0, 0.8249),
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    values = {b"desc": description} | {
        name: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * part) for part in xyz))
        for name, xyz in colours.items()
    }
    values |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma)
    table, body, start = b"", b"", 128 + 4 + 12 * len(values)
    for name, value in values.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(values)) + table + body


def with_profile(colour: tuple[int, int, int], profile: bytes) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "PNG", icc_profile=profile)
    pixels: NDArray[np.uint8] = np.asarray(canonicalise(buffer.getvalue()))[24, 32]
    return pixels


def test_colours_of_a_phone_are_those_that_were_meant() -> None:
    """A reddish brown in Display P3 has a larger number for red in sRGB; grey stays grey."""
    red, green, blue = (int(part) for part in with_profile((180, 100, 80), display_p3()))
    assert red > 185
    assert green < 100
    assert blue < 80
    assert np.ptp(with_profile((128, 128, 128), display_p3())) <= 1


@pytest.mark.parametrize("profile", [b"no profile", display_p3()[:200], b""])
def test_a_damaged_profile_does_not_cost_the_picture(profile: bytes) -> None:
    assert with_profile((180, 100, 80), profile).tolist() == [180, 100, 80]


def test_srgb_is_left_as_it_is() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert with_profile((181, 99, 77), profile).tolist() == [181, 99, 77]


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (Image, "open"),
        (imaging, "_to_rgb"),
        (ImageCms, "profileToProfile"),
        (Image.Image, "getexif"),
    ],
)
def test_too_little_memory_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    data = saved(sample(), "PNG", icc_profile=display_p3())

    def too_little(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr(owner, step, too_little)
    with pytest.raises(MemoryError):
        canonicalise(data)
