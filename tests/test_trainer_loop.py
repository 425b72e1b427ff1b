"""The trainer's loop on real processes: a misunderstood message is labelled, learnt, promoted, understood, taken back.

The product runs from a copy of the project, whose training files and models the loop changes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bot import dialogue_model
from tests.product import Product, own_tree
from tests.triage.pages import enter
from triage import training

pytestmark = [pytest.mark.rasa, pytest.mark.browser, pytest.mark.timeout(1500)]
SAID, MEANT = "出纳那里还差一张凭条", "request_invoice"
NOT_UNDERSTOOD = "没听明白"
TRAINED_WITHIN = 600_000


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dialogue_model.prepare()
    training.ensure()
    return own_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def product(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("var"), tree)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def heard(browser: Browser, product: Product, text: str) -> str:
    """What a new customer on the web page is answered."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    page = context.new_page()
    page.goto(product.url)
    greeting = page.locator(".row:not(.customer)")
    expect(page.locator("#state")).to_have_text("智能客服在线", timeout=15_000)
    before = greeting.count()
    page.fill("#text", text)
    page.press("#text", "Enter")
    expect(greeting).to_have_count(before + 1, timeout=15_000)
    answer = greeting.last.inner_text()
    context.close()
    return answer


def heard_until(browser: Browser, product: Product, understood: bool) -> str:
    """The answer once the model that was put in use has taken over."""
    for _ in range(20):
        answer = heard(browser, product, SAID)
        if (NOT_UNDERSTOOD not in answer) == understood:
            return answer
        time.sleep(1)
    raise AssertionError(answer)


def trainer(browser: Browser, product: Product) -> Page:
    page = enter(browser, f"{product.url}/desk/trainer#review", "admin")
    expect(page.locator("#desk")).to_be_visible()
    return page


def label(page: Page) -> None:
    """Find it in the review list and say what it means, by keyboard."""
    page.click("#page-review")
    row = page.locator(".rows li .open", has_text=SAID)
    for _ in range(30):  # the list looks for itself every ten seconds
        page.get_by_text("现在查一遍").click()
        expect(page.locator("#notice")).to_be_visible()
        if row.count():
            break
        time.sleep(2)
    expect(row).to_contain_text("没听懂")
    row.click()
    expect(page.locator(".sentence")).to_have_text(SAID)
    page.keyboard.press("/")
    page.keyboard.type("开发票")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-intent")).to_have_text("开发票")
    page.keyboard.press("Enter")
    expect(page.locator("#annotate")).not_to_contain_text(SAID)


def train(page: Page) -> str:
    """Press the button, wait, and return the new version."""
    page.click("#page-models")
    page.click("#train")
    page.select_option("#ask select", "dialogue")
    page.click("#ask-agree")
    expect(page.locator("#job h2")).to_contain_text("正在训练", timeout=20_000)
    expect(page.locator("#left")).to_contain_text("还要约")
    expect(page.locator("#job h2")).to_contain_text("完成", timeout=TRAINED_WITHIN)
    expect(page.locator("#job .notes")).to_contain_text("写入了1条标注")
    row = page.locator("#kind-dialogue tr:not(:has(.chip)):has(.promote)").first
    return row.locator("td").first.inner_text().strip()


def shadowed(page: Page, browser: Browser, product: Product, version: str) -> None:
    """The candidate reads along without answering, and the page shows where it reads otherwise."""
    page.click("#page-models")
    page.locator("#shadow").get_by_text("让候选版本旁听").click()
    page.select_option("#ask select", f"dialogue/{version}")
    page.click("#ask-agree")
    expect(page.locator("#shadow")).to_contain_text("正在旁听")
    for _ in range(20):
        assert NOT_UNDERSTOOD in heard(browser, product, SAID)
        page.reload()
        expect(page.locator("#shadow .small").first).to_be_visible()
        if page.locator("#shadow summary").count():
            break
        time.sleep(3)
    page.locator("#shadow summary").click()
    row = page.locator("#shadow tr", has_text=SAID).first
    expect(row).to_contain_text("没听懂")
    expect(row).to_contain_text("开发票")
    page.locator("#shadow").get_by_text("停止旁听").click()
    expect(page.locator("#shadow")).not_to_contain_text("正在旁听")


def test_from_a_misunderstood_message_to_a_better_model_and_back(
    browser: Browser, product: Product, tree: Path
) -> None:
    assert NOT_UNDERSTOOD in heard(browser, product, SAID)
    page = trainer(browser, product)
    label(page)
    version = train(page)
    kept = [json.loads(line) for line in (tree / "nlu_data" / "regressions.jsonl").read_text("utf-8").splitlines()]
    assert (kept[-1]["text"], kept[-1]["intent"]) == (SAID, MEANT)
    shadowed(page, browser, product, version)
    row = page.locator("#kind-dialogue tr", has_text=version)
    row.get_by_text("看报告和比较").click()
    expect(page.locator(".verdict")).to_contain_text("可以上线")
    expect(page.locator("#comparison [data-group=broken]")).to_have_text("纠正过又读错 0")
    page.get_by_role("button", name="上线", exact=True).click()
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已上线")
    assert "发票" in heard_until(browser, product, understood=True)
    page.locator("#kind-dialogue").get_by_text("退回上一版").click()
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已退回")
    heard_until(browser, product, understood=False)
    page.click("#page-effect")
    expect(page.locator("#effect .mark").first).to_be_attached()
