"""The customer's page in a real browser, with a scripted dialogue: what is seen, kept and reachable by everyone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from bot.message import Button, Outbound
from tests.bot.test_files import photo
from tests.channels.webchat.stage import Stage

pytestmark = pytest.mark.browser
MONTHS = [[f"{2025 + (n + 10) // 12}-{(n + 10) % 12 + 1:02}", f"{100 + n * 7.5:.2f}"] for n in range(12)]
BILL = Outbound(
    "2026年10月电费172.46元，用电293.3千瓦时，已缴清。",
    (Button("电费为什么高", "/explain_high_bill"), Button("怎么缴费", "/pay_bill")),
    {
        "kind": "bill", "title": "2026年10月电费账单", "as_of": "11月24日 21:02", "source": "营销系统",
        "rows": [["电费", "172.46元"], ["用电量", "293.3千瓦时"], ["状态", "已缴清"]], "chart": MONTHS,
    },
)  # fmt: skip
OUTAGE = Outbound(
    "望江区阳光花园：故障停电，预计11:30来电。", (),
    {"kind": "outage", "title": "望江区阳光花园", "as_of": "10:20",
     "rows": [["状态", "正在抢修"], ["预计来电", "11:30"]]},
)  # fmt: skip
HALL = Outbound(
    "为您找到这些营业厅。", (),
    {"kind": "hall", "title": "营业厅", "as_of": None,
     "rows": [["望江区中心营业厅（1.2公里）", "人民路18号 08:30-17:30"]]},
)  # fmt: skip
SERIOUS = ("serious", "critical")
FONT_SIZES = """[...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .map((e) => parseFloat(getComputedStyle(e).fontSize))"""
FIVE = Outbound("请选择", tuple(Button(f"选项{n}", f"/option_{n}") for n in range(1, 6)))


@pytest.fixture
def page(browser: Browser, stage: Stage) -> Page:
    return visit(browser, stage)


def visit(browser: Browser, stage: Stage, **options: Any) -> Page:
    stage.plan("账单", BILL)
    stage.plan("停电", OUTAGE)
    stage.plan("营业厅", HALL)
    stage.plan("五个", FIVE)
    shape = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN", **options}
    page = browser.new_context(**shape).new_page()
    page.goto(stage.url)
    expect(page.locator("#state")).to_have_text("智能客服在线", timeout=15_000)
    return page


def say(page: Page, text: str, answer: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")
    expect(page.locator(".row:not(.customer)").last).to_contain_text(answer, timeout=15_000)


def queued(page: Page, stage: Stage, number: int) -> None:
    stage.positions[number] = 2
    page.click("#person")
    expect(page.locator("#state")).to_contain_text("前面还有 2 位", timeout=15_000)


def answered(page: Page, stage: Stage, number: int) -> None:
    queued(page, stage, number)
    stage.take(number)
    stage.do(stage.agent_says("您好，我是坐席。", number))
    expect(page.locator(".row.agent")).to_be_visible(timeout=15_000)


def closed(page: Page, stage: Stage, number: int) -> None:
    answered(page, stage, number)
    stage.close(number)
    expect(page.locator("#rating")).to_be_visible(timeout=15_000)


def cut_off(page: Page, stage: Stage, number: int) -> None:
    say(page, "账单", "172.46")
    page.context.set_offline(True)
    for _ in range(10):  # a connection that is just being made is not cut by the first
        stage.do(stage.network.cut())
        page.wait_for_timeout(500)
        if page.locator("#offline").is_visible():
            break
    expect(page.locator("#offline")).to_be_visible(timeout=15_000)
    page.fill("#text", "还在吗")
    page.press("#text", "Enter")


def refused(page: Page, stage: Stage, number: int) -> None:
    page.set_input_files("#file", {"name": "坏.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator(".receipt.failed")).to_contain_text("只能发送图片", timeout=15_000)


def pictured(page: Page, stage: Stage, number: int) -> None:
    page.set_input_files("#file", {"name": "电表.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(400, 300))})
    expect(page.locator(".row.customer img")).to_be_visible(timeout=15_000)


def told(page: Page, stage: Stage, number: int) -> None:
    for text, answer in (("停电", "故障停电"), ("营业厅", "为您找到"), ("账单", "172.46")):
        say(page, text, answer)
    page.click("summary")


STATES: dict[str, Callable[[Page, Stage, int], object]] = {
    "welcome": lambda page, stage, number: None,
    "cards": told,
    "picture": pictured,
    "queued": queued,
    "agent": answered,
    "rating": closed,
    "offline": cut_off,
    "refused": refused,
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(browser: Browser, stage: Stage, state: str) -> None:
    for number, (scheme, elder) in enumerate(product(("light", "dark"), (False, True)), 1):
        page = visit(browser, stage, color_scheme=scheme)
        if elder:
            page.click("#size")
        STATES[state](page, stage, number)
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        wrong = [f"{v['id']}: {n['html'][:150]}" for v in found if v["impact"] in SERIOUS for n in v["nodes"]]
        assert wrong == [], f"{scheme}, elder {elder}"
        page.context.close()


def test_elder_mode_is_large_everywhere_and_offers_three_at_a_time(page: Page, stage: Stage) -> None:
    page.click("#size")
    told(page, stage, 1)
    say(page, "五个", "请选择")
    page.reload()
    expect(page.locator(".row .choices button").first).to_be_visible(timeout=15_000)
    assert min(page.evaluate(FONT_SIZES)) >= 20
    shown = page.locator(".row .choices button:visible")
    assert shown.all_text_contents() == ["选项1", "选项2", "选项3", "更多"]
    shown.last.click()
    assert shown.all_text_contents() == ["选项4", "选项5", "回到前面"]
    page.click("text=选项5")
    expect(page.locator(".row.customer .bubble").last).to_have_text("选项5", timeout=15_000)
    expect(page.locator(".row .choices")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_welcome_is_read_from_its_top_and_a_refusal_to_its_end(page: Page, stage: Stage) -> None:
    page.click("#size")
    page.wait_for_timeout(300)
    assert page.evaluate("document.getElementById('log').scrollTop") == 0
    refused(page, stage, 1)
    expect(page.locator(".receipt.failed")).to_be_in_viewport(ratio=1)


def test_a_person_can_be_asked_for_in_every_state(page: Page, stage: Stage) -> None:
    expect(page.locator("#person")).to_be_in_viewport()
    told(page, stage, 1)
    expect(page.locator("#person")).to_be_in_viewport()
    page.click("#person")
    expect(page.locator(".row.customer .bubble").last).to_have_text("转人工", timeout=15_000)
    expect(page.locator("#person")).to_have_text("排队中", timeout=15_000)
    expect(page.locator("#person")).to_be_in_viewport()


def test_a_chart_has_twelve_bars_and_says_its_numbers(page: Page, stage: Stage) -> None:
    say(page, "账单", "172.46")
    assert page.locator(".chart rect").count() == 12
    label = page.locator(".chart svg").get_attribute("aria-label") or ""
    assert all(value in label for _, value in MONTHS) and "2026年9月" in label
    heights = page.evaluate(
        "[...document.querySelectorAll('.chart rect')].map((r) => Number(r.getAttribute('height')))"
    )
    assert heights == sorted(heights) and heights[-1] == 100
    page.click("summary")
    assert page.locator(".chart tr").count() == 12


def test_what_is_written_offline_survives_a_reload_in_order(page: Page, stage: Stage) -> None:
    say(page, "你好", "你好")
    stage.do(stage.network.stop())
    for text in "甲乙丙":
        page.fill("#text", text)
        page.press("#text", "Enter")
    page.set_input_files("#file", {"name": "电表.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    expect(page.locator(".receipt")).to_have_count(4)
    page.wait_for_timeout(500)
    stage.do(stage.network.start())
    page.reload()
    expect(page.locator(".row.customer img")).to_be_visible(timeout=20_000)
    texts = [text for _, speaker, text in stage.transcript() if speaker == "customer"]
    assert texts == ["你好", "甲", "乙", "丙", "[图片]"]
    expect(page.locator(".receipt")).to_have_count(0)


def test_what_arrived_without_a_receipt_is_neither_shown_twice_nor_kept(page: Page, stage: Stage) -> None:
    def only_listen(route: WebSocketRoute) -> None:
        route.connect_to_server()
        route.on_message(lambda said: None)

    say(page, "你好", "你好")
    page.evaluate("""async () => {
      const asked = new URLSearchParams({ token: localStorage.getItem("dq.token"), after: 0 });
      const { id, text } = (await (await fetch(`/chat/messages?${asked}`)).json()).messages[0];
      const kept = { id, frame: { type: "message", text }, title: text };
      localStorage.setItem("dq.unsent.1", JSON.stringify(kept));
    }""")
    page.route_web_socket(re.compile("/chat/ws"), only_listen)
    page.reload()
    expect(page.locator(".row.bot")).to_be_visible(timeout=15_000)
    assert page.locator(".row.customer").count() == 1
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('dq.unsent'))") == []


def test_typing_ends_by_itself(page: Page, stage: Stage) -> None:
    say(page, "你好", "你好")
    stage.bell.ring("conversation:1", {"type": "typing", "from": "agent", "ttl": 1})
    expect(page.locator("#typing")).to_be_visible()
    expect(page.locator("#typing")).to_be_hidden(timeout=5_000)


def test_a_rating_is_asked_once_the_matter_is_closed(page: Page, stage: Stage) -> None:
    closed(page, stage, 1)
    page.reload()
    page.click("#rating button[aria-label='5星，非常满意']")
    expect(page.locator(".row.customer .bubble").last).to_have_text("评价：5星，非常满意", timeout=15_000)
    expect(page.locator("#rating")).to_be_hidden()
    page.reload()
    expect(page.locator(".row.customer").last).to_be_visible(timeout=15_000)
    expect(page.locator("#rating")).to_be_hidden()


def test_all_can_be_done_by_keyboard(page: Page, stage: Stage) -> None:
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    order = ["size", "person", "log", "查电费", "查停电", "登记诉求", "attach", "text", "发送"]
    assert reached[: len(order)] == order
    page.focus("#size")
    page.keyboard.press("Enter")
    expect(page.locator("#size")).to_have_attribute("aria-pressed", "true")


def test_a_new_message_above_the_fold_is_counted(page: Page, stage: Stage) -> None:
    for _ in range(3):
        told(page, stage, 1)
    answered(page, stage, 1)
    up = "new Promise((told) => { log.scrollTop = 0; setTimeout(() => told(log.scrollTop === 0), 300); })"
    page.wait_for_function(f"() => {up}")  # on a busy machine the page may still be on its way to the end
    stage.do(stage.agent_says("在上面吗？"))
    expect(page.locator("#newer")).to_have_text("↓ 1 条新消息", timeout=15_000)
    expect(page).to_have_title(re.compile(r"^\(1\)"))
    page.click("#newer")
    expect(page.locator("#newer")).to_be_hidden()
    expect(page).to_have_title("电力客服")


def test_a_changed_secret_makes_a_new_customer_without_losing_what_waits(page: Page, stage: Stage) -> None:
    say(page, "你好", "你好")
    page.evaluate("localStorage.setItem('dq.token', 'forged')")
    page.reload()
    say(page, "再来", "再来")
    assert page.locator(".row.customer").count() == 1
