"""The trainer's pages in a real Chromium over a real database, without Rasa."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.triage.desk_server import DeskServer
from tests.triage.stage import PASSWORD
from triage.desk.auth import Role

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)


@pytest.fixture
def served(tmp_path: Path, browser: Browser) -> Iterator[DeskServer]:
    server = DeskServer(f"sqlite+aiosqlite:///{tmp_path / 'desk.db'}")
    server.do(server.stage.users.add("zhou", PASSWORD, Role.TRAINER, None))
    try:
        yield server
    finally:
        for context in browser.contexts:
            context.close()
        server.stop()


def enter(browser: Browser, served: DeskServer, name: str = "zhou", dark: bool = False, phone: bool = False) -> Page:
    """A page where this user has logged in."""
    size = {"width": 390, "height": 844} if phone else {"width": 1366, "height": 768}
    context = browser.new_context(viewport=size, locale="zh-CN", color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{served.url}/desk/trainer")
    page.fill("#username", name)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    return page


def test_a_trainer_sees_six_pages_and_an_agent_none(browser: Browser, served: DeskServer) -> None:
    page = enter(browser, served)
    expect(page.locator("#pages button")).to_have_text(["待复核", "标注", "数据", "模型", "答案", "成效"])
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    expect(page.locator("#page-annotate")).to_have_attribute("aria-current", "page")
    assert page.url.endswith("#annotate")
    page.close()
    agent = enter(browser, served, "li")
    expect(agent.locator("#refused")).to_contain_text("没有训练师权限")
    expect(agent.locator("#desk")).to_be_hidden()
