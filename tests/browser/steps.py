"""What a person does on the way from sign-up to result, found by the words on the page."""

import re
import uuid
from io import BytesIO
from itertools import count
from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from diagnosis import wording
from ml_models import synthetic
from ml_models.taxonomy import Urgency
from tests.browser.visits import EMAIL
from tests.processes.platform import Platform

PASSWORD = "a-lamp-by-the-window"
WAITING = "Your picture is being examined"
HEADLINES = re.compile("|".join(re.escape(wording.urgency_headline(urgency)) for urgency in Urgency))
RESULT_TIMEOUT = 240_000  # ms
_seeds = count(1)


def file(data: bytes, name: str = "spot.jpg", mime_type: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": mime_type, "buffer": data}


def picture(size: tuple[int, int] = (600, 450)) -> FilePayload:
    """A generated lesion that nobody has sent yet."""
    out = BytesIO()
    synthetic.lesion(next(_seeds), size).save(out, "JPEG", quality=90)
    return file(out.getvalue())


def sign_up(page: Page) -> str:
    """A new patient, who follows the link that the demo shows instead of a mail; their address."""
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label(EMAIL).fill(email)
    page.get_by_label("Your name").fill("Maximiliane Schiffahrtsgesellschaft")
    for number in range(2):
        page.get_by_label("Password").nth(number).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("link", name=re.compile("confirm-email")).click()
    expect(page.get_by_text(email)).to_be_visible()
    page.get_by_role("button", name="confirm").click()
    expect(page.get_by_role("heading", level=1, name="Hello")).to_be_visible()
    return email


def choose(page: Page, chosen: FilePayload | Path) -> None:
    """With the camera on a phone, from the files elsewhere; also right after a click that leads here."""
    expect(page.get_by_role("heading", level=1, name="New analysis")).to_be_visible()
    page.wait_for_load_state()
    way = "Take a picture" if page.get_by_text("Take a picture").is_visible() else "Choose a picture"
    page.get_by_label(way).set_input_files(chosen)


def answer(page: Page, *, phone_photo: bool = False) -> None:
    kind = "phone or camera" if phone_photo else "dermatoscope"
    page.get_by_role("radio", name=re.compile(kind)).check()
    page.get_by_label("Where on the body").select_option(label="Back")
    if (consent := page.get_by_label("I agree")).count():
        consent.check()


def send(page: Page) -> None:
    page.get_by_role("button", name="Send for analysis").click()


def expect_result(page: Page) -> None:
    expect(page.get_by_role("heading", level=1, name=HEADLINES)).to_be_visible(timeout=RESULT_TIMEOUT)


def unfold(page: Page) -> None:
    """Open everything on a whole page."""
    page.wait_for_load_state()
    for fold in page.get_by_role("main").locator("summary").all():
        fold.click()


def expect_all_values(page: Page) -> None:
    """All eight, as bars and as a table, folded or not."""
    unfold(page)
    expect(page.get_by_role("main").get_by_role("row")).to_have_count(1 + 8)
    for name in ("Melanoma", "Vascular lesion"):
        expect(page.get_by_role("listitem").filter(has_text=name)).to_be_visible()


def analyses(site: Platform) -> int:
    [(number,)] = site.query("SELECT count(*) FROM diagnosis_analysis")
    assert isinstance(number, int)
    return number
