"""From an urgent result to a visit, on a desk and on a phone; and a hold that runs out."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe, practice
from tests.browser.test_every_page import expect_no_overflow
from tests.browser.visits import DEVICES, Visits
from tests.processes.platform import Platform

# A doctor and a patient whom no other test knows; the doctor sees urgent cases only, from tomorrow on.
NAME = "urgent"
PATIENT = f"{NAME}-patient"
OPEN = f"""
from datetime import date, timedelta
from accounts.models import User
from appointments.models import *
schedule = schedule_of(User.objects.get(email="{NAME}-doctor@example.org"))
Schedule.objects.filter(pk=schedule.pk).update(
    time_zone="Europe/Zurich", lengths=[30, 60], notice_hours=0, release_hours=0
)
schedule.rules.all().delete()
tomorrow = date.today() + timedelta(days=1)
for weekday in range(7):
    WeeklyRule.objects.create(
        schedule=schedule, weekday=weekday, begins=480, ends=720, valid_from=tomorrow, for_urgent=True
    )
"""
RUN_OUT = f"""
from django.utils import timezone
from appointments.models import Appointment
held = Appointment.objects.filter(status="held", patient__email="{PATIENT}@example.org")
held.update(expires_at=timezone.now())
"""


@pytest.fixture(scope="module")
def urgent(site: Platform) -> str:
    """The address of the patient's result."""
    analysis = practice.open_in(site, NAME)
    site.manage("shell", "-c", OPEN)
    return analysis


def check(page: Page) -> None:
    assert axe.violations(page) == []
    expect_no_overflow(page)


def open_times(page: Page, analysis: str) -> None:
    """As a patient finds them from the result."""
    page.goto(f"/analyses/{analysis}/")
    page.get_by_role("link", name="Book with this result").click()
    expect(page.get_by_text("your result goes along")).to_be_visible()
    page.get_by_role("link", name=re.compile(f"More times ?: {NAME.title()} Doctor")).click()
    expect(page.get_by_role("heading", level=1, name="Pick a time")).to_be_visible()
    expect(page.get_by_text("Your result is urgent.")).to_be_visible()


def choose(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"^\d\d:\d\d")).first.click()
    expect(page.get_by_role("heading", level=1, name="Book this visit")).to_be_visible()


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_from_an_urgent_result_to_a_visit(
    site: Platform, visits: Visits, device: dict[str, Any], urgent: str
) -> None:
    page = visits.open(PATIENT, device)
    open_times(page, urgent)
    check(page)
    page.evaluate("window.sameDocument = true")
    page.get_by_role("link", name="60 minutes").click()
    expect(page.get_by_role("link", name="60 minutes")).to_have_attribute("aria-current", "true")
    page.get_by_role("table").get_by_role("link").last.click()
    page.wait_for_url("**day=*")
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    check(page)
    choose(page)

    expect(page.get_by_text(re.compile("is kept for you until"))).to_be_visible()
    expect(page.get_by_role("group", name="The results").get_by_role("checkbox", checked=True)).to_have_count(
        1
    )
    check(page)
    page.get_by_label("Why you come").fill("It has grown since summer")
    page.get_by_role("button", name="Choose another time").click()
    expect(page.get_by_text("You hold")).to_be_visible()
    choose(page)
    expect(page.get_by_label("Why you come")).to_have_value("It has grown since summer")
    page.get_by_role("button", name="Confirm the visit").click()
    page.wait_for_url(re.compile(r"/visits/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("Your visit is booked.")).to_be_visible()
    page.go_back()
    page.wait_for_url(re.compile(r"/visits/[0-9a-f-]{36}/$"))


def test_one_click_in_the_directory_keeps_a_time(visits: Visits, urgent: str) -> None:
    page = visits.open(PATIENT)
    page.goto(f"/doctors/?analysis={urgent}")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=f"{NAME.title()} Doctor"))
    card.get_by_role("button", name=re.compile(r"^\d\d:\d\d")).first.click()
    expect(page.get_by_role("heading", level=1, name="Book this visit")).to_be_visible()
    expect(page.get_by_role("group", name="The results").get_by_role("checkbox", checked=True)).to_have_count(
        1
    )
    page.get_by_role("button", name="Do not book").click()
    expect(page.get_by_text("Nothing is booked.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_hold_that_runs_out_loses_nothing(
    site: Platform, visits: Visits, urgent: str, scripts: bool
) -> None:
    page = visits.open(PATIENT, java_script_enabled=scripts)
    open_times(page, urgent)
    choose(page)
    page.get_by_label("Why you come").fill("It itches")
    site.manage("shell", "-c", RUN_OUT)
    confirm = page.get_by_role("button", name="Confirm the visit")
    with visits.expected("status of 422"):
        confirm.click()
        expect(page.get_by_role("heading", name="This time is not kept for you")).to_be_visible()
    if scripts:
        check(page)
    page.get_by_role("button", name="Hold it again").click()
    expect(page.get_by_text(re.compile("is kept for you until"))).to_be_visible()
    expect(page.get_by_label("Why you come")).to_have_value("It itches")
    page.get_by_role("button", name="Do not book").click()
    expect(page.get_by_text("Nothing is booked.")).to_be_visible()


def test_the_countdown_says_when_it_is_over(site: Platform, visits: Visits, urgent: str) -> None:
    page = visits.open(PATIENT)
    page.clock.install()
    open_times(page, urgent)
    choose(page)
    expect(page.get_by_text(re.compile("5 minutes left|4 minutes left"))).to_be_visible()
    page.clock.run_for("04:30")
    expect(page.get_by_text(re.compile(r"^\d+ seconds? left$"))).to_be_visible()
    page.clock.run_for("01:00")
    expect(page.get_by_text("ran out. What you wrote is still here").first).to_be_visible()
    page.get_by_role("button", name="Do not book").click()
    expect(page.get_by_text("Nothing is booked.")).to_be_visible()
