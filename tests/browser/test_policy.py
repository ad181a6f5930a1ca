"""Pages that others wrote keep to our policy as well: the administration, and the API's own page.

`visits` fails a test at the first violation, script error or request to elsewhere.
"""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.visits import Visits

MOST = 80


def links_of(page: Page) -> set[str]:
    """Where this page leads within the administration, without what signs out."""
    addresses: list[str] = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    local = {address.partition("#")[0] for address in addresses}
    return {at for at in local if urlsplit(at).path.startswith("/admin/") and "logout" not in at}


def kind_of(address: str) -> str:
    """Two people are one kind of page, two filters are one kind of list."""
    parts = urlsplit(address)
    return re.sub(r"\d+", "N", parts.path) + "?" + ",".join(re.findall(r"(\w+)=", parts.query))


def test_every_page_of_the_administration(visits: Visits) -> None:
    page = visits.open("eve")
    page.goto("/admin/")
    seen: set[str] = set()
    waiting = sorted(links_of(page))
    while waiting and len(seen) < MOST:
        address = waiting.pop(0)
        if kind_of(address) in seen:
            continue
        seen.add(kind_of(address))
        answer = page.goto(address)
        assert answer
        assert answer.status < 400, address
        for search in page.locator(".admin-autocomplete").all():
            page.locator(f"#{search.get_attribute('id')} + .select2").click()
            expect(page.locator(".select2-results__option").first).to_be_visible()
            page.keyboard.press("Escape")
        waiting += sorted(links_of(page))
    paths = {kind.partition("?")[0] for kind in seen}
    assert {f"/admin/accounts/user/{kind}" for kind in ("", "add/", "N/change/", "N/history/")} <= paths
    assert any("?" in kind and not kind.endswith("?") for kind in seen), "no list was filtered"


def test_an_action_on_a_list(visits: Visits) -> None:
    page = visits.open("eve")
    page.goto("/admin/accounts/user/")
    page.get_by_role("checkbox", name=re.compile("all", re.I)).first.check()
    expect(page.locator("#result_list tr.selected").first).to_be_visible()
    actions = page.get_by_label("Action:")
    assert actions.locator("option").count() > 1
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("No action selected")


def test_the_page_of_the_api(visits: Visits) -> None:
    page = visits.open()
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", level=1, name="The API")).to_be_visible()
    doctors = page.locator("#operations-doctors-doctors_list")
    doctors.get_by_role("button").first.click()
    doctors.get_by_role("button", name="Try it out").click()
    doctors.get_by_role("button", name="Execute").click()
    expect(doctors.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill("a-token")
    page.locator(".auth-container").get_by_role("button", name=re.compile("Apply|Authorize")).click()
    expect(page.get_by_role("heading", name="Authorized", exact=True)).to_be_visible()
