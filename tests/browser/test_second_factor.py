"""Passkeys, with an authenticator that the browser pretends to have."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser import axe, steps
from tests.browser.visits import EMAIL, Visits

_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def carry_authenticator(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})


def sign_out(page: Page, site: str) -> None:
    page.goto(f"{site}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Create an account")).to_be_visible()


def type_password(page: Page, site: str, email: str) -> None:
    page.goto(f"{site}/accounts/login/")
    page.get_by_label(EMAIL).fill(email)
    page.get_by_label("Password", exact=True).fill(steps.PASSWORD)
    page.locator("form").get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_signs_in_alone_and_beside_the_password(visits: Visits) -> None:
    page = visits.open()
    email = steps.sign_up(page)
    # A passkey belongs to a name, and an IP address is none.
    site = f"http://localhost:{urlsplit(page.url).port}"
    hello = page.get_by_role("heading", level=1, name="Hello")
    visits.own.append(site)
    carry_authenticator(page)
    type_password(page, site, email)
    expect(hello).to_be_visible()
    page.goto(f"{site}/accounts/2fa/webauthn/add/")
    page.get_by_label("Password", exact=True).fill(steps.PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Sign in with this passkey alone").check()
    page.wait_for_load_state()  # the scripts of the form are there
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    expect(page.locator(".codes code")).to_have_count(10)
    assert axe.violations(page) == []
    page.goto(f"{site}/accounts/2fa/webauthn/")
    expect(page.get_by_role("heading", name="Passkey 1")).to_be_visible()
    assert axe.violations(page) == []
    sign_out(page, site)
    page.goto(f"{site}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(hello).to_be_visible()
    sign_out(page, site)
    type_password(page, site, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    page.wait_for_load_state()
    assert axe.violations(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    expect(hello).to_be_visible()


def test_a_passkey_that_is_not_to_be_had_is_said_and_the_password_still_works(visits: Visits) -> None:
    page = visits.open()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("status").filter(has_text="You can sign in with your password")).to_be_visible()
