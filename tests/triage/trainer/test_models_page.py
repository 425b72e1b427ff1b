"""The pages 模型 and 成效 in a real Chromium, over registries in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models import Registry
from tests.triage import pages
from tests.triage.desk_server import DeskServer
from tests.triage.pages import PHONE, serious, wide
from tests.triage.trainer.versions import furnished
from triage.trainer.jobs import Jobs, State

pytestmark = pytest.mark.browser


@pytest.fixture
def models(tmp_path: Path) -> Path:
    furnished(tmp_path, "v1", "2026-11-01T10:00:00+08:00", 0.10)
    furnished(tmp_path, "v2", "2026-11-02T10:00:00+08:00", 0.05)
    furnished(tmp_path, "v3", "2026-11-03T10:00:00+08:00", 0.60)
    Registry("dialogue", tmp_path).promote("v1", "zhou", "第一版")
    return tmp_path


@pytest.fixture
def served(tmp_path: Path, browser: Browser, models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskServer]:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))  # a job's process opens the database that is set
    with pages.serving(tmp_path, browser, ("zhou",), models) as server:
        yield server


def enter(browser: Browser, served: DeskServer, page: str, width: int = 1366, dark: bool = False) -> Page:
    return pages.enter(browser, f"{served.url}/desk/trainer#{page}", "zhou", width, dark)


def test_a_better_version_goes_live_and_back(browser: Browser, served: DeskServer, models: Path) -> None:
    page = enter(browser, served, "models")
    row = page.locator("#kind-dialogue tr", has_text="v2")
    expect(row).to_contain_text("1/1")
    row.get_by_text("看报告和比较").click()
    expect(page.locator(".verdict")).to_contain_text("比现用模型多认对")
    expect(page.locator(".verdict")).to_contain_text("可以上线")
    expect(page.locator("#comparison .passed")).to_have_text("对话：通过 2 / 2，现用模型通过 2 / 2。")
    expect(page.locator(".figure", has_text="对话")).to_contain_text("通过 2 / 2")
    expect(page.locator(".picture")).to_have_count(3)
    page.locator("#comparison").get_by_text("少认对").click()
    losses = page.locator("#comparison table tr").count() - 1
    expect(page.locator("#comparison [data-group=losses]")).to_have_text(f"少认对 {losses}")
    page.get_by_role("button", name="上线", exact=True).click()
    page.fill("#ask input", "多认对了很多")
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已上线")
    assert Registry("dialogue", models).current().name == "v2"
    expect(page.locator("#kind-dialogue")).to_contain_text("现用版本：v2")
    page.locator("#kind-dialogue").get_by_text("上线记录").click()
    expect(page.locator("#kind-dialogue .history li").first).to_contain_text("zhou 上线 v2：多认对了很多")
    page.locator("#kind-dialogue").get_by_text("退回上一版").click()
    page.click("#ask-agree")
    expect(page.locator("#kind-dialogue")).to_contain_text("现用版本：v1")
    assert Registry("dialogue", models).current().name == "v1"


def test_a_dialogue_that_fails_is_shown_with_the_turn_and_the_reason(browser: Browser, served: DeskServer) -> None:
    page = enter(browser, served, "models/dialogue/v3")
    expect(page.locator(".verdict")).to_contain_text("1段原来能办完的对话办不完了")
    expect(page.locator("#comparison .passed")).to_have_text("对话：通过 1 / 2，现用模型通过 2 / 2。")
    page.locator("#comparison").get_by_text("对话没通过 1").click()
    cells = page.locator("#comparison table tr").nth(1).locator("td")
    assert cells.all_inner_texts() == ["催办", "2", "催一下", "没有说“催办”", "通过"]


def test_a_worse_version_asks_who_answers_for_it(browser: Browser, served: DeskServer, models: Path) -> None:
    page = enter(browser, served, "models")
    page.locator("#kind-dialogue tr", has_text="v3").get_by_text("上线", exact=True).click()
    expect(page.locator("#ask .verdict")).to_contain_text("明显变差")
    page.click("#ask-agree")
    assert page.locator("#ask").get_attribute("open") is not None  # the reason is missing
    page.fill("#ask textarea", "演练退回")
    page.click("#ask-agree")
    assert Registry("dialogue", models).current().name == "v1"  # too short a reason
    page.fill("#ask textarea", "演练一次退回的过程")
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已上线")
    last = Registry("dialogue", models).history()[-1]
    assert last.version == "v3" and "责任人：zhou，理由：演练一次退回的过程" in last.why
    audit = served.do(served.stage.desk.audit.page(None, 5))
    assert [row.action for row in audit][:1] == ["promote"] and "演练一次退回的过程" in str(audit[0].detail)


def test_training_starts_and_is_cancelled_on_the_page(browser: Browser, served: DeskServer, models: Path) -> None:
    page = enter(browser, served, "models")
    expect(page.locator("#train")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.select_option("#ask select", "dialogue")
    page.click("#ask-agree")
    expect(page.locator("#left")).to_contain_text("还要约")
    expect(page.locator("#train")).to_be_disabled()
    other = enter(browser, served, "models")
    expect(other.locator("#job h2")).to_contain_text("正在训练")
    page.locator("#job").get_by_text("取消").click()
    page.click("#ask-agree")
    expect(page.locator("#job h2")).to_contain_text("已取消")
    expect(other.locator("#job h2")).to_contain_text("已取消")
    expect(page.locator("#train")).to_be_enabled()
    [job] = Jobs(models).newest()
    assert job.state == State.CANCELLED and Registry("dialogue", models).versions() == ["v1", "v2", "v3"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["models", "models/dialogue/v2", "models/dialogue/v3", "effect"])
def test_nobody_is_shut_out(browser: Browser, served: DeskServer, name: str, dark: bool) -> None:
    page = enter(browser, served, name, PHONE, dark)
    expect(page.locator("#page h1")).to_be_visible()
    assert serious(page) == []
    assert not wide(page)
