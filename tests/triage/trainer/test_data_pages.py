"""The pages 数据 and 答案 in a real Chromium, over a copy of the trainers' files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import nlu_data
from nlu_data import Utterance
from tests.triage import pages
from tests.triage.desk_server import DeskServer
from tests.triage.pages import PHONE, serious, wide
from tests.triage.trainer.test_data_api import folders
from triage.trainer import exchange

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path, browser: Browser) -> Iterator[DeskServer]:
    with pages.serving(tmp_path, browser, ("zhou", "lin"), **folders(tmp_path)) as server:
        yield server


def enter(
    browser: Browser, served: DeskServer, page: str, name: str = "zhou", width: int = 1366, dark: bool = False
) -> Page:
    return pages.enter(browser, f"{served.url}/desk/trainer#{page}", name, width, dark)


def test_a_file_is_previewed_and_then_written(browser: Browser, served: DeskServer, tmp_path: Path) -> None:
    page = enter(browser, served, "data")
    expect(page.locator("#health")).to_contain_text("没有发现问题")
    before = sum(one.intent == "query_bill" for one in nlu_data.utterances())
    expect(page.locator(".bars li", has_text="查电费")).to_contain_text(str(before))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("text,intent\n你好,nonsense\n", "utf-8")
    page.set_input_files("#file", wrong)
    expect(page.locator("#preview")).to_contain_text("wrong.csv:2：没有这个意图")
    good = tmp_path / "rows.csv"
    rows = [Utterance("query_bill", "[上回](month)那张单子数目看不懂"), Utterance("query_restore_time", "停电了")]
    good.write_bytes(exchange.dump("csv", rows))
    page.set_input_files("#file", good)
    expect(page.locator("#preview")).to_contain_text("新增1条，改标注1条，没有变化0条")
    assert Utterance("query_bill", rows[0].text) not in list(nlu_data.utterances(tmp_path / "nlu" / "intents"))
    page.click("#write")
    expect(page.locator("#notice")).to_contain_text("已写入")
    expect(page.locator(".bars li", has_text="查电费")).to_contain_text(str(before + 1))
    assert set(rows) <= set(nlu_data.utterances(tmp_path / "nlu" / "intents"))
    with page.expect_download() as download:
        page.click("text=导出 >> nth=-1")
    assert exchange.parse("rasa", Path(download.value.path()).read_bytes())


def test_a_row_is_changed_and_taken_out_by_keyboard_and_undone(
    browser: Browser, served: DeskServer, tmp_path: Path
) -> None:
    page = enter(browser, served, "data")
    rows, intents = page.locator("#rows li"), tmp_path / "nlu" / "intents"
    before = {file: file.read_bytes() for file in intents.iterdir()}
    expect(rows).to_have_count(50)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("电费单")
    expect(rows).not_to_have_count(50)
    expect(rows.first).to_contain_text("电费单")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    said = rows.first.locator(".text").inner_text()
    page.keyboard.press("Enter")
    page.locator("#ask select").select_option("query_arrears")
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已保存")
    assert ("query_arrears", said) in {(row.intent, row.plain) for row in nlu_data.utterances(intents)}
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(page.locator("#notice")).to_contain_text("已撤销")
    page.keyboard.press("Delete")
    expect(page.locator("#ask-title")).to_contain_text("删去")
    page.click("#ask-agree")
    expect(page.locator("#notice")).to_contain_text("已删去")
    assert said not in {row.plain for row in nlu_data.utterances(intents)}
    page.locator("#notice").get_by_text("撤销").click()
    expect(page.locator("#notice")).to_contain_text("已撤销")
    assert before == {file: file.read_bytes() for file in intents.iterdir()}
    assert serious(page) == []


def test_what_blocks_a_training_is_shown_with_its_place(browser: Browser, served: DeskServer, tmp_path: Path) -> None:
    file = tmp_path / "nlu" / "intents" / "handoff.yml"
    file.write_text(file.read_text("utf-8").replace("- 转人工\n", "- 转人工\n    - 停电了\n", 1), "utf-8")
    page = enter(browser, served, "data", width=PHONE)
    expect(page.locator("#health .wrong")).to_contain_text("挡住训练")
    expect(page.locator(".findings")).to_contain_text("handoff.yml:6")
    assert serious(page) == [] and not wide(page)


def test_an_answer_is_edited_previewed_approved_and_said(browser: Browser, served: DeskServer, tmp_path: Path) -> None:
    page = enter(browser, served, "answers/response/say_balance")
    expect(page.locator(".wechat .bubble")).to_contain_text("1. 余额不足时提醒我")
    expect(page.locator(".web .chip")).to_have_text("余额不足时提醒我")
    page.fill("#answer", "您的余额是35元。")
    expect(page.locator(".editing .wrong")).to_contain_text("漏了要填的内容：{balance}（余额）")
    expect(page.locator(".editing .main")).to_be_disabled()
    page.fill("#answer", "您账户里还有{balance}元。\n（数据时间：{as_of}，来源：营销系统）")
    expect(page.locator(".telegram .bubble")).to_contain_text("您账户里还有35.20元。")
    expect(page.locator("#diff ins")).not_to_have_count(0)
    page.get_by_label("为什么改").first.fill("说得更短")
    page.click(".editing .main")
    expect(page.locator("#waiting .change")).to_contain_text("等另一位训练师批准")
    expect(page.locator("#waiting").get_by_text("批准", exact=True)).to_have_count(0)
    other = enter(browser, served, "answers", "lin")
    other.locator("#waiting").get_by_text("批准", exact=True).click()
    expect(other.locator("#waiting")).to_contain_text("没有等待处理的修改")
    assert "您账户里还有{balance}元。" in (tmp_path / "dialogue" / "sentences" / "billing.yml").read_text("utf-8")
    other.goto(f"{served.url}/desk/trainer#answers/response/say_balance")
    expect(other.locator(".history")).to_contain_text("lin 批准")


def test_answers_are_found_and_a_word_is_added(browser: Browser, served: DeskServer) -> None:
    page = enter(browser, served, "answers")
    expect(page.locator(".entries li")).not_to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("营业执")
    expect(page.locator(".entries")).to_contain_text("没有找到")
    page.click("text=带数据的回答")
    expect(page.locator(".entries li")).not_to_have_count(0)
    page.click("text=电力词典")
    page.click("text=新增")
    page.get_by_label("词", exact=True).last.fill("空开盒")
    page.get_by_label("为什么改").first.fill("客户常说")
    page.click("text=提交审批")
    expect(page.locator("#waiting")).to_contain_text("空开盒")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1366, PHONE])
def test_the_pages_are_accessible_in_both_colours_and_sizes(
    browser: Browser, served: DeskServer, width: int, dark: bool
) -> None:
    page = enter(browser, served, "data", width=width, dark=dark)
    for name, ready in (
        ("data", "#health"), ("answers", ".entries li"), ("answers/response/say_inform", ".phone"),
        ("answers/synonym/电表", ".editing"),
    ):  # fmt: skip
        page.goto(f"{served.url}/desk/trainer#{name}")
        expect(page.locator(ready).first).to_be_visible()
        assert serious(page) == [], name
        assert not wide(page), name
