"""The system's Chromium on the whole running product, which nobody but these tests uses."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState, expect, sync_playwright

from tests.browser.visits import TIMEOUT, Visits
from tests.processes.platform import REPOSITORY, Platform

HERE = Path(__file__).parent
FAILED_SHOTS = REPOSITORY / "var" / "test" / "browser"
expect.set_options(timeout=TIMEOUT)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Together, so that browser and platform run once."""
    if HERE in item.path.parents:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.xdist_group("browser"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First, because it is the longest row."""
    items.sort(key=lambda item: HERE not in item.path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":  # type: ignore[attr-defined]
        item.stash[_FAILED] = report.failed  # type: ignore[attr-defined]
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        message = "Chromium is needed and was not found (Debian: apt install chromium)."
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found


# The browser's event loop runs in this thread, and beside a running loop Django refuses synchronous queries:
# so it ends with these tests, not with the session.
@pytest.fixture(scope="package")
def chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"], timeout=3 * TIMEOUT
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with Platform(tmp_path_factory.mktemp("site")) as platform:
        yield platform


@pytest.fixture(scope="package")
def sessions() -> dict[str, StorageState]:
    return {}


@pytest.fixture
def visits(
    chromium: Browser, site: Platform, sessions: dict[str, StorageState], request: pytest.FixtureRequest
) -> Iterator[Visits]:
    """Windows for one test; whatever complained in them fails it."""
    visits = Visits(chromium, site, sessions)
    yield visits
    if request.node.stash.get(_FAILED, False):
        name = re.sub(r"\W+", "-", request.node.name)
        for number, page in enumerate(visits.pages):
            page.screenshot(path=FAILED_SHOTS / f"{name}-{number}.png", full_page=True)
    visits.close()
    assert visits.complaints == []
