"""axe-core, vendored: the rules of accessibility that a machine can check."""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

SOURCE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


@cache
def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Each violation on the page as it is now, and where it stands."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())  # through the debugger: the content security policy forbids a script element
    # Preloading builds style elements from the sheets, which the policy forbids as well; only a rule about
    # locked orientation needs them.
    report = page.evaluate("axe.run(document, { resultTypes: ['violations'], preload: false })")
    return [
        f"{page.url}: {violation['id']} ({violation['help']}) at {', '.join(map(str, node['target']))}: "
        f"{node['failureSummary']}"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]
