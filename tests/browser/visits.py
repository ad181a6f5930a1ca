"""Browser windows that notice what a visitor would not: errors, policy violations, requests to elsewhere."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, StorageState

from tests.processes.platform import DEMO_PASSWORD, Platform

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DEVICES = {"desktop": DESKTOP, "phone": PHONE}
EMAIL = re.compile("e-?mail", re.I)
TIMEOUT = 60_000  # ms: a slow machine runs a training beside the tests

_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", event => console.error(
  `content security policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`
));
"""


class Visits:
    """Opens windows on the running product, and keeps what went wrong in them."""

    def __init__(self, browser: Browser, site: Platform, sessions: dict[str, StorageState]) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._site = site
        self._sessions = sessions
        self._contexts: list[BrowserContext] = []
        # Where pages may ask: test servers are at an IP address, but some things need a name.
        self.own = [site.url]

    def open(self, who: str = "", device: dict[str, Any] = DESKTOP, **options: Any) -> Page:
        """A window of its own, of somebody who is signed in already if `who` is a demo account's name."""
        if who:
            options["storage_state"] = self._session(who)
        context = self._browser.new_context(
            base_url=self._site.url, reduced_motion="reduce", **device, **options
        )
        self._contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        return context.new_page()

    @contextmanager
    def expected(self, *words: str) -> Iterator[None]:
        """Complaints with one of these words are right in here, and must come."""
        before = len(self.complaints)
        yield
        for page in self.pages:
            page.evaluate("0")  # what happened before in the page has been heard when this is answered
        complaints = self.complaints[before:]
        self.complaints[before:] = [c for c in complaints if not any(word in c for word in words)]
        assert len(self.complaints) < before + len(complaints), f"nothing complained of {words}"

    @property
    def pages(self) -> list[Page]:
        return [page for context in self._contexts for page in context.pages]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _session(self, who: str) -> StorageState:
        """Signing in is limited by address and all windows have the same, so each person does it once."""
        if who not in self._sessions:
            page = self.open()
            sign_in(page, f"{who}@example.org")
            self._sessions[who] = page.context.storage_state()
            page.context.close()
            self._contexts.remove(page.context)
        return self._sessions[who]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.page.url if message.page else ""
            self.complaints.append(f"{where}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((*self.own, "blob:", "data:")):
            self.complaints.append(f"request to elsewhere: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} from {response.url}")


def sign_in(page: Page, email: str, password: str = DEMO_PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label(EMAIL).fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.locator("form").get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Hello").wait_for()
