"""Without a mouse."""

import re

import playwright.sync_api
import pytest
from playwright.sync_api import FileChooser, Locator, Page, expect

from tests.browser import steps
from tests.browser.visits import DEVICES, TIMEOUT, Visits

MOST_STEPS = 60

# Of the element with the focus: whether an outline is drawn on it, on what lies over it (a link that fills
# its card) or on its label (a file input), and whether something else covers it.
_FOCUS = """
() => {
  const active = document.activeElement;
  if (!active || active === document.body) return null;
  const drawn = [active, active.nextElementSibling, ...(active.labels ?? [])].filter(
    element => element && element.getBoundingClientRect().width > 2
  );
  const marked = drawn.some(element => ["", "::before", "::after"].some(part => {
    const style = getComputedStyle(element, part);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  }));
  const box = drawn[0].getBoundingClientRect();
  const top = document.elementFromPoint(
    Math.min(Math.max(box.x + box.width / 2, 1), innerWidth - 1), box.y + Math.min(box.height / 2, 20)
  );
  const covered = !drawn.some(element => element.contains(top) || top?.contains(element));
  return { name: active.outerHTML.slice(0, 120), marked, covered };
}
"""


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(MOST_STEPS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the tab key does not reach {target}")


def press_for_chooser(page: Page) -> FileChooser:
    """The browser hears a little later that choosers are to be caught; a press before that opens nothing."""
    for _ in range(3):
        try:
            with page.expect_file_chooser(timeout=TIMEOUT / 3) as opened:
                page.keyboard.press("Enter")
            return opened.value
        except playwright.sync_api.TimeoutError:
            continue
    raise AssertionError("the Enter key opens no chooser")


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("", "/"),
        ("", "/accounts/login/"),
        ("alice", "/"),
        ("alice", "/analyses/"),
        ("alice", "/analyses/new/"),
        ("alice", "/visits/"),
        ("chen", "/day/"),
    ],
)
def test_the_focus_is_always_seen(visits: Visits, device: dict[str, object], who: str, address: str) -> None:
    page = visits.open(who, device)
    page.goto(address)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    seen = set()
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        if focus is None:
            break
        assert focus["marked"], f"the focus cannot be seen on {focus['name']}"
        assert not focus["covered"], f"something covers {focus['name']}"
        seen.add(focus["name"])
    assert len(seen) > 4


def test_the_skip_link_leads_to_the_content(visits: Visits) -> None:
    page = visits.open("alice")
    page.goto("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("main").get_by_role("link").first).to_be_focused()


def test_an_analysis_is_sent_by_keyboard(visits: Visits) -> None:
    page = visits.open("alice")
    page.goto("/")
    tab_to(page, page.get_by_role("navigation", name="Main").get_by_role("link", name="New analysis"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="New analysis")).to_be_visible()
    page.wait_for_load_state()  # the form's script gives the chooser its final shape
    chooser = page.get_by_label("Choose a picture")
    tab_to(page, chooser)
    press_for_chooser(page).set_files(steps.picture())
    expect(page.get_by_role("img", name="The picture that you chose")).to_be_visible()
    tab_to(page, page.get_by_role("radio").first)
    page.keyboard.press("Space")
    tab_to(page, page.get_by_label("Where on the body"))
    page.keyboard.press("n")  # one key: between two a slow machine may take so long that each begins anew
    expect(page.get_by_label("Where on the body").locator("option:checked")).to_have_text("Neck")
    tab_to(page, page.get_by_role("button", name="Send for analysis"))
    page.keyboard.press("Enter")
    steps.expect_result(page)
    expect(page).to_have_title(re.compile("Neck"))


def test_the_menu_closes_with_escape(visits: Visits) -> None:
    page = visits.open("alice")
    page.goto("/")
    menu = page.locator("summary", has_text="Your account")
    tab_to(page, menu)
    page.keyboard.press("Enter")
    sign_out = page.get_by_role("button", name="Sign out")
    expect(sign_out).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(menu).to_be_focused()
