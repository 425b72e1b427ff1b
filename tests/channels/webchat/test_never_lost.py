"""A thousand messages, half in each direction, while the network breaks a hundred times."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.channels.webchat.stage import Stage

# minutes on a busy machine: the limit is no measure of speed
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
EACH, CUTS = 500, 100
TALK = """async (each) => {
  const text = document.getElementById("text"), form = document.getElementById("form");
  for (let n = 1; n < each; n++) {
    text.value = `客户${n}`;
    form.requestSubmit();
    await new Promise((done) => setTimeout(done, Math.random() * 40));
  }
}"""
SHOWN = "[...document.querySelectorAll('.row.customer .bubble, .row.agent .bubble')].map((b) => b.textContent)"


@pytest.mark.parametrize("sockets", [True, False], ids=["websocket", "long poll"])
def test_nothing_is_lost_doubled_or_out_of_order(browser: Browser, stage: Stage, sockets: bool) -> None:
    stage.doors.sockets = sockets
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(stage.url)
    page.fill("#text", "客户0")
    page.press("#text", "Enter")
    expect(page.locator(".row.bot")).to_have_count(1, timeout=20_000)
    stage.take()

    async def agent() -> None:
        for number in range(EACH):
            await stage.agent_says(f"坐席{number}")
            await asyncio.sleep(0.02)

    speaking = stage.begin(agent())
    page.evaluate(f"({TALK})({EACH}).then(() => {{ window.done = true; }}); 0")
    until, cut_at = time.monotonic() + 600, 0
    while time.monotonic() < until:
        shown = page.evaluate("document.querySelectorAll('.row.customer, .row.agent').length")
        if shown >= 2 * EACH and stage.network.cuts >= CUTS and not page.locator(".receipt").count():
            break
        if stage.network.cuts < CUTS and (shown >= cut_at or shown >= 2 * EACH):
            stage.do(stage.network.cut())
            cut_at = shown + 2 * EACH // (CUTS + 5)
        page.wait_for_timeout(100)
    speaking.result(30)
    stored = [text for _, speaker, text in stage.transcript() if speaker in ("customer", "agent")]
    assert stage.network.cuts >= CUTS
    assert page.evaluate(SHOWN) == stored
    assert [text for text in stored if text.startswith("客户")] == [f"客户{n}" for n in range(EACH)]
    assert [text for text in stored if text.startswith("坐席")] == [f"坐席{n}" for n in range(EACH)]
    assert [seq for seq, _, _ in stage.transcript()] == list(range(1, 2 * EACH + 2))
    assert (stage.doors.opened > CUTS // 4) is sockets
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('dq.unsent')).length") == 0
