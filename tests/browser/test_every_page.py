"""Every page in both colours and on three widths: accessible, within the policy, within the window."""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, steps
from tests.browser.visits import DEVICES, Visits

# Of whom, and where. RESULT is found in the history, the record and its result in the list of patients.
RESULT = "result"
RECORD = "record"
READ_RESULT = "result of a patient"
SHARE = "share"
VISIT = "visit"
SEEN_VISIT = "visit of a patient"
NEXT_VISIT = "next visit of a patient"
TIMES = "times of a doctor"
BOOK = "book"
MOVE = "move"
CANCEL = "cancel"
DOCTORS_FOR_URGENT = "doctors for an urgent result"
PAGES = [
    ("", "/"),
    ("", "/about/"),
    ("", "/about/classifier/"),
    ("", "/accounts/login/"),
    ("", "/accounts/signup/"),
    ("", "/accounts/password/reset/"),
    ("", "/accounts/password/reset/done/"),
    ("", "/accounts/password/reset/key/1-none/"),
    ("", "/accounts/confirm-email/"),
    ("", "/accounts/confirm-email/none/"),
    ("", "/accounts/inactive/"),
    ("alice", "/"),
    ("alice", "/analyses/"),
    ("alice", "/analyses/new/"),
    ("alice", RESULT),
    ("alice", "/consent/"),
    ("alice", "/accounts/email/"),
    ("alice", "/accounts/password/change/"),
    ("alice", "/accounts/logout/"),
    ("chen", "/"),
    ("eve", "/"),
    ("", "/doctors/"),
    ("", "/doctors/?latitude=47.40&longitude=8.50"),
    ("alice", "/doctors/?name=nobody"),
    ("alice", DOCTORS_FOR_URGENT),
    ("chen", "/settings/practice/"),
    ("chen", "/settings/licence/"),
    ("chen", "/settings/licence/apply/"),
    ("chen", "/patients/"),
    ("chen", "/patients/?name=nobody"),
    ("chen", RECORD),
    ("chen", READ_RESULT),
    ("eve", "/patients/"),
    ("alice", "/share/"),
    ("alice", "/share/?name=chen"),
    ("alice", SHARE),
    ("alice", "/settings/sharing/"),
    ("alice", "/settings/accesses/"),
    ("", "/accounts/signup/doctor/"),
    ("alice", "/settings/"),
    ("alice", "/settings/profile/"),
    ("alice", "/settings/language/"),
    ("alice", "/accounts/2fa/"),
    ("alice", "/accounts/2fa/totp/activate/"),
    ("alice", "/accounts/2fa/webauthn/"),
    ("alice", "/accounts/devices/"),
    ("alice", "/accounts/reauthenticate/"),
    ("alice", "/settings/consents/"),
    ("alice", "/settings/consents/research/"),
    ("alice", "/settings/data/"),
    ("alice", "/settings/data/erase/"),
    ("chen", "/settings/data/"),
    ("chen", "/settings/"),
    ("chen", "/settings/profile/"),
    ("alice", "/visits/"),
    ("alice", VISIT),
    ("alice", TIMES),
    ("bob", BOOK),
    ("alice", MOVE),
    ("alice", CANCEL),
    ("alice", "/waiting/"),
    ("alice", "/notices/"),
    ("alice", "/settings/notifications/"),
    ("chen", "/day/"),
    ("chen", "/week/"),
    ("chen", SEEN_VISIT),
    ("chen", NEXT_VISIT),
    ("chen", "/notices/"),
    ("chen", "/settings/notifications/"),
    ("chen", "/settings/hours/"),
    ("chen", "/settings/hours/terms/"),
    ("chen", "/settings/hours/exceptions/"),
    ("chen", "/settings/hours/exceptions/add/"),
    ("chen", "/settings/hours/preview/"),
    ("chen", "/settings/calendar/"),
    ("chen", "/follow-ups/"),
    ("alice", "/settings/calendar/"),
]
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ADMIN_PAGES = [
    "/admin/",
    "/admin/diagnosis/releasechange/",
    "/admin/diagnosis/releasechange/comparison/",
    "/admin/accounts/user/",
    "/admin/accounts/user/add/",
    "/admin/accounts/doctorapplication/",
    "/admin/accounts/breakglass/",
    "/admin/accounts/breakglass/add/",
    "/admin/accounts/doctorapplication/?status=all&q=chen",
]


def expect_no_overflow(page: Page) -> None:
    """The page is no wider than the window, written from either side."""
    for direction in ("ltr", "rtl"):
        width = page.evaluate(
            "direction => { document.dir = direction; return document.documentElement.scrollWidth }",
            direction,
        )
        assert page.viewport_size
        assert width <= page.viewport_size["width"], f"{page.url} is {width} px wide, written {direction}"
    page.evaluate("document.dir = 'ltr'")


def open_first(page: Page, address: str) -> None:
    """Follow the first link of a list."""
    page.goto(address)
    page.get_by_role("main").get_by_role("listitem").first.get_by_role("link").first.click()


def open_record(page: Page) -> None:
    open_first(page, "/patients/?name=alice")  # others come and go, some without any analysis
    expect(page.get_by_role("heading", name="Analyses", exact=True)).to_be_visible()


def open_read_result(page: Page) -> None:
    open_record(page)
    page.get_by_role("main").get_by_role("listitem").first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="What the picture resembles")).to_be_visible()


