"""`python -m tests.pictures`: the pictures of the README and docs, taken anew from the real product."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bot import dialogue_model
from tests.conftest import BROWSER_ARGUMENTS
from tests.product import ROOT, Customer, Product
from tests.triage.pages import enter
from triage import training

DOCS = ROOT / "docs"
TALKS = (
    ("你们抄表抄错了，多收了我两百块，打了三次电话没人管，我要投诉",),
    ("家里电压忽高忽低，灯一闪一闪的，空调都烧坏了", "3310008215", "6968"),
    ("查电费", "3310000017", "1580", "怎么比去年多了", "转人工"),
    ("青枫县翠湖小区整个小区都停电了",),
    ("青枫县翠湖小区没电了，邻居也停了",),
    ("小区充电桩一直坏着没人修，问了物业推来推去", "还是不行", "阿巴阿巴歪比巴卜"),
    ("营业厅的人态度太差了，让我白跑两趟", "真是服了你们这个破机器人", "转人工"),
    ("变压器那里嗡嗡响得吓人，还有焦糊味，会不会着火",),
)
TRAINER = ("review", "annotate", "data", "models", "answers", "effect")


def talk(product: Product) -> None:
    """Fill the queue and the review list with what customers say."""
    for lines in TALKS:
        customer = Customer(product)
        for line in lines:
            customer.ask(line)


def chat(browser: Browser, product: Product) -> None:
    """A customer's phone."""
    page = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN").new_page()
    page.goto(product.url)
    for text in ("我上个月电费多少", "3310000017", "1580"):
        page.fill("#text", text)
        page.press("#text", "Enter")
        page.wait_for_timeout(2500)
    page.screenshot(path=DOCS / "chat.png")


def entered(browser: Browser, product: Product, path: str) -> Page:
    """A logged-in page of the desk or the trainers."""
    page = enter(browser, f"{product.url}{path}", "admin")
    page.wait_for_selector("#desk:not([hidden])")
    page.wait_for_timeout(1500)
    return page


def desk(browser: Browser, product: Product) -> None:
    """The agents' pages."""
    page = entered(browser, product, "/desk")
    page.screenshot(path=DOCS / "desk-queue.png")
    page.locator("#list li", has_text="怎么比去年多了").first.click()
    page.wait_for_timeout(1500)
    page.click("#claim")
    page.wait_for_timeout(1000)
    page.screenshot(path=DOCS / "desk.png")
    page.click("#view-incidents")
    page.wait_for_timeout(800)
    page.screenshot(path=DOCS / "desk-incidents.png")
    for name in ("wall", "people"):
        page.click(f"#page-{name}")
        page.wait_for_timeout(1200)
        page.screenshot(path=DOCS / f"desk-{name}.png")


def trainer(browser: Browser, product: Product) -> None:
    """The trainers' pages."""
    page = entered(browser, product, "/desk/trainer")
    for name in TRAINER:
        page.evaluate(f"location.hash = '{name}'")
        page.get_by_text("正在读取").first.wait_for(state="detached", timeout=60_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=DOCS / f"trainer-{name}.png")


def main() -> int:
    """Take every picture; returns the exit code."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("error: Chromium is not installed (Debian: chromium)", file=sys.stderr)
        return 2
    dialogue_model.prepare()
    training.ensure()
    with tempfile.TemporaryDirectory(prefix="dianqiao-pictures-") as name, sync_playwright() as playwright:
        product = Product(Path(name))
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        product.start()
        try:
            talk(product)
            for one in (chat, desk, trainer):
                one(browser, product)
        finally:
            product.stop()
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
