"""Doctors' papers and photographs: from the bytes received to what may be kept, and out again."""

from dataclasses import dataclass
from io import BytesIO

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from accounts import pdf
from accounts.models import DoctorApplication
from ml_models import imaging

MAX_BYTES = 10 * 1024 * 1024
PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"
PHOTO_SIDE = 480  # px; shown at most at half of it
MIN_SIDE = 200  # px

_SENTENCES: dict[str, str | Promise] = {
    "empty": _("This file is empty. Choose it again."),
    "too_large": _("This file is larger than %(megabytes)s MB. Send a smaller one."),
    "unknown_kind": _("This file is not a PDF, a JPEG or a PNG, whatever its name says."),
    "damaged": _("This file is damaged or incomplete. Save it anew and send it again."),
    "unreadable_pdf": _(
        "This PDF cannot be opened: it is damaged or protected by a password. Save it anew without one."
    ),
    "too_many_pages": _("This PDF has more than %(pages)s pages. Send only those that show your licence."),
    "too_small": _("This picture is smaller than %(side)s pixels. Send a larger one."),
    "no_picture": _("This file is not a JPEG or PNG picture, whatever its name says."),
}


class FileRefused(ValueError):
    """The file cannot be taken. `code` is stable, `sentence` is for the person."""

    def __init__(self, code: str) -> None:
        self.code = code
        values = {"megabytes": _max_bytes() // 1024**2, "pages": pdf.MAX_PAGES, "side": MIN_SIDE}
        self.sentence = str(_SENTENCES[code]) % values
        super().__init__(self.sentence)


@dataclass(frozen=True)
class ReceivedDocument:
    """A document as it will be kept, and what it was recognised as."""

    content_type: str
    data: bytes


def _max_bytes() -> int:
    limit: int = settings.DERMA_MAX_UPLOAD_BYTES
    return min(MAX_BYTES, limit)


def _read(upload: "UploadedFile[bytes]") -> bytes:
    if (upload.size or 0) > _max_bytes():
        raise FileRefused("too_large")
    upload.seek(0)
    data: bytes = upload.read()
    if not data:
        raise FileRefused("empty")
    return data


def examine_document(upload: "UploadedFile[bytes]") -> ReceivedDocument:
    """A PDF as it is, or a picture encoded anew without metadata; FileRefused if it is neither."""
    data = _read(upload)
    if data.startswith(b"%PDF-"):
        return ReceivedDocument(PDF, _checked_pdf(data))
    kind = _kind_of_picture(data)
    if kind is None:
        raise FileRefused("unknown_kind")
    picture = _picture(data)
    out = BytesIO()
    if kind == PNG:
        picture.save(out, "PNG", optimize=True)
    else:
        picture.save(out, "JPEG", quality=90)
    return ReceivedDocument(kind, out.getvalue())


def examine_photo(upload: "UploadedFile[bytes]") -> bytes:
    """The middle square of a portrait as a JPEG without metadata; FileRefused if it is no picture."""
    data = _read(upload)
    if _kind_of_picture(data) is None:
        raise FileRefused("no_picture")
    picture = _picture(data)
    out = BytesIO()
    ImageOps.fit(picture, (PHOTO_SIDE, PHOTO_SIDE)).save(out, "JPEG", quality=88)
    return out.getvalue()


def _kind_of_picture(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    return PNG if data.startswith(b"\x89PNG\r\n\x1a\n") else None


def _picture(data: bytes) -> Image.Image:
    try:
        picture = imaging.canonicalise(data)
    except imaging.ImageError as error:
        raise FileRefused("damaged") from error
    if min(picture.size) < MIN_SIDE:
        raise FileRefused("too_small")
    return picture


def _checked_pdf(data: bytes) -> bytes:
    """A PDF begins with its version and ends with its mark, and opens without a password."""
    if b"startxref" not in data[-2048:] or b"%%EOF" not in data[-1024:]:
        raise FileRefused("damaged")
    try:
        pages = pdf.count_pages(data)
    except pdf.UnreadablePdf as error:
        raise FileRefused("unreadable_pdf") from error
    if pages > pdf.MAX_PAGES:
        raise FileRefused("too_many_pages")
    return data


def page_count(application: DoctorApplication) -> int:
    """How many pages of the document can be shown as pictures: none if it is a picture itself, or is lost."""
    if application.document_type != PDF:
        return 0
    try:
        with application.document.open("rb") as file:
            return pdf.count_pages(file.read())
    except (FileNotFoundError, pdf.UnreadablePdf):
        return 0


def document_page(application: DoctorApplication, number: int) -> bytes | None:
    """Page `number` of a PDF as PNG; None if there is no such page."""
    if application.document_type != PDF or not 1 <= number <= pdf.MAX_PAGES:
        return None
    try:
        with application.document.open("rb") as file:
            return pdf.page_as_png(file.read(), number)
    except (FileNotFoundError, pdf.UnreadablePdf):
        return None
