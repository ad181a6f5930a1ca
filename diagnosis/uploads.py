"""From the bytes that were received to an image that may be stored, or a refusal with a clear sentence."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from PIL import Image

from diagnosis import wording
from ml_models import imaging

MIN_SIDE = 200  # px
MAX_RATIO = 4
THUMBNAIL_SIDE = 320  # px


class UploadRefused(ValueError):
    """The file cannot be taken. `code` is stable, `sentence` is for the person."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.sentence = wording.upload_refusal(code)
        super().__init__(self.sentence)


class OversizeUpload(InMemoryUploadedFile):
    """Stands for a file over the limit: its size is known, its content was not kept."""


class BoundedUploadHandler(FileUploadHandler):
    """Keeps a file in memory up to the limit and counts, but does not keep, what comes after it."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.buffer = BytesIO()
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > settings.DERMA_MAX_UPLOAD_BYTES:
            self.buffer = BytesIO()
        else:
            self.buffer.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[bytes]":
        too_large = file_size > settings.DERMA_MAX_UPLOAD_BYTES
        self.buffer.seek(0)
        return (OversizeUpload if too_large else InMemoryUploadedFile)(
            file=self.buffer,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
        )


@dataclass(frozen=True)
class ReceivedImage:
    """A file that was taken: the hash of its bytes, and its canonical image and thumbnail, both encoded."""

    sha256: str
    image: bytes
    thumbnail: bytes
    width: int
    height: int


def read(upload: "UploadedFile[bytes]") -> bytes:
    """The bytes of an upload; UploadRefused if there are none or too many."""
    if (upload.size or 0) > settings.DERMA_MAX_UPLOAD_BYTES:
        raise UploadRefused("too_large")
    upload.seek(0)
    data: bytes = upload.read()
    if not data:
        raise UploadRefused("empty")
    return data


def fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def examine(data: bytes) -> ReceivedImage:
    """Decode, check and encode again without metadata; UploadRefused if it is no image that we can use."""
    try:
        image = imaging.canonicalise(data)
    except imaging.ImageError as error:
        raise UploadRefused(error.problem) from error
    short, long = sorted(image.size)
    if long > MAX_RATIO * short:
        raise UploadRefused("too_narrow")
    if short < MIN_SIDE:
        raise UploadRefused("too_small")
    return ReceivedImage(
        sha256=fingerprint(data),
        image=imaging.encode(image),
        thumbnail=_thumbnail(image),
        width=image.width,
        height=image.height,
    )


def _thumbnail(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    out = BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()
