"""From sign-up to result, as a patient does it, on a desk and on a phone, with and without JavaScript."""

import csv
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from ml_models.runtime import default_release
from tests.browser import axe, steps
from tests.browser.visits import DEVICES, Visits
from tests.processes.platform import Platform

TITLE = re.compile("(Urgent|Soon|Routine|Could not be assessed): Back")

pytestmark = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)


def find_in_history(page: Page) -> None:
    """The newest one stands in the list with its picture."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="My analyses").click()
    newest = page.get_by_role("main").get_by_role("listitem").first
    expect(newest.get_by_role("link", name="Back")).to_be_visible()
    thumbnail = newest.locator("img")
    expect(thumbnail).to_be_visible()
    expect(thumbnail).to_have_js_property("complete", True)
    expect(thumbnail).not_to_have_js_property("naturalWidth", 0)


def sign_out(page: Page) -> None:
    page.locator("summary", has_text="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Create an account")).to_be_visible()


def test_from_sign_up_to_result(site: Platform, visits: Visits, device: dict[str, Any]) -> None:
    page = visits.open(device=device)
    steps.sign_up(page)
    page.get_by_role("main").get_by_role("link", name="New analysis").click()
    steps.choose(page, steps.picture())
    expect(page.get_by_role("img", name="The picture that you chose")).to_be_visible()
    steps.answer(page)
    assert axe.violations(page) == []

    with site.standing_worker():
        steps.send(page)
        waiting = page.get_by_role("heading", name=steps.WAITING)
        expect(waiting).to_be_visible()
        page.reload()
        expect(waiting).to_be_visible()
        assert axe.violations(page) == []
        page.evaluate("window.sameDocument = true")
    steps.expect_result(page)
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    expect(page.get_by_role("status").filter(has_text=steps.HEADLINES)).to_have_count(1)
    expect(page).to_have_title(TITLE)
    assert axe.violations(page) == []

    page.reload()
    steps.expect_result(page)
    expect(page.get_by_role("img", name="The picture that you sent")).to_be_visible()
    expect(page.get_by_text(default_release(), exact=True)).to_be_visible()
    expect(page.get_by_text("Not validated on darker skin")).to_be_visible()
    steps.expect_all_values(page)
    find_in_history(page)
    sign_out(page)


def test_without_javascript(site: Platform, visits: Visits, device: dict[str, Any]) -> None:
    page = visits.open(device=device, java_script_enabled=False)
    steps.sign_up(page)
    page.get_by_role("main").get_by_role("link", name="New analysis").click()
    steps.choose(page, steps.picture())
    steps.answer(page)
    with site.standing_worker():
        steps.send(page)
        expect(page.get_by_role("heading", name=steps.WAITING)).to_be_visible()
        again = page.get_by_role("link", name="Look again")
        expect(again).to_be_visible()
        again.click()
        expect(page.get_by_role("heading", name=steps.WAITING)).to_be_visible()
    # The page also looks again by itself.
    steps.expect_result(page)
    steps.expect_all_values(page)
    find_in_history(page)
    sign_out(page)


def test_a_phone_photo_is_kept_for_a_doctor(visits: Visits, device: dict[str, Any]) -> None:
    page = visits.open("alice", device)
    page.goto("/analyses/new/")
    steps.choose(page, steps.picture())
    steps.answer(page, phone_photo=True)
    steps.send(page)
    verdict = page.get_by_role("heading", level=1, name="could not assess this image")
    expect(verdict).to_be_visible(timeout=steps.RESULT_TIMEOUT)
    expect(page.get_by_text("This does not mean that the spot is harmless.").first).to_be_visible()
    expect(page.get_by_text("taken without a dermatoscope").first).to_be_visible()
    # Not even folded.
    expect(page.get_by_text("Melanoma")).to_have_count(0)
    assert axe.violations(page) == []


def real_image() -> FilePayload | Path:
    root = os.environ.get("DERMA_DATA")
    if not root:
        pytest.skip("Set DERMA_DATA to the folder with ham10000/ to send a real image.")
    folder = Path(root) / "ham10000"
    with (folder / "metadata.csv").open(newline="") as table:
        rows = sorted(row["image_id"] for row in csv.DictReader(table) if row["split"] == "test")
    return next(path for row in rows if (path := folder / "images_224" / f"{row}.jpg").exists())


@pytest.mark.real_images
def test_a_real_image_becomes_a_result(visits: Visits, device: dict[str, Any]) -> None:
    chosen = real_image()
    page = visits.open("alice", device)
    page.goto("/analyses/new/")
    steps.choose(page, chosen)
    expect(page.get_by_role("img", name="The picture that you chose")).to_be_visible()
    steps.answer(page)
    steps.send(page)
    steps.expect_result(page)
    steps.expect_all_values(page)
