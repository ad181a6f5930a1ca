"""A patient decides: consents, takes a copy of everything along, and has it erased."""

import json
import re
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from tests import fhir
from tests.browser import axe, steps
from tests.browser.steps import PASSWORD
from tests.browser.visits import PHONE, Visits
from tests.processes.platform import Platform


def with_a_result(page: Page) -> str:
    """A new patient who has read a result; their address."""
    email = steps.sign_up(page)
    page.goto("/analyses/new/")
    steps.choose(page, steps.picture())
    steps.answer(page)
    steps.send(page)
    steps.expect_result(page)
    return email


def test_a_consent_is_withdrawn_and_given_again(visits: Visits) -> None:
    page = visits.open(device=PHONE)
    steps.sign_up(page)
    page.goto("/settings/consents/")
    page.get_by_role("link", name=re.compile("decide.*Analysis")).click()
    page.get_by_role("button", name="I agree to this").click()
    expect(page.get_by_role("status")).to_contain_text("Your consent is recorded")
    page.get_by_role("button", name="Withdraw my consent").click()
    expect(page.get_by_role("status")).to_contain_text("Your consent is withdrawn")
    expect(page.get_by_role("row")).to_have_count(2)
    assert axe.violations(page) == []
    page.goto("/analyses/new/")
    expect(page.get_by_label("I agree")).to_be_visible()


def test_a_copy_of_everything_and_then_nothing(visits: Visits, site: Platform) -> None:
    page = visits.open()
    email = with_a_result(page)

    page.goto("/settings/data/")
    page.get_by_role("button", name="Prepare a copy").click()
    ready = page.get_by_role("link", name="Download")
    expect(ready).to_be_visible(timeout=steps.RESULT_TIMEOUT)
    with page.expect_download() as download:
        ready.click()
    archive = ZipFile(BytesIO(Path(download.value.path()).read_bytes()))
    assert email in archive.read("index.html").decode()
    bundle = json.loads(archive.read("bundle.json"))
    assert fhir.errors(bundle) == []
    assert any(name.startswith("images/") for name in archive.namelist())
    assert axe.violations(page) == []

    page.get_by_role("link", name="See what would be erased").click()
    expect(page.get_by_role("listitem").filter(has_text="Analyses with their images")).to_contain_text("1")
    page.get_by_label("I understand").check()
    page.get_by_label("Your password").fill("not the password")
    with visits.expected("status of 422"):
        page.get_by_role("button", name="Erase my account for good").click()
        expect(page.get_by_role("alert").first).to_contain_text("Nothing was erased")
    page.get_by_label("I understand").check()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Erase my account for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The account is erased")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert axe.violations(page) == []
    [(left,)] = site.query(f"SELECT count(*) FROM accounts_user WHERE email = '{email}'")  # noqa: S608
    assert left == 0
