"""The time zone of the device is proposed once, and taken over or left."""

from playwright.sync_api import expect

from tests.browser import axe, steps
from tests.browser.visits import Visits


def test_the_zone_of_the_device_is_proposed_and_taken_over(visits: Visits) -> None:
    page = visits.open(timezone_id="America/Sao_Paulo")
    steps.sign_up(page)
    note = page.get_by_text("Your device is in the time zone America/Sao Paulo")
    expect(note).to_be_visible()
    assert axe.violations(page) == []
    page.goto("/about/")
    page.get_by_role("button", name="Show local times").click()
    expect(page).to_have_url("/about/")
    expect(note).to_be_hidden()
    page.goto("/settings/language/")
    expect(page.get_by_label("Time zone")).to_have_value("America/Sao_Paulo")
    expect(note).to_be_hidden()


def test_it_can_be_left_and_is_not_asked_again(visits: Visits) -> None:
    page = visits.open(timezone_id="Asia/Tokyo")
    steps.sign_up(page)
    note = page.get_by_text("Your device is in the time zone Asia/Tokyo")
    page.get_by_role("button", name="Leave it").click()
    expect(note).to_be_hidden()
    page.goto("/about/")
    expect(note).to_be_hidden()
