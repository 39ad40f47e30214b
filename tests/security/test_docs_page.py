"""The documentation works in a real browser, under its content policy and with nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.security.conftest import Guarded

CHROMIUM = Path("/usr/bin/chromium")
LIST, CREATE = '[id^="operations-items-list_items"]', '[id^="operations-items-create_item"]'


@pytest.fixture
def page() -> Iterator[Page]:
    assert CHROMIUM.exists(), "not on this machine: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_the_page_shows_the_operations_and_tries_one(guarded: Guarded, page: Page) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))

    page.goto(f"{guarded.url}/docs")
    expect(page.locator(LIST)).to_be_visible()
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    page.locator(LIST).click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200")

    elsewhere = [url for url in requested if not url.startswith((guarded.url, "data:"))]
    assert elsewhere == []
    assert complaints == []


def test_who_authorises_on_the_page_may_create_an_item(guarded: Guarded, page: Page) -> None:
    page.goto(f"{guarded.url}/docs")
    page.get_by_role("button", name="Authorize").click()
    scheme = page.locator(".auth-container", has_text="token").filter(has_text="issuer")
    scheme.locator("input").fill(guarded.token)
    scheme.locator("button.authorize").click()
    page.get_by_role("button", name="Close").first.click()

    page.locator(CREATE).click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table tbody .response-col_status")).to_contain_text("201")
