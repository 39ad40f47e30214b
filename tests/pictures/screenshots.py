"""Screenshots: `python -m tests.pictures.screenshots` renews those of docs/."""

import re
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import baking, session

DOCS = baking.ROOT / "docs"
SHOTS = {
    "status-light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 1000}},
    "status-dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 1000}},
    "status-phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}
TRAFFIC_SECONDS = 240  # so that there is something to draw


def main() -> None:
    """Let the demo run for a while and take screenshots."""
    with (
        tempfile.TemporaryDirectory() as folder,
        session.demo(Path(folder, "log")) as demo,
        sync_playwright() as playwright,
    ):
        demo.wait_for("Ctrl-C stops it.")
        found = re.search(r"http://\S+/status", demo.said())
        assert found is not None, demo.said()
        time.sleep(TRAFFIC_SECONDS)  # for charts with something to see
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for name, options in SHOTS.items():
            page = browser.new_context(**options).new_page()
            page.goto(found[0])
            page.locator("#live", has_text="Live").wait_for()
            page.screenshot(path=DOCS / f"{name}.png")
        browser.close()
        demo.press_ctrl_c()


if __name__ == "__main__":
    main()
