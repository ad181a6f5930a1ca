"""From the bytes of any upload to one canonical image, and from there to the network's input.

Upload, training, evaluation and prediction all come through `canonicalise` and `model_input`, so that the
network never sees two renderings of the same file.
"""

import io
from enum import StrEnum
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

pillow_heif.register_heif_opener()

MAX_SIDE = 2048
MAX_PIXELS = 50_000_000
MAX_RAW_SIDE = 20_000
ACCEPTED_FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "HEIF")

_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_OTHER_FORMATS = (
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"II*\x00"),
    (0, b"MM\x00*"),
    (0, b"%PDF"),
    (0, b"8BPS"),
    (0, b"\x00\x00\x01\x00"),
    (0, b"\x00\x00\x00\x0cjP"),
    (0, b"\x00\x00\x00\x0cJXL"),
    (0, b"\xff\x0a"),
    (0, b"<svg"),
    (4, b"ftyp"),
    (128, b"DICM"),
)


class ImageProblem(StrEnum):
    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too_many_pixels"


_SENTENCES = {
    ImageProblem.EMPTY: "The file is empty.",
    ImageProblem.NOT_AN_IMAGE: "The file is not an image.",
    ImageProblem.UNSUPPORTED_FORMAT: "The file is in a format other than JPEG, PNG, WebP or HEIC.",
    ImageProblem.TRUNCATED: "The image file is damaged or incomplete.",
    ImageProblem.TOO_MANY_PIXELS: "The image has too many pixels.",
}


class ImageError(ValueError):
    """The bytes cannot become a canonical image; `problem` says why."""

    def __init__(self, problem: ImageProblem) -> None:
        super().__init__(_SENTENCES[problem])
        self.problem = problem


def canonicalise(data: bytes) -> Image.Image:
    """sRGB uint8 image of the first frame, upright, alpha on white, longest side at most MAX_SIDE pixels.

    The content decides about the format, names do not matter. Raises ImageError, and MemoryError where the
    machine has too little left, which says nothing of the file.
    """
    if not data:
        raise ImageError(ImageProblem.EMPTY)
    source = _open(data)
    try:
        source.load()
        image = _to_rgb(source)
        orientation = _orientation(source)
        image = _to_srgb(_fit(image), source.info.get("icc_profile"))
        if orientation in _TRANSPOSE:
            image = image.transpose(_TRANSPOSE[orientation])
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged files
        raise ImageError(ImageProblem.TRUNCATED) from error
    finally:
        source.close()
    image.info = {}
    return image


def encode(image: Image.Image) -> bytes:
    """PNG without metadata, so that what is stored equals what was canonicalised."""
    buffer = io.BytesIO()
    clean = Image.fromarray(np.asarray(image.convert("RGB")))
    clean.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def model_input(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Centre square of a canonical image, resized with antialiasing: uint8 [size, size, 3]."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(square, dtype=np.uint8)


def _open(data: bytes) -> Image.Image:
    """The lazily opened file, its header checked against the limits before any pixel is decoded."""
    try:
        source = Image.open(io.BytesIO(data), formats=ACCEPTED_FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(data)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(ImageProblem.TOO_MANY_PIXELS) from error
    except MemoryError:
        raise
    except Exception as error:
        raise ImageError(ImageProblem.TRUNCATED) from error
    width, height = source.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_RAW_SIDE:
        source.close()
        raise ImageError(ImageProblem.TOO_MANY_PIXELS)
    return source


def _unidentified(data: bytes) -> ImageProblem:
    if data[:2] == b"\xff\xd8" or data[:8] == b"\x89PNG\r\n\x1a\n":
        return ImageProblem.TRUNCATED
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageProblem.TRUNCATED
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return ImageProblem.TRUNCATED
    head = data[:256]
    if any(head[at : at + len(magic)] == magic for at, magic in _OTHER_FORMATS):
        return ImageProblem.UNSUPPORTED_FORMAT
    if head.lstrip().startswith(b"<?xml") and b"<svg" in data[:4096]:
        return ImageProblem.UNSUPPORTED_FORMAT
    return ImageProblem.NOT_AN_IMAGE


def _to_rgb(source: Image.Image) -> Image.Image:
    if source.mode.startswith("I"):
        # Pillow's own conversion clips at 255, which turns a 16-bit image white.
        grey = np.asarray(source).astype(np.float64) / 257.0
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if source.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in source.info:
        layer = source.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return source.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that were meant: phones and tablets write Display P3, whose numbers look pale as sRGB."""
    if not profile:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if given.profile.xcolor_space.strip() != "RGB" or "sRGB" in (given.profile.profile_description or ""):
            return image
        converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except MemoryError:
        raise
    except Exception:  # a damaged profile must not cost the patient the picture
        return image
    return converted or image


def _orientation(source: Image.Image) -> Any:
    try:
        return source.getexif().get(_ORIENTATION_TAG)
    except MemoryError:
        raise
    except Exception:  # damaged EXIF must not cost the patient the picture
        return None


def _fit(image: Image.Image) -> Image.Image:
    longest = max(image.size)
    if longest <= MAX_SIDE:
        return image
    size = tuple(max(1, round(side * MAX_SIDE / longest)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
