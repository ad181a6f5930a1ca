"""The README's picture, made anew from the demo: `python -m tests.browser.screenshot docs/result.png`."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.visits import DESKTOP, TIMEOUT, sign_in
from tests.processes.platform import Platform

PALETTE = 256  # colours, which the page hardly exceeds: a third of the size


def find_result(page: Page) -> None:
    """Open the newest analysis that shows what its picture resembles."""
    page.goto("/analyses/")
    addresses = [
        str(link.get_attribute("href"))
        for link in page.get_by_role("main").get_by_role("listitem").get_by_role("link").all()
    ]
    for address in addresses:
        page.goto(address)
        expect(page.get_by_role("img", name="The picture that you sent")).to_be_visible(timeout=TIMEOUT)
        if page.get_by_role("heading", name="What the picture resembles").is_visible():
            return
    raise SystemExit("The release could not assess any of the demo's images.")


def main(out: Path) -> None:
    with (
        TemporaryDirectory() as state,
        Platform(Path(state)) as platform,
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        ) as browser,
    ):
        page = browser.new_page(base_url=platform.url, color_scheme="light", **DESKTOP)
        sign_in(page, "alice@example.org")
        find_result(page)
        page.screenshot(path=out, full_page=True)
    shrink(out)


def shrink(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(PALETTE).save(path, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