def open_share(page: Page) -> None:
    open_first(page, "/share/?name=chen")
    expect(page.get_by_role("heading", name="Share with")).to_be_visible()


def open_visit(page: Page) -> None:
    open_first(page, "/visits/")
    expect(page.get_by_role("heading", level=1, name="Visit with")).to_be_visible()


def open_seen_visit(page: Page) -> None:
    """The demo's next visits are within two weeks."""
    open_first_visit(page, range(4))


def open_first_visit(page: Page, weeks: range) -> None:
    start = datetime.now(UTC).date()
    visits = page.locator(".week a.time-line__who")
    for week in weeks:
        page.goto(f"/week/?day={start + timedelta(weeks=week)}")
        if visits.count():
            break
    visits.first.click()
    expect(page.get_by_role("heading", name="What it is about")).to_be_visible()


def open_next_visit(page: Page) -> None:
    """What follows one that took place; the demo's are some weeks ago."""
    open_first_visit(page, range(-1, -12, -1))
    page.get_by_role("link", name="Book the next visit").click()
    expect(page.get_by_role("heading", level=1, name="Book the next visit")).to_be_visible()


def open_times(page: Page) -> None:
    page.goto("/doctors/?name=chen")
    page.get_by_role("link", name=re.compile("Book a visit.*Chen")).click()
    expect(page.get_by_role("heading", level=1, name="Pick a time")).to_be_visible()


def open_book(page: Page) -> None:
    """Holds a time, which runs out by itself."""
    open_times(page)
    page.locator(".times button").last.click()
    expect(page.get_by_role("heading", level=1, name="Book this visit")).to_be_visible()


def open_move(page: Page) -> None:
    open_visit(page)
    page.get_by_role("link", name="Move", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Move the visit")).to_be_visible()


def open_cancel(page: Page) -> None:
    open_visit(page)
    page.get_by_role("link", name="Cancel the visit").click()
    expect(page.get_by_role("heading", level=1, name="Cancel the visit")).to_be_visible()


def open_doctors_for_urgent(page: Page) -> None:
    page.goto("/analyses/")
    results = page.get_by_role("main").get_by_role("listitem")
    results.filter(has_text=re.compile(r"\bUrgent\b")).first.get_by_role("link").click()
    page.get_by_role("link", name="Book with this result").click()
    expect(page.get_by_text("Your result is urgent.")).to_be_visible()
    expect(page.locator(".earliest").first).to_be_visible()
    page.locator(".finder-fold > summary").click()


# Pages whose address depends on what is there.
FOUND = {
    RECORD: open_record,
    READ_RESULT: open_read_result,
    SHARE: open_share,
    VISIT: open_visit,
    SEEN_VISIT: open_seen_visit,
    NEXT_VISIT: open_next_visit,
    TIMES: open_times,
    BOOK: open_book,
    MOVE: open_move,
    CANCEL: open_cancel,
    DOCTORS_FOR_URGENT: open_doctors_for_urgent,
}


def open_result(page: Page) -> None:
    page.goto("/analyses/")
    page.get_by_role("main").get_by_role("listitem").last.get_by_role("link").click()
    steps.expect_result(page)
    steps.unfold(page)


@pytest.mark.parametrize(("who", "address"), PAGES, ids=[f"{who or 'visitor'} {at}" for who, at in PAGES])
def test_page(visits: Visits, who: str, address: str) -> None:
    page = visits.open(who)
    if address == RESULT:
        open_result(page)
    elif address in FOUND:
        FOUND[address](page)
    else:
        page.goto(address)
    page.wait_for_load_state()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page).to_have_title(re.compile(r"\S+ · Derma$"))
    for device in DEVICES.values():
        page.set_viewport_size(device["viewport"])
        for colours in COLOURS:
            page.emulate_media(color_scheme=colours)
            assert axe.violations(page) == []
        expect_no_overflow(page)
    page.set_viewport_size({"width": 360, "height": 740})
    expect_no_overflow(page)


def test_these_checks_notice_what_they_should(visits: Visits) -> None:
    page = visits.open()
    page.goto("/about/")
    page.evaluate("document.querySelector('main').append(new Image())")
    assert "image-alt" in "".join(axe.violations(page))
    with visits.expected("content security policy", "https://elsewhere/"):
        page.evaluate("""
            const script = Object.assign(document.createElement("script"), { src: "https://elsewhere/" });
            document.head.append(script);
        """)
    with visits.expected("status of 404"):
        page.evaluate("fetch('/nowhere/')")


@pytest.mark.parametrize("address", ADMIN_PAGES)
def test_admin_page(visits: Visits, address: str) -> None:
    page = visits.open("eve")
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert axe.violations(page) == []


def test_a_printed_result_is_the_result_alone(visits: Visits) -> None:
    page = visits.open("alice")
    open_result(page)
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", level=1, name=steps.HEADLINES)).to_be_visible()
    expect(page.get_by_role("img", name="The picture that you sent")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.get_by_role("link", name="My analyses")).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_the_chosen_colours_stay(visits: Visits) -> None:
    page = visits.open(color_scheme="light")
    page.goto("/")
    light = background(page)
    page.get_by_label("Colours").select_option(label="Dark")
    dark = background(page)
    assert dark != light
    page.reload()
    expect(page.get_by_label("Colours")).to_have_value("dark")
    assert background(page) == dark
    page.get_by_label("Colours").select_option(label="As the device")
    page.reload()
    assert background(page) == light
