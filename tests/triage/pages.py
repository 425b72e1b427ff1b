"""The desk's and the trainers' pages in a real Chromium: served, entered, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from models import ROOT
from tests import databases
from tests.product import PASSWORD
from tests.triage.desk_server import DeskServer
from triage.desk.auth import Role

SERIOUS = ("serious", "critical")
PHONE = 390
expect.set_options(timeout=20_000)


@contextmanager
def serving(
    folder: Path, browser: Browser, trainers: tuple[str, ...] = (), models: Path = ROOT, **folders: Path
) -> Iterator[DeskServer]:
    """A desk over a database in `folder`, with these trainers; the browser's pages are closed with it."""
    server = DeskServer(databases.sqlite(folder), models, **folders)
    for name in trainers:
        server.do(server.stage.users.add(name, PASSWORD, Role.TRAINER, None))
    try:
        yield server
    finally:
        for context in browser.contexts:
            context.close()
        server.stop()


def opened(browser: Browser, width: int = 1366, dark: bool = False) -> Page:
    """An empty page of somebody's own, as on a desk or, 390 wide, on a phone."""
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width == PHONE else 768},
        locale="zh-CN",
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    return page


def enter(browser: Browser, url: str, name: str, width: int = 1366, dark: bool = False) -> Page:
    """A page of the desk where this user has logged in."""
    return log_in(opened(browser, width, dark), url, name)


def log_in(page: Page, url: str, name: str) -> Page:
    """Open `url` and log in; the same page."""
    page.goto(url)
    page.fill("#username", name)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    return page


def serious(page: Page) -> list[str]:
    """What axe finds that shuts somebody out."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in SERIOUS]


def wide(page: Page) -> bool:
    """Whether the page scrolls sideways, or a card's content stands out of it."""
    every = "[document.documentElement, ...document.querySelectorAll('.card')]"
    return bool(page.evaluate(f"{every}.some((one) => one.scrollWidth > one.clientWidth)"))
