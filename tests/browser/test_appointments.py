"""A doctor says when they work; a patient comes with an urgent result, books, moves and cancels."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, practice, steps
from tests.browser.visits import DEVICES, Visits
from tests.processes.platform import Platform


def set_the_week(page: Page) -> None:
    """Monday's hours are proposed and copied, so that there is time on every day."""
    page.goto("/settings/hours/")
    page.get_by_role("button", name=re.compile("Add hours.*Monday")).click()
    monday = page.get_by_role("group", name="Interval 1, Monday")
    expect(monday.get_by_label("From")).to_have_value("09:00")
    monday.get_by_label("To", exact=True).fill("17:00")
    page.locator("summary", has_text="Copy to other days").click()
    for day in ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        page.get_by_role("checkbox", name=day).check()
    page.get_by_role("button", name=re.compile("^Copy.*Monday")).click()
    expect(page.get_by_role("group", name="Interval 1, Sunday").get_by_label("To", exact=True)).to_have_value(
        "17:00"
    )
    assert axe.violations(page) == []
    page.get_by_role("button", name="Save the week").last.click()
    expect(page.get_by_text("Your week is saved.")).to_be_visible()
    page.reload()
    expect(monday.get_by_label("To", exact=True)).to_have_value("17:00")


def choose_time(page: Page, *, last: bool = False) -> str:
    """A time on the last day of the next month that can be booked; the day as the calendar writes it."""
    month = page.locator("#month-title").inner_text()
    page.locator("#month-after").click()
    expect(page.locator("#month-title")).not_to_have_text(month)
    day = page.locator(".month a.day").last
    chosen = day.get_attribute("id")
    assert chosen
    day.click()
    expect(page.locator(f"#{chosen}")).to_have_attribute("aria-current", "date")
    assert axe.violations(page) == []
    times = page.locator(".times button")
    (times.last if last else times.first).click()
    return chosen.removeprefix("day-")


@pytest.mark.parametrize(("name", "device"), DEVICES.items(), ids=DEVICES)
def test_from_an_urgent_result_to_a_visit(
    site: Platform, visits: Visits, name: str, device: dict[str, Any]
) -> None:
    practice.open_in(site, name)
    doctor = visits.open(f"{name}-doctor", device)
    set_the_week(doctor)

    page = visits.open(f"{name}-patient", device)
    page.goto("/analyses/")
    page.get_by_role("main").get_by_role("listitem").first.get_by_role("link").click()
    steps.expect_result(page)
    page.get_by_role("link", name="Book with this result").click()
    page.get_by_role("link", name=re.compile(f"More times ?: {name.title()} Doctor")).click()
    expect(page.get_by_text("Your result is urgent")).to_be_visible()
    day = choose_time(page)
    expect(page.get_by_role("heading", level=1, name="Book this visit")).to_be_visible()
    expect(page.get_by_text("is kept for you until")).to_be_visible()
    page.get_by_label("Why you come").fill("It has grown since the spring.")
    expect(page.get_by_role("checkbox").first).to_be_checked()
    assert axe.violations(page) == []
    page.get_by_role("button", name="Confirm the visit").click()
    expect(page.get_by_text("Your visit is booked.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Visit with {name.title()} Doctor")
    expect(page.get_by_text("From an urgent result")).to_be_visible()
    assert axe.violations(page) == []
    visit, booked = page.url, page.locator("#when-title").inner_text()

    doctor.goto(f"/day/?day={day}")
    doctor.get_by_role("main").get_by_role("link", name=f"{name.title()} Patient").first.click()
    expect(doctor).to_have_url(visit)
    expect(doctor.get_by_text("It has grown since the spring.")).to_be_visible()
    expect(doctor.locator("#when-title")).to_have_text(booked)
    assert axe.violations(doctor) == []

    page.get_by_role("link", name="Move", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Move the visit")).to_be_visible()
    choose_time(page, last=True)
    expect(page.get_by_text("The visit is moved.")).to_be_visible()
    expect(page).to_have_url(visit)
    expect(page.locator("#when-title")).not_to_have_text(booked)
    moved = page.locator("#when-title").inner_text()
    doctor.reload()
    expect(doctor.locator("#when-title")).to_have_text(moved)

    page.get_by_role("link", name="Cancel the visit").click()
    page.get_by_label("Why you cancel").fill("I am better.")
    assert axe.violations(page) == []
    page.get_by_role("button", name="Cancel the visit").click()
    expect(page.get_by_text("The visit is cancelled.")).to_be_visible()
    for window in (page, doctor):
        window.goto(visit)
        expect(window.locator(".visit__state")).to_contain_text("Cancelled by the patient")
    page.goto("/visits/")
    expect(page.get_by_role("heading", name="Past")).to_be_visible()
    assert axe.violations(page) == []
