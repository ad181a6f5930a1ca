"""Images in every shape that people send, generated: none of them shows anybody."""

from io import BytesIO
from typing import Any

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def picture(size: tuple[int, int] = (300, 240), seed: int = 0) -> Image.Image:
    """A skin-coloured ground with a dark spot left above the middle, so that turning it is seen."""
    width, height = size
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width * 0.35, y - height * 0.3) / (min(size) * 0.25)
    spot = np.clip(1.2 - distance, 0, 1)[..., None]
    skin = np.array([225, 180, 160]) + generator.normal(0, 4, (height, width, 1))
    pixels = skin * (1 - spot) + np.array([90, 55, 45]) * spot
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, fmt: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def upload(data: bytes, name: str = "spot.png", content_type: str = "image/png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type)


def rotated_jpeg() -> bytes:
    """Stored on its side, with EXIF that says so and with a GPS position."""
    image = picture().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90° clockwise to display"
    exif[0x010E] = "belongs to somebody"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return encoded(image, "JPEG", exif=exif, quality=95)


def animated_gif_as_webp() -> bytes:
    frames = [picture(seed=1), picture(seed=2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100)


def sixteen_bit_png() -> bytes:
    grey = np.asarray(picture().convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey), "PNG")


def transparent_png() -> bytes:
    image = picture().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 200))
    return encoded(image, "PNG")


def bomb_png() -> bytes:
    """A header that promises 40,000 by 40,000 pixels."""
    data = bytearray(encoded(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)
