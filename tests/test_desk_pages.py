"""The two pages in a real browser, over the running product: a customer on one side, an agent on the other."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.product import Product
from tests.triage.pages import enter

pytestmark = [pytest.mark.rasa, pytest.mark.browser]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One of its own: an agent's first page shows these tests' tickets alone."""
    running = Product(tmp_path_factory.mktemp("desk"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def chat(browser: Browser, product: Product, width: int = 390) -> Page:
    page = browser.new_context(viewport={"width": width, "height": 844}, locale="zh-CN").new_page()
    page.goto(product.url)
    return page


def say(page: Page, text: str, answer: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")
    expect(page.locator(".row:not(.customer)").last).to_contain_text(answer, timeout=10_000)


def desk(browser: Browser, product: Product) -> Page:
    page = enter(browser, f"{product.url}/desk", "admin", 1440)
    expect(page.locator("#desk")).to_be_visible()
    expect(page.locator("#live")).to_have_text("实时")
    return page


def test_the_three_things_on_a_phone(browser: Browser, product: Product) -> None:
    page = chat(browser, product)
    page.click("text=查电费")
    expect(page.locator(".row.bot").last).to_contain_text("户号", timeout=10_000)
    say(page, "3310000017", "后四位")
    say(page, "1580", "数据时间")
    expect(page.locator(".card h2").last).to_contain_text("电费账单")
    say(page, "我家停电了，什么时候来电", "现在没有登记的停电")
    say(page, "你们抄表抄错了没人管，我要投诉", "工单号")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.reload()
    expect(page.locator(".card h2").first).to_contain_text("电费账单")
    assert page.locator(".row.customer").count() == 5


def test_an_agent_answers_in_the_customers_open_page(browser: Browser, product: Product) -> None:
    agent, customer = desk(browser, product), chat(browser, product)
    say(customer, "<b>我要</b>转人工", "工单号")
    ticket = agent.locator("#list li", has_text="<b>我要</b>转人工")
    expect(ticket).to_be_visible(timeout=5_000)
    ticket.click()
    expect(agent.locator("#log")).to_contain_text("<b>我要</b>转人工")
    agent.click("#claim")
    expect(agent.locator("#status")).to_contain_text("admin")
    expect(customer.locator("#state")).to_have_text("人工客服为您服务", timeout=5_000)
    agent.keyboard.press("r")
    agent.keyboard.type("您好，我是坐席，请问有什么可以帮您？")
    agent.keyboard.press("Control+Enter")
    expect(customer.locator(".row.agent").last).to_contain_text("我是坐席", timeout=1_000)
    before = customer.locator(".row.bot").count()
    customer.fill("#text", "我上个月电费多少")
    customer.press("#text", "Enter")
    expect(agent.locator("#log .row.customer").last).to_contain_text("我上个月电费多少", timeout=5_000)
    customer.wait_for_timeout(1_500)
    assert customer.locator(".row.bot").count() == before
    agent.keyboard.press("Escape")
    agent.keyboard.press("e")
    agent.fill("#ask textarea", "已核对账单")
    agent.click("#ask button.main")
    expect(customer.locator(".row.system").last).to_contain_text("已办结：已核对账单", timeout=5_000)
    say(customer, "查电费", "户号")


def test_a_handoff_brings_the_verified_account(browser: Browser, product: Product) -> None:
    agent, customer = desk(browser, product), chat(browser, product)
    say(customer, "想查一下电费", "户号")
    say(customer, "3310000017", "后四位")
    say(customer, "1580", "数据时间")
    say(customer, "转人工", "工单号")
    agent.locator("#list li", has_text="想查一下电费").click()
    expect(agent.locator("#customer")).to_contain_text("33****0017", timeout=5_000)
    expect(agent.locator("#customer .chart")).to_be_visible()


def test_the_widget_embeds_in_a_foreign_page(browser: Browser, product: Product, tmp_path: Path) -> None:
    script = f'<script src="{product.url}/widget.js" defer></script>'
    (tmp_path / "index.html").write_text(f"<!doctype html><meta charset=utf-8><h1>别的网站</h1>{script}")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://localhost:{server.server_port}/index.html")
    page.click("text=电力客服")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#state")).to_have_text("智能客服在线")
    frame.locator("#text").fill("你好")
    frame.locator("#text").press("Enter")
    expect(frame.locator(".row.bot").last).to_contain_text("您好", timeout=10_000)
    page.keyboard.press("Escape")
    server.shutdown()


def test_what_was_typed_offline_is_sent_on_return(browser: Browser, product: Product) -> None:
    page = chat(browser, product)
    say(page, "你好", "您好")
    page.context.set_offline(True)
    page.fill("#text", "谢谢")
    page.press("#text", "Enter")
    expect(page.locator(".receipt").last).to_contain_text("发送中")
    page.context.set_offline(False)
    page.reload()
    expect(page.locator(".row.bot").last).to_contain_text("不客气", timeout=15_000)
    assert page.locator(".row.customer").count() == 2
