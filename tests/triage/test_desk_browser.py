"""The desk's page in a real Chromium over a real queue, without Rasa: the agent's whole day by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from bot.message import Inbound
from tests.bot.test_files import amr, photo
from tests.triage.desk_server import DeskServer
from tests.triage.pages import log_in, opened, serious, serving

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path, browser: Browser) -> Iterator[DeskServer]:
    with serving(tmp_path, browser) as server:
        yield server


def enter(browser: Browser, served: DeskServer, name: str = "li", deaf: bool = False, dark: bool = False) -> Page:
    """A logged-in page; a `deaf` one hears nothing of the live stream."""
    page = opened(browser, dark=dark)
    if deaf:
        page.context.route("**/api/live*", lambda route: route.abort())
    log_in(page, f"{served.url}/desk", name)
    expect(page.locator("#views button").first).to_be_visible()
    expect(page.locator("#loading")).to_be_hidden()
    return page


def test_a_ticket_is_worked_by_keyboard_alone(browser: Browser, served: DeskServer) -> None:
    conversation = served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    expect(page.locator("#draft")).to_be_focused()
    page.keyboard.type("您好，正在核实。")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#log .row.agent .bubble")).to_have_text("您好，正在核实。")
    expect(page.locator("#draft")).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("现场要换表")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#log .row.note .bubble")).to_have_text("现场要换表")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("1")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#events")).to_contain_text("改类别")
    page.keyboard.press("p")
    page.keyboard.press("2")
    expect(page.locator("#summary")).to_contain_text("P2")
    page.keyboard.press("e")
    page.keyboard.type("已换表")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("已办结")
    said = served.do(served.stage.texts(conversation))
    assert "您好，正在核实。" in said and not any("换表" == text for text in said)


def test_transfer_gives_the_ticket_to_a_colleague(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#draft")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.locator("#ask select").last.select_option("wang")
    page.click("#ask-agree")
    expect(page.locator("#status")).to_contain_text("wang")


def test_a_colleague_is_mentioned_by_the_first_letters(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page, other = enter(browser, served), enter(browser, served, "wang")
    page.keyboard.press("c")
    expect(page.locator("#draft")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.locator("#draft").type("请看一下@wa")
    expect(page.locator("#canned li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#draft")).to_have_value("请看一下@wang ")
    page.keyboard.press("Control+Enter")
    expect(other.locator("#notice")).to_contain_text("li在工单备注里提到了您")


def test_a_handoff_is_called_out(browser: Browser, served: DeskServer) -> None:
    page = enter(browser, served)
    served.do(served.stage.hand_off("a", "电表走得太快"))
    expect(page.locator("#notice")).to_contain_text("有客户转人工")
    page.locator("#notice button").click()
    expect(page.locator("#log")).to_contain_text("电表走得太快")


def test_the_wall_gives_an_agents_tickets_to_another(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    lead = enter(browser, served, "admin")
    lead.click("#page-wall")
    lead.click("text=看工单、改派")
    lead.locator("#ask select").select_option("@wang")
    lead.click("#ask-agree")
    expect(lead.locator("#notice")).to_contain_text("改派了1张")
    expect(page.locator("#status")).to_contain_text("wang")


def test_a_supervisor_edits_canned_replies_and_reads_the_audit_trail(browser: Browser, served: DeskServer) -> None:
    page = enter(browser, served, "admin")
    page.click("#page-people")
    page.click("#people >> text=常用语")
    page.fill("#ask input", "停电致歉")
    page.fill("#ask textarea", "很抱歉给您添了麻烦。")
    page.click("#ask >> text=保存")
    expect(page.locator("#ask .item", has_text="停电致歉")).to_be_visible()
    assert serious(page) == []
    page.locator("#ask .item", has_text="停电致歉").get_by_text("删除").click()
    expect(page.locator("#ask .item", has_text="停电致歉")).to_have_count(0)
    page.keyboard.press("Escape")
    page.click("text=审计记录")
    expect(page.locator("#ask .item", has_text="save_canned")).to_be_visible()
    page.click("#ask >> text=校验")
    expect(page.locator("#notice")).to_contain_text("审计记录完整")
    page.keyboard.press("Escape")
    page.click("#me")
    expect(page.locator("#ask .item")).to_contain_text(["这一次"])


def test_a_refused_change_is_told_and_nothing_else_happens(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page, broken = enter(browser, served), list[str]()
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.context.route("**/api/tickets/*/claim", lambda route: route.fulfill(status=409, json={"detail": "慢了一步"}))
    page.locator("#list li").first.click()
    page.click("#claim")
    expect(page.locator("#notice")).to_contain_text("慢了一步")
    page.wait_for_timeout(200)
    assert broken == []


def test_a_draft_survives_reload_and_logout(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    page.locator("#draft").type("写到一半")
    expect(page.locator("#kept")).to_have_text("草稿已保存")
    page.reload()
    page.locator("#list li").first.click()
    expect(page.locator("#draft")).to_have_value("写到一半")
    page.close()
    page = enter(browser, served)
    page.locator("#list li").first.click()
    expect(page.locator("#draft")).to_have_value("写到一半")


def test_a_canned_reply_comes_by_its_initials_and_never_goes_out_unfilled(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.desk.writing.save_canned("预约上门", "您好，{姓名}，工单{工单号}约在明天。", None))
    conversation = served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    page.locator("#draft").type("/yysm")
    expect(page.locator("#canned li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#draft")).to_have_value(
        f"您好，{{姓名}}，工单{page.locator('#number').inner_text()}约在明天。"
    )
    page.keyboard.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("还有没填的变量：姓名")
    assert page.locator("#log .row.agent").count() == 0
    page.keyboard.type("客户")  # the open variable is selected: typing fills it
    page.keyboard.press("Control+Enter")
    expect(page.locator("#log .row.agent .bubble")).to_contain_text("您好，客户，工单DQ")
    assert not any("{" in text for text in served.do(served.stage.texts(conversation)))


def test_the_send_guard_shows_what_was_missed_and_keeps_the_draft(browser: Browser, served: DeskServer) -> None:
    conversation = served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served, deaf=True)
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    served.do(served.stage.say("a", "不用了，已经好了"))
    page.locator("#draft").type("师傅马上到")
    slow: list[Route] = []
    page.route(lambda url: re.search(r"/tickets/\d+$", url) is not None, lambda route: slow.append(route))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#missed")).to_contain_text("不用了，已经好了")
    expect(page.locator("#draft")).to_have_value("师傅马上到")
    assert "师傅马上到" not in served.do(served.stage.texts(conversation))
    page.click("#missed-send")  # at once, while the page is still drawn anew
    expect(page.locator("#draft")).to_have_value("")
    assert slow
    page.unroute_all()  # which lets go of what was held
    expect(page.locator("#log .row.agent .bubble")).to_have_text("师傅马上到")


def test_a_picture_is_looked_at_before_it_is_sent(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表在哪里"))
    page = enter(browser, served)
    page.on("filechooser", lambda _: None)  # from now on the browser gives us its dialogs
    page.keyboard.press("c")
    expect(page.locator("#status")).to_contain_text("li")
    expect(page.locator("#draft")).to_be_focused()
    for keep in (False, True):
        page.keyboard.press("Escape")
        expect(page.locator("#draft")).not_to_be_focused()
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("u")
        chooser.value.set_files({"name": "电表.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(640, 480))})
        expect(page.locator("#picture-seen")).to_be_visible()
        assert page.locator("#picture-seen").evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 480
        if not keep:
            page.click("#picture-drop")
            expect(page.locator("#picture")).to_be_hidden()
            expect(page.locator("#draft")).to_be_focused()
    assert serious(page) == []
    expect(page.locator("#picture-send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#log .row.agent img")).to_have_count(1)
    expect(page.locator("#draft")).to_be_focused()


def test_a_voice_from_wechat_is_played_in_the_conversation(browser: Browser, served: DeskServer) -> None:
    async def spoken() -> None:
        stage = served.stage
        kept = await stage.files.keep(amr(2), "", "wechat:1", spoken=True)
        await stage.conversations.receive(Inbound("web", "a", "v", "[语音]", stage.now, attachments=(kept,)))

    served.do(spoken())
    served.do(served.stage.hand_off("a"))
    page = enter(browser, served)
    page.keyboard.press("c")
    voice = page.locator("#log .row.customer audio")
    expect(voice).to_have_count(1)
    voice.evaluate("(one) => { one.muted = true; one.dataset.mine = 'yes'; one.play(); }")
    expect(voice).to_have_js_property("paused", False)
    served.do(served.stage.say("a", "还在吗"))
    expect(page.locator("#log .row.customer", has_text="还在吗")).to_be_visible()
    expect(voice).to_have_attribute("data-mine", "yes")  # the conversation was drawn anew, the player stays
    expect(voice).to_have_js_property("ended", True, timeout=60_000)
    assert 1.8 < voice.evaluate("(one) => one.currentTime") < 2.3
    assert serious(page) == []


def test_enter_while_composing_never_sends(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    page = enter(browser, served)
    page.keyboard.press("c")
    expect(page.locator("#draft")).to_be_focused()
    method = page.context.new_cdp_session(page)
    method.send("Input.imeSetComposition", {"text": "ni'hao", "selectionStart": 6, "selectionEnd": 6})
    for keys in ("Enter", "Control+Enter"):
        page.evaluate(
            """control => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
            {key: "Enter", ctrlKey: control, isComposing: true, keyCode: 229, bubbles: true, cancelable: true}))""",
            keys.startswith("Control"),
        )
    method.send("Input.insertText", {"text": "你好"})
    expect(page.locator("#draft")).to_have_value("你好")
    page.wait_for_timeout(300)
    assert page.locator("#log .row.agent").count() == 0
    page.keyboard.press("Control+Enter")
    expect(page.locator("#log .row.agent .bubble")).to_have_text("你好")


def test_two_at_one_ticket_see_each_other_and_one_answers(browser: Browser, served: DeskServer) -> None:
    served.do(served.stage.hand_off("a", "电表走得太快"))
    li, wang = enter(browser, served), enter(browser, served, "wang")
    for page in (li, wang):
        page.locator("#list li").first.click()
        expect(page.locator("#ticket")).to_be_visible()
    expect(li.locator("#viewers")).to_contain_text("wang")
    li.click("#claim")
    expect(wang.locator("#status")).to_contain_text("li")
    wang.locator("#draft").type("我来回")
    expect(li.locator("#viewers")).to_contain_text("正在写回复")
    wang.keyboard.press("Control+Enter")
    expect(wang.locator("#notice")).to_contain_text("草稿已保留")
    expect(wang.locator("#draft")).to_have_value("我来回")


def test_bulk_changes_are_previewed_and_taken_back(browser: Browser, served: DeskServer) -> None:
    for name in ("a", "b"):
        served.do(served.stage.hand_off(name, "电表走得太快"))
    page = enter(browser, served)
    for index in (0, 1):
        page.locator("#list li input").nth(index).check()
    page.click("#bulk-priority")
    page.select_option("#ask select", "P1")
    page.fill("#ask input", "大面积影响")
    page.click("#ask-agree")
    expect(page.locator("#ask-title")).to_have_text("将要这样改")
    expect(page.locator("#ask .effects li")).to_have_count(2)
    page.click("#ask-agree")
    expect(page.locator("#list .P1")).to_have_count(2)
    page.click("#notice button")
    expect(page.locator("#list .P1")).to_have_count(0)


def test_the_list_has_no_end_and_its_sort_sticks(browser: Browser, served: DeskServer) -> None:
    for number in range(60):
        served.do(served.stage.file(f"c{number}", f"电表第{number}次走得太快"))
    page = enter(browser, served)
    expect(page.locator("#list li")).to_have_count(50)
    page.click("#more")
    expect(page.locator("#list li")).to_have_count(60)
    page.click(".filters summary")
    page.select_option("#sort", "newest")
    expect(page.locator("#list .text").first).to_contain_text("第59次")
    page.reload()
    expect(page.locator("#list .text").first).to_contain_text("第59次")
    page.click(".filters summary")
    page.click("#save-view")
    page.fill("#ask input", "最新的")
    page.click("#ask-agree")
    expect(page.locator("#saved")).to_contain_text("最新的")


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(browser: Browser, served: DeskServer, dark: bool) -> None:
    served.do(served.stage.file("a", "电表走得太快，多收了钱", "3310000017"))
    page = enter(browser, served, "admin", dark=dark)
    assert serious(page) == []
    page.locator("#list li").first.click()
    expect(page.locator("#customer .chart")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("#draft").type("/")
    expect(page.locator("#canned li").first).to_be_visible()
    page.locator("#list li input").first.evaluate("box => box.click()")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator("#ask .palette")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    for name in ("wall", "people"):
        page.click(f"#page-{name}")
        expect(page.locator(f"#{name} table").first).to_be_visible()
        assert serious(page) == []
    page.click("#page-tickets")
    page.fill("#search", "没有这样的话")
    expect(page.locator("#empty")).to_be_visible()
    page.context.route("**/api/tickets?*", lambda route: route.abort())
    page.fill("#search", "断网")
    expect(page.locator("#broken")).to_be_visible()
    assert serious(page) == []
