"""The page of a visit while it comes: the room opens by itself; the doctor books the next visit."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import axe, meeting
from tests.browser.visits import DEVICES, Visits
from tests.processes.platform import Platform

JOIN = "Join the video visit"


@pytest.mark.parametrize(("name", "device"), DEVICES.items(), ids=DEVICES)
def test_the_room_opens_and_the_next_visit_is_booked(
    site: Platform, visits: Visits, name: str, device: dict[str, Any]
) -> None:
    address = meeting.open_in(site, f"meet-{name}", 40)
    patient, doctor = (visits.open(f"meet-{name}-{who}", device) for who in ("patient", "doctor"))
    plain = visits.open(f"meet-{name}-patient", device, java_script_enabled=False)
    for page in (patient, doctor, plain):
        page.goto(address)
    by_itself = patient.get_by_text("Its link appears here then, by itself.")
    if by_itself.count():  # a machine that is slow has opened it already
        expect(by_itself).to_be_visible()
        expect(patient.get_by_text("Load this page again then")).to_be_hidden()
        expect(plain.get_by_text("Load this page again then, and its link stands here.")).to_be_visible()
        expect(plain.get_by_text("by itself")).to_be_hidden()
    patient.evaluate("window.notLoadedAgain = true")
    expect(patient.get_by_role("link", name=JOIN)).to_be_visible()
    expect(patient.get_by_text(re.compile(r"^\s*in \d\sminutes\s*$"))).to_be_visible()
    assert patient.evaluate("window.notLoadedAgain")
    expect(plain.get_by_role("link", name=JOIN)).to_have_count(0)
    plain.reload()
    expect(plain.get_by_role("link", name=JOIN)).to_be_visible()
    assert axe.violations(patient) == []

    expect(doctor.get_by_role("link", name=JOIN)).to_be_visible()
    expect(doctor.get_by_role("link", name="Write the note")).to_have_class(re.compile("button--quiet"))
    doctor.get_by_role("button", name=re.compile("^Check in")).click()
    doctor.get_by_role("link", name="Book the next visit").click()
    expect(doctor.get_by_role("heading", level=1, name="Book the next visit")).to_be_visible()
    assert axe.violations(doctor) == []
    doctor.locator(".times button").last.click()
    expect(doctor.get_by_text("The next visit is booked:")).to_be_visible()
    assert axe.violations(doctor) == []

    patient.goto("/visits/")
    rows = patient.get_by_role("main").get_by_role("listitem")
    expect(rows).to_have_count(2)
    rows.last.get_by_role("link").click()
    expect(patient.get_by_text("Your doctor booked this visit for you.")).to_be_visible()
    expect(patient.get_by_role("link", name="Move", exact=True)).to_be_visible()
    assert axe.violations(patient) == []
