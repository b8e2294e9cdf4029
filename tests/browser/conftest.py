"""A real browser, without a network."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import ROOT

sys.path.insert(0, str(ROOT / ".collections"))


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    """Debian's Chromium, or the one that `tools/setup.sh browser` had playwright fetch."""
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Opened(t.NamedTuple):
    """A page, with what it asked the network for and what its scripts complained about."""

    page: Page
    requests: list[str]
    errors: list[str]


@pytest.fixture
def open_page(browser: Browser) -> t.Iterator[t.Callable[..., Opened]]:
    pages = []

    def opened(path: str, scheme: str = "light", **options: t.Any) -> Opened:
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 860}, **options)
        pages.append(page)
        found = Opened(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("console", lambda message: found.errors.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(pathlib.Path(path).as_uri())
        return found

    yield opened
    for page in pages:
        page.close()
