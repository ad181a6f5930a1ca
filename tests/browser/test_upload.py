"""What can go wrong at the form."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser import axe, steps
from tests.browser.visits import PHONE, Visits
from tests.processes.platform import Platform

BAD_FILES: dict[str, tuple[Callable[[], FilePayload], str]] = {
    "a text": (
        lambda: steps.file(b"Dear doctor,", "letter.txt", "text/plain"),
        "JPEG, PNG, WebP or HEIC format",
    ),
    "a text called a photo": (lambda: steps.file(b"Dear doctor,"), "This file is not a picture"),
    "too small": (lambda: steps.picture((190, 180)), "too small"),
    "empty": (lambda: steps.file(b""), "This file is empty"),
    "cut off": (lambda: steps.file(steps.picture()["buffer"][:9_000]), "incomplete"),
}
bad_files = pytest.mark.parametrize(("bad", "sentence"), BAD_FILES.values(), ids=BAD_FILES)


def expect_answers_kept(page: Page) -> None:
    expect(page.get_by_role("radio", name="dermatoscope")).to_be_checked()
    expect(page.get_by_label("Where on the body")).to_have_value("back")


def problem_summary(page: Page) -> str:
    """The text of the summary, which holds the focus."""
    summary = page.get_by_role("alert").filter(has_text="Something is missing")
    expect(summary).to_be_focused()
    return summary.inner_text()


@bad_files
def test_a_bad_file_gets_a_sentence_at_the_field(
    site: Platform, visits: Visits, bad: Callable[[], FilePayload], sentence: str
) -> None:
    before = steps.analyses(site)
    page = visits.open("bob")
    page.goto("/analyses/new/")
    steps.answer(page)
    steps.choose(page, bad())
    field = page.get_by_role("group", name="The picture")
    refused = field.get_by_role("alert").filter(has_text=sentence)
    chosen = page.get_by_role("button", name="Take another")
    expect(refused.or_(chosen)).to_be_visible()
    refused_at_once = refused.is_visible()
    with visits.expected("status of 422"):
        steps.send(page)
        summary = problem_summary(page)
    said = "Choose a picture, or take one." if refused_at_once else sentence
    assert said in summary
    expect(field.get_by_text(said)).to_be_visible()
    expect_answers_kept(page)
    assert axe.violations(page) == []

    # And it goes on from here.
    steps.choose(page, steps.picture())
    steps.send(page)
    steps.expect_result(page)
    assert steps.analyses(site) == before + 1


@bad_files
def test_the_server_says_it_too(visits: Visits, bad: Callable[[], FilePayload], sentence: str) -> None:
    page = visits.open("bob", java_script_enabled=False)
    page.goto("/analyses/new/")
    steps.answer(page)
    steps.choose(page, bad())
    with visits.expected("status of 422"):
        steps.send(page)
        said = page.get_by_text(sentence)
        expect(said.first).to_be_visible()
    expect(page.get_by_role("group", name="The picture").get_by_text(sentence).last).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text=sentence).first).to_be_visible()
    expect_answers_kept(page)


def test_an_empty_form_says_what_is_missing_and_leads_there(visits: Visits) -> None:
    page = visits.open("bob", PHONE)
    page.goto("/analyses/new/")
    with visits.expected("status of 422"):
        steps.send(page)
        summary = problem_summary(page)
    for missing in ("Choose a picture", "How was the picture taken?", "Where on the body"):
        assert missing in summary
    page.get_by_role("alert").get_by_role("link", name="Where on the body").click()
    expect(page.get_by_label("Where on the body")).to_be_focused()
    assert axe.violations(page) == []


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_sending_twice_makes_one_analysis(site: Platform, visits: Visits, javascript: bool) -> None:
    before = steps.analyses(site)
    chosen = steps.picture()
    page = visits.open("bob", java_script_enabled=javascript)

    page.goto("/analyses/new/")
    steps.choose(page, chosen)
    steps.answer(page)
    page.get_by_role("button", name="Send for analysis").dblclick()
    steps.expect_result(page)
    result = page.url
    assert steps.analyses(site) == before + 1

    # The same picture again.
    page.goto("/analyses/new/")
    steps.choose(page, chosen)
    steps.answer(page)
    steps.send(page)
    expect(page.get_by_text("You sent this picture before")).to_be_visible()
    assert page.url == result

    # Back, and once more.
    page.go_back()
    expect(page.get_by_role("heading", name="New analysis")).to_be_visible()
    steps.choose(page, chosen)
    steps.answer(page)
    steps.send(page)
    expect(page.get_by_text("You sent this picture before")).to_be_visible()
    assert page.url == result
    assert steps.analyses(site) == before + 1


def test_another_picture_can_be_taken_before_sending(visits: Visits) -> None:
    page = visits.open("bob", PHONE)
    page.goto("/analyses/new/")
    steps.choose(page, steps.picture())
    preview = page.get_by_role("img", name="The picture that you chose")
    expect(preview).to_be_visible()
    page.get_by_role("button", name="Take another").click()
    expect(preview).to_be_hidden()
    steps.choose(page, steps.picture())
    expect(preview).to_be_visible()
