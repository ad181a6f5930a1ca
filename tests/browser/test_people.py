"""Signing in, forgotten passwords, and what each role finds."""

import re

from playwright.sync_api import expect

from accounts.demo import ACCOUNTS
from tests.browser import axe, steps
from tests.browser.visits import DEVICES, EMAIL, Visits, sign_in


def test_the_sign_in_page_lists_the_demo_accounts_and_signs_in(visits: Visits) -> None:
    page = visits.open()
    page.goto("/accounts/login/")
    demo = page.get_by_role("region", name="Demo accounts")
    for email, name, _ in ACCOUNTS:
        expect(demo.get_by_role("listitem").filter(has_text=email)).to_contain_text(name)
    demo.get_by_role("button", name=re.compile("Chen")).click()
    expect(page.get_by_role("heading", level=1, name="Hello, Mei Chen")).to_be_visible()


def test_a_wrong_password_is_said_at_the_form(visits: Visits) -> None:
    page = visits.open()
    page.goto("/accounts/login/")
    page.get_by_label(EMAIL).fill("nobody@example.org")
    page.get_by_label("Password", exact=True).fill("not-a-password")
    page.locator("form").get_by_role("button", name="Sign in", exact=True).click()
    summary = page.get_by_role("alert").first
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("not correct")
    expect(page.get_by_label(EMAIL)).to_have_value("nobody@example.org")
    assert axe.violations(page) == []


def test_a_forgotten_password_is_chosen_anew(visits: Visits) -> None:
    email, chosen = steps.sign_up(visits.open()), "a-window-by-the-lamp"
    page = visits.open()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Forgot").click()
    page.get_by_label(EMAIL).fill(email)
    page.get_by_role("button", name="Send the link").click()
    page.get_by_role("link", name=re.compile("password.reset.key")).click()
    for number in range(2):
        page.get_by_label("New password").nth(number).fill(chosen)
    assert axe.violations(page) == []
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_role("heading", level=1, name="password")).to_contain_text("saved")
    sign_in(page, email, chosen)


def test_a_doctor_has_a_home_and_no_patient_s_places(visits: Visits) -> None:
    page = visits.open("chen")
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Hello, Mei Chen")).to_be_visible()
    expect(page.get_by_role("link", name="New analysis")).to_have_count(0)
    with visits.expected("status of 403"):
        page.goto("/analyses/new/")
        expect(page.get_by_role("link", name="Derma", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("not for you"))


def test_an_administrator_finds_the_people(visits: Visits) -> None:
    for device in DEVICES.values():
        page = visits.open("eve", device)
        page.goto("/")
        page.get_by_role("main").get_by_role("link", name="Administration").click()
        page.get_by_role("rowheader", name="People").get_by_role("link").click()
        expect(page.get_by_role("link", name="alice@example.org")).to_be_visible()
        page.get_by_role("link", name="alice@example.org").click()
        expect(page.get_by_label("Name", exact=True).or_(page.get_by_label("Name:"))).to_have_value(
            "Alice Sommer"
        )


def test_the_result_of_somebody_else_is_not_found(visits: Visits) -> None:
    alice = visits.open("alice")
    alice.goto("/analyses/")
    alice.get_by_role("main").get_by_role("listitem").first.get_by_role("link").click()
    steps.expect_result(alice)
    for device in DEVICES.values():
        for address in (alice.url, "/nowhere/"):
            with visits.expected("status of 404"):
                bob = visits.open("bob", device)
                bob.goto(address)
                expect(bob.get_by_role("heading", level=1)).to_have_text("There is nothing here")
                expect(bob.get_by_role("link", name="Derma", exact=True)).to_be_visible()
            assert axe.violations(bob) == []
