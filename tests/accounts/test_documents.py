"""What is taken as a licence or a portrait, what is refused with which sentence, and who gets it back."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pypdfium2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts import documents, pdf
from accounts.models import DoctorApplication, User
from tests import images
from tests.accounts.licences import a_pdf, hand_in

Browse = Callable[[User], Client]


def upload(data: bytes, name: str = "licence.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, "application/pdf")


def test_a_pdf_is_kept_as_it_is() -> None:
    data = a_pdf(pages=2)
    assert documents.examine_document(upload(data)) == documents.ReceivedDocument("application/pdf", data)


@pytest.mark.parametrize(("fmt", "kind"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_the_content_decides_not_the_name(fmt: str, kind: str) -> None:
    data = images.encoded(images.picture(), fmt)
    received = documents.examine_document(upload(data, "letter.pdf"))
    assert received.content_type == kind
    assert Image.open(BytesIO(received.data)).format == fmt


def test_a_picture_loses_what_it_knows_about_its_maker() -> None:
    received = documents.examine_document(upload(images.rotated_jpeg(), "scan.jpg"))
    kept = Image.open(BytesIO(received.data))
    assert not kept.getexif()
    assert b"belongs to somebody" not in received.data
    assert kept.size == images.picture().size  # upright


def _truncated_pdf() -> bytes:
    return a_pdf()[:-40]


def _locked_pdf() -> bytes:
    """Names a password that nobody gives: the cipher is one that does not exist."""
    return a_pdf().replace(b"/Root", b"/Encrypt<</Filter/None/V 9>>/Root", 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"My licence, honestly.", "unknown_kind"),
        (b"<html><script>alert(1)</script>%PDF-1.7 startxref 0 %%EOF", "unknown_kind"),
        (b"MZ\x90\x00" + bytes(400), "unknown_kind"),
        (images.encoded(images.picture(), "WEBP"), "unknown_kind"),
        (b"%PDF-1.7\nnothing more", "damaged"),
        (_truncated_pdf(), "damaged"),
        (b"%PDF-1.7\n garbage \nstartxref\n0\n%%EOF", "unreadable_pdf"),
        (_locked_pdf(), "unreadable_pdf"),
        (a_pdf(pages=21), "too_many_pages"),
        (images.encoded(images.picture(), "JPEG")[:900], "damaged"),
        (images.bomb_png(), "damaged"),
        (images.encoded(images.picture((300, 150))), "too_small"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_document_is_refused_with_a_sentence(data: bytes, code: str) -> None:
    with pytest.raises(documents.FileRefused) as refusal:
        documents.examine_document(upload(data))
    assert refusal.value.code == code
    assert refusal.value.sentence.endswith(".")
    assert "%(" not in refusal.value.sentence


def test_the_limit_is_10_mb_exactly() -> None:
    fits = a_pdf(size=documents.MAX_BYTES)
    assert len(fits) == documents.MAX_BYTES
    assert documents.examine_document(upload(fits)).content_type == "application/pdf"
    with pytest.raises(documents.FileRefused, match="larger than 10 MB"):
        documents.examine_document(upload(b"%PDF-" + bytes(documents.MAX_BYTES)))


def test_a_lower_limit_of_the_platform_holds(settings: Any) -> None:
    settings.DERMA_MAX_UPLOAD_BYTES = 1024 * 1024
    with pytest.raises(documents.FileRefused, match="larger than 1 MB"):
        documents.examine_document(upload(b"%PDF-" + bytes(2 * 1024 * 1024)))


def test_a_photo_becomes_a_small_square() -> None:
    photo = Image.open(BytesIO(documents.examine_photo(upload(images.rotated_jpeg(), "me.jpg"))))
    assert (photo.format, photo.size) == ("JPEG", (documents.PHOTO_SIDE, documents.PHOTO_SIDE))
    assert not photo.getexif()


def test_a_pdf_is_no_photo() -> None:
    with pytest.raises(documents.FileRefused) as refusal:
        documents.examine_photo(upload(a_pdf()))
    assert refusal.value.code == "no_picture"


def test_a_page_is_shown_as_a_picture() -> None:
    page = Image.open(BytesIO(pdf.page_as_png(a_pdf(pages=2), 2)))
    assert page.format == "PNG"
    assert max(page.size) == 1600


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_SECONDS", 0.001)
    with pytest.raises(pdf.UnreadablePdf):
        pdf.count_pages(a_pdf())


# Who gets a document


@pytest.fixture
def application(frey: User) -> DoctorApplication:
    return hand_in(frey)


@pytest.mark.parametrize(
    ("who", "status"),
    [("frey", 200), ("eve", 200), ("chen", 404), ("alice", 404), (None, 302)],
)
def test_a_document_is_for_its_owner_and_administrators(
    browse: Browse,
    application: DoctorApplication,
    request: pytest.FixtureRequest,
    who: str | None,
    status: int,
) -> None:
    client = browse(request.getfixturevalue(who)) if who else Client()
    address = f"/settings/licence/documents/{application.public_id}/"
    response = client.get(address)
    assert response.status_code == status
    assert (a_pdf() == b"".join(response)) == (status == 200)


def test_its_pages_as_pictures_are_for_administrators(
    browse: Browse, application: DoctorApplication, frey: User, chen: User, eve: User
) -> None:
    address = f"/settings/licence/documents/{application.public_id}/pages/1/"
    assert browse(eve).get(address).headers["Content-Type"] == "image/png"
    assert browse(frey).get(address).status_code == 403
    assert browse(chen).get(address).status_code == 403
    assert Client().get(address).status_code == 302


def test_a_document_does_nothing_in_a_browser(
    browse: Browse, application: DoctorApplication, eve: User
) -> None:
    response = browse(eve).get(f"/settings/licence/documents/{application.public_id}/")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert b"".join(response) == a_pdf()


def test_pages_that_are_not_there_are_404(browse: Browse, application: DoctorApplication, eve: User) -> None:
    address = f"/settings/licence/documents/{application.public_id}/pages"
    for number in (0, 2, 21, 10**9):
        assert browse(eve).get(f"{address}/{number}/").status_code == 404


def test_the_stored_name_says_nothing(application: DoctorApplication) -> None:
    name = str(application.document.name)
    assert name.startswith("documents/")
    assert name.endswith(".pdf")
    assert "frey" not in name
    assert "licence" not in name


def test_pdfium_makes_what_these_tests_send() -> None:
    assert len(pypdfium2.PdfDocument(a_pdf(pages=3))) == 3
