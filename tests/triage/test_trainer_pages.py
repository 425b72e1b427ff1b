"""The trainer's pages in a real Chromium over a real database, without Rasa."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.triage import pages
from tests.triage.desk_server import DeskServer
from tests.triage.pages import PHONE, serious, wide
from tests.triage.trainer.items import add, labels, text_for
from triage.trainer.labels import standing
from triage.trainer.review import Kind, State

pytestmark = pytest.mark.browser
METERING = {"category": "metering", "priority": "P3", "confidence": 0.6}


@pytest.fixture
def served(tmp_path: Path, browser: Browser) -> Iterator[DeskServer]:
    with pages.serving(tmp_path, browser, ("zhou",)) as server:
        yield server


def enter(browser: Browser, served: DeskServer, name: str = "zhou", width: int = 1366, dark: bool = False) -> Page:
    return pages.enter(browser, f"{served.url}/desk/trainer", name, width, dark)


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


def put(served: DeskServer, text: str, **more: Any) -> int:
    """The customer says `text`, and it stands in the list."""
    return served.do(add(served.stage, text, **more))


def label_of(served: DeskServer, id: int) -> dict[str, Any] | None:
    """The label that counts now."""
    events = served.do(labels(served.stage).events(id))
    return standing(events, False).label


class Typist:
    """Types on a page and counts the keystrokes."""

    def __init__(self, page: Page) -> None:
        self.page, self.strokes = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.strokes += key.count("+") + 1 if key != "+" else 1


def sentence(page: Page, text: str) -> None:
    expect(page.locator(".sentence")).to_have_text(text)


def test_the_list_says_why_filters_and_opens(browser: Browser, served: DeskServer) -> None:
    put(served, "电费13812345678不对", value=4.0)
    put(served, "停电了没人管", reason="handoff_after_answer", value=2.0)
    put(served, "表走得快", kind=Kind.TRIAGE, reason="category_changed", value=3.0, suggestion=METERING)
    page = enter(browser, served)
    rows = page.locator(".rows li")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("电费138****5678不对")
    assert "13812345678" not in page.content()
    page.locator("#review-counts button", has_text="答完就转人工").click()
    expect(rows).to_have_count(1)
    page.locator("#review-counts button", has_text="不限原因").click()
    page.locator("#review-counts button", has_text="工单").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("表走得快")
    page.locator("#review-counts button", has_text="全部").click()
    expect(rows).to_have_count(3)
    page.locator("#review h1").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    sentence(page, "表走得快")
    page.keyboard.press("[")
    page.fill("input[type=search]", "没有这句")
    expect(page.locator(".review-list")).to_contain_text("没有这样的条目")
    page.context.route("**/api/trainer/review?*", lambda route: route.abort())
    page.fill("input[type=search]", "断网")
    expect(page.locator(".review-list")).to_contain_text("没能读到列表")


def test_rows_are_labelled_by_keyboard_alone(browser: Browser, served: DeskServer) -> None:
    right, second, other, entity, dragged, ticket = (
        put(served, "查下余额", value=9), put(served, "电费多少", value=8), put(served, "用了多少度", value=7),
        put(served, "户号3310000017的电费", value=6), put(served, "幸福里停电", value=5),
        put(served, "表走得快", kind=Kind.TRIAGE, value=4, suggestion=METERING),
    )  # fmt: skip
    page = enter(browser, served)
    expect(page.locator(".rows li")).to_have_count(6)
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    sentence(page, "查下余额")
    typist = Typist(page)
    strokes = []
    for keys, following in (
        (["Enter"], "电费多少"),
        (["2", "Enter"], "用了多少度"),
        (["/", "c", "y", "d", "Enter", "Enter"], "户号33****0017的电费"),
        ([".", "h", "2", "Enter"], "幸福里停电"),
    ):
        typist.strokes = 0
        typist.press(*keys)
        sentence(page, following)
        strokes.append(typist.strokes)
    assert label_of(served, right) == {"intent": "query_balance", "entities": [], "text": "查下余额"}
    assert (label_of(served, second) or {})["intent"] == "query_bill"
    assert (label_of(served, other) or {})["intent"] == "query_usage"
    spans = (label_of(served, entity) or {})["entities"]
    assert spans == [{"entity": "account_no", "start": 2, "end": 12}]
    assert strokes == [1, 2, 6, 4]
    first, last = page.locator(".char").nth(0), page.locator(".char").nth(2)
    first.hover()
    page.mouse.down()
    last.hover()
    page.mouse.up()
    page.keyboard.press("a")
    expect(page.locator(".char.marked")).to_have_count(3)
    page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".selection")).to_contain_text("停电")
    page.keyboard.press("d")
    expect(page.locator(".char.marked")).to_have_count(5)
    page.keyboard.press("Delete")
    expect(page.locator(".char.marked")).to_have_count(3)
    page.keyboard.press("Enter")
    sentence(page, "表走得快")
    spans = (label_of(served, dragged) or {})["entities"]
    assert spans == [{"entity": "area", "start": 0, "end": 3}]
    page.keyboard.press("e")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#annotate")).to_contain_text("没有要标的了")
    assert label_of(served, ticket) == {"category": "billing", "priority": "P2"}
    page.keyboard.press("u")
    sentence(page, "表走得快")
    assert label_of(served, ticket) is None
    page.keyboard.press("s")
    expect(page.locator("#annotate")).to_contain_text("跳过的1条")


def test_an_input_method_never_saves(browser: Browser, served: DeskServer) -> None:
    id = put(served, "查下余额")
    page = enter(browser, served)
    expect(page.locator(".rows li")).to_have_count(1)
    page.goto(f"{served.url}/desk/trainer#annotate/{id}")
    sentence(page, "查下余额")
    page.keyboard.press("/")
    method = page.context.new_cdp_session(page)
    method.send("Input.imeSetComposition", {"text": "fa'piao", "selectionStart": 7, "selectionEnd": 7})
    page.evaluate(
        """() => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
        {key: "Enter", isComposing: true, keyCode: 229, bubbles: true, cancelable: true}))"""
    )
    method.send("Input.insertText", {"text": "发票"})
    expect(page.locator("#found li").first).to_contain_text("开发票")
    assert label_of(served, id) is None
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-intent")).to_have_text("开发票")
    assert label_of(served, id) is None
    page.keyboard.press("Enter")
    expect(page.locator("#annotate")).to_contain_text("没有要标的了")
    assert (label_of(served, id) or {})["intent"] == "request_invoice"


def test_a_row_changed_by_another_shows_how_and_keeps_my_choice(browser: Browser, served: DeskServer) -> None:
    id = put(served, text_for(False))
    page = enter(browser, served)
    expect(page.locator(".rows li")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("#chosen-intent")).to_have_text("查余额")
    served.do(labels(served.stage).label(id, "ann", {"intent": "query_usage"}, 0))
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("ann标注：查用电量")
    expect(page.locator("#chosen-intent")).to_have_text("查电费")
    page.keyboard.press("Enter")
    expect(page.locator("#annotate")).to_contain_text("没有要标的了")
    events = served.do(labels(served.stage).events(id))
    assert standing(events, False).state == State.DISPUTED


def test_the_second_reader_is_blind_and_the_third_decides(browser: Browser, served: DeskServer) -> None:
    text = text_for(True)
    id = put(served, text)
    served.do(labels(served.stage).label(id, "ann", {"intent": "give_praise"}, 0))
    page = enter(browser, served)
    expect(page.locator(".rows li")).to_contain_text("待第二人")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    sentence(page, text)
    assert "表扬" not in page.locator("#annotate").inner_text().replace("表扬 give_praise", "")
    page.keyboard.press("Enter")
    expect(page.locator("#annotate")).to_contain_text("没有要标的了")
    page.close()
    admin = enter(browser, served, "admin")
    expect(admin.locator(".rows li")).to_contain_text("待裁定")
    expect(admin.locator("table")).to_contain_text("两人一致性")
    admin.keyboard.press("Escape")
    admin.keyboard.press("n")
    expect(admin.locator("#annotate")).to_contain_text("ann：表扬")
    admin.keyboard.press("7")
    expect(admin.locator("#chosen-intent")).to_have_text("表扬")
    admin.keyboard.press("Enter")
    expect(admin.locator("#annotate")).to_contain_text("没有要标的了")
    events = served.do(labels(served.stage).events(id))
    assert standing(events, True).state == State.LABELLED


@pytest.mark.parametrize("width", [1366, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious_in_review_and_annotate(
    browser: Browser, served: DeskServer, dark: bool, width: int, tmp_path: Path
) -> None:
    put(served, "上个月电费172.46元，户号3310000017，我叫张伟，怎么又涨了", value=4)
    put(served, "表走得快", kind=Kind.TRIAGE, reason="category_changed", value=3.0, suggestion=METERING)
    put(served, "电费多少", value=2)
    page = enter(browser, served, width=width, dark=dark)
    expect(page.locator(".rows li")).to_have_count(3)
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    name = f"{'phone' if width == PHONE else 'desktop'}-{'dark' if dark else 'light'}"
    page.screenshot(path=folder / f"review-{name}.png")
    assert serious(page) == []
    page.locator(".rows .open").first.click()
    expect(page.locator(".char").first).to_be_visible()
    for key in (".", "e", ".", "h"):
        page.keyboard.press(key)
    page.keyboard.press("/")
    page.keyboard.type("df")
    expect(page.locator("#found li").first).to_be_visible()
    page.screenshot(path=folder / f"annotate-{name}.png")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator(".sentence.plain")).to_be_visible()
    page.screenshot(path=folder / f"triage-{name}.png")
    assert serious(page) == []
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.screenshot(path=folder / f"help-{name}.png")
    assert serious(page) == []
    assert not wide(page)
