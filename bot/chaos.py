"""`python -m bot chaos`: storms, kills and handoff races against the whole product, and a verdict.

It starts the product with a real Rasa on free ports and a folder of its own, lets customers write through WeChat,
Telegram and the web page while every message comes several times, the service is killed, and an agent takes over;
then it compares what was said with what was stored and what was stored with what the phones show.

Telegram has no key by which it would know a message again. One that was on its way when the service was killed is sent
again (`bot.outbox.Outbox`), at most one for each customer and kill, and marked as such: it counts as `in_flight`.
Shown twice without that mark, or more often, is `doubled`.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import select

from bot import dialogue_model
from bot.app import actions_token
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.dialogue import environment
from bot.message import Speaker
from bot.outbox import AGAIN
from bot.rasa_process import RasaProcess
from bot.settings import ROOT, child_environment, free_port
from channels.simulator.__main__ import environment as platform_settings
from channels.simulator.__main__ import platforms
from channels.simulator.telegram import TelegramPlatform
from channels.simulator.wechat import WeChatPlatform

CUSTOMERS = 4
KILLS = 2
READY_WITHIN = 180
SETTLE_WITHIN = 150
SAID = ("我上个月电费多少", "我家停电了", "怎么缴电费", "附近的营业厅在哪里", "谢谢", "开发票")


@dataclass
class Verdict:
    """What went wrong, counted in messages; all 0 is well. `said` and `answers` tell how much was tried.

    `in_flight` were shown twice because a kill met them on their way; at least once allows that, so it is no fault.
    """

    said: int = 0
    answers: int = 0
    kills: int = 0
    in_flight: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    bot_after_handoff: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Nothing went wrong."""
        return not (self.lost or self.doubled or self.out_of_order or self.bot_after_handoff)


@dataclass(frozen=True)
class Talk:
    """One conversation as stored: (speaker, text, answered or delivered) by seq."""

    channel: str
    sender: str
    rows: Sequence[MessageRow]


class Service:
    """The product as a child process that can be killed and started again."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        """`settings` go into its environment."""
        self.url = f"http://127.0.0.1:{settings['PORT']}"
        self._folder = folder
        self._environment = child_environment(settings)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start and wait until it answers; raises `RuntimeError` with the end of its log."""
        with (self._folder / "service.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        until = time.monotonic() + READY_WITHIN
        async with httpx.AsyncClient() as http:
            while time.monotonic() < until and self._process.returncode is None:
                with suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/readyz", timeout=5)).status_code == 200:
                        return
                await asyncio.sleep(0.3)
        raise RuntimeError(f"the service did not start:\n{(self._folder / 'service.log').read_text()[-2000:]}")

    async def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default without warning."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._process.wait()


async def chaos(seconds: float = 30, seed: int = 1) -> Verdict:
    """Play for `seconds` and judge; everything started is stopped again."""
    rng, verdict = random.Random(seed), Verdict()
    ports = {name: free_port() for name in ("service", "rasa", "wechat", "telegram")}
    with tempfile.TemporaryDirectory(prefix="dianqiao-chaos-") as name:
        folder, secret = Path(name), secrets.token_urlsafe(24)
        settings = {
            **platform_settings(ports["wechat"], ports["telegram"], passive=False),
            "PORT": str(ports["service"]),
            "HOST": "127.0.0.1",
            "RASA_URL": f"http://127.0.0.1:{ports['rasa']}",
            "VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'chaos.db'}",
            "SECRET_KEY": secret,
            "ADMIN_PASSWORD": secret,
        }
        rasa = RasaProcess(
            partial(environment.serve_command, ports["rasa"], dialogue_model.prepare()),
            child_environment(
                {
                    **environment.QUIET,
                    "ACTIONS_URL": f"http://127.0.0.1:{ports['service']}/actions",
                    "ACTIONS_TOKEN": actions_token(secret),
                }
            ),
            folder / "rasa.log",
        )
        service = Service(folder, settings)
        wechat, telegram = platforms(service.url, settings)
        servers = [
            uvicorn.Server(uvicorn.Config(app, port=ports[name], log_level="critical", lifespan="off"))
            for name, app in (("wechat", wechat.app()), ("telegram", telegram.app()))
        ]
        tasks = [asyncio.create_task(rasa.run()), *(asyncio.create_task(server.serve()) for server in servers)]
        try:
            await service.start()
            said = await _play(service, wechat, telegram, secret, seconds, rng, verdict)
            await _settle(settings["DATABASE_URL"], telegram)
            await service.stop(signal.SIGINT)
            talks = await _talks(settings["DATABASE_URL"])
        finally:
            with suppress(Exception):
                await service.stop()
            for server in servers:
                server.should_exit = server.force_exit = True
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await wechat.close()
            await telegram.close()
        phones = {("wechat", who): wechat.heard(who) for who in said["wechat"]}
        phones |= {("telegram", str(telegram.person(who))): telegram.heard(who) for who in said["telegram"]}
        everyone = {("wechat", who): texts for who, texts in said["wechat"].items()}
        everyone |= {("telegram", str(telegram.person(who))): texts for who, texts in said["telegram"].items()}
        judge(talks, everyone, phones, verdict)
        return verdict


def judge(
    talks: Sequence[Talk],
    said: dict[tuple[str, str], list[str]],
    phones: dict[tuple[str, str], list[str]],
    verdict: Verdict,
) -> None:
    """Compare what was said and shown with what was stored; adds to `verdict`. The web is judged by seq alone."""
    by_contact = {(talk.channel, talk.sender): talk for talk in talks}
    for contact, texts in said.items():
        talk = by_contact.get(contact)
        stored = [row.text for row in talk.rows if row.speaker == Speaker.CUSTOMER] if talk else []
        verdict.said += len(texts)
        # what was stored without the phone having heard so is no fault; each text is said once
        _compare("said", contact, Counter(texts), Counter(stored) & Counter(texts), verdict)
        verdict.doubled += (Counter(stored) - Counter(set(stored))).total()
    for talk in talks:
        ours = [row for row in talk.rows if row.speaker != Speaker.CUSTOMER]
        verdict.answers += len(ours)
        verdict.lost += sum(1 for row in talk.rows if not row.answered)
        if [row.seq for row in talk.rows] != list(range(1, len(talk.rows) + 1)):
            verdict.out_of_order += 1
            verdict.notes.append(f"{talk.channel}: seq has gaps")
        shown = phones.get((talk.channel, talk.sender))
        if shown is not None:
            expected = [_shown(talk.channel, row) for row in ours]
            shown = _without_repeats(ours, [text for text in shown if text != "[图片]"], verdict)
            if not _compare("shown", (talk.channel, talk.sender), Counter(expected), Counter(shown), verdict):
                verdict.out_of_order += sum(1 for a, b in zip(expected, shown, strict=True) if a != b)
        taken = next((row.seq for row in talk.rows if row.speaker == Speaker.AGENT), None)
        if taken is not None:
            verdict.bot_after_handoff += sum(1 for row in ours if row.seq > taken and row.speaker == Speaker.BOT)


def _without_repeats(ours: Sequence[MessageRow], shown: Sequence[str], verdict: Verdict) -> list[str]:
    """What is shown, less the second showing of messages that a kill met on their way: one for each kill at most."""
    again = Counter(row.text for row in ours if row.delivery_error == AGAIN)
    wanted, kept = Counter(row.text for row in ours), list(shown)
    excused = 0
    for text, repeats in again.items():
        for _ in range(min(repeats, kept.count(text) - wanted[text])):
            if excused < verdict.kills:
                # the second showing may come after others of the same wording: the last one goes
                del kept[len(kept) - 1 - kept[::-1].index(text)]
                excused += 1
    verdict.in_flight += excused
    return kept


def _compare(what: str, contact: tuple[str, str], wanted: Counter[str], found: Counter[str], verdict: Verdict) -> bool:
    """Count what is missing and what is too many; True when there is a difference."""
    missing, more = wanted - found, found - wanted
    verdict.lost += missing.total()
    verdict.doubled += more.total()
    if missing or more:
        verdict.notes.append(f"{what} {contact}: missing {list(missing)[:3]}, too many {list(more)[:3]}")
    return bool(missing or more)


def _shown(channel: str, row: MessageRow) -> str:
    if channel != "wechat" or not row.buttons:
        return row.text
    lines = "\n".join(f"{number}. {button['title']}" for number, button in enumerate(row.buttons, 1))
    return f"{row.text}\n{lines}\n回复数字选择。"


async def _play(
    service: Service,
    wechat: WeChatPlatform,
    telegram: TelegramPlatform,
    password: str,
    seconds: float,
    rng: random.Random,
    verdict: Verdict,
) -> dict[str, dict[str, list[str]]]:
    """Customers write, the service is killed, an agent takes over; returns what was said by door and customer."""
    wechat.faults.copies = telegram.faults.copies = 3
    wechat.faults.mode = "aes"
    said: dict[str, dict[str, list[str]]] = {"wechat": {}, "telegram": {}}
    until = time.monotonic() + seconds

    async def customer(door: str, name: str, asks_for_agent: bool) -> None:
        texts, number = said[door].setdefault(name, []), 0
        while time.monotonic() < until:
            text = f"转人工 {number}" if asks_for_agent and number == 2 else f"{rng.choice(SAID)} {number}"
            number += 1
            if door == "telegram":
                telegram.say(name, text)
                texts.append(text)
            elif await wechat.say(name, text) is not None:
                # what no try could give to the service is not ours to lose: the customer was told
                texts.append(text)
            await asyncio.sleep(rng.uniform(0.2, 1.5))

    async def page() -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
            token, number = "", 0
            while time.monotonic() < until:
                with suppress(httpx.HTTPError, ValueError, KeyError):
                    token = token or (await http.post("/chat/session")).json()["token"]
                    body = {"type": "message", "id": f"m{number}", "text": f"{rng.choice(SAID)} {number}"}
                    for _ in range(2):
                        await http.post("/chat/messages", params={"token": token}, json=body)
                    number += 1
                await asyncio.sleep(rng.uniform(0.2, 1.5))

    async def agent() -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
            while time.monotonic() < until:
                await asyncio.sleep(1)
                with suppress(httpx.HTTPError, ValueError, KeyError):
                    login = {"username": "admin", "password": password}
                    bearer = (await http.post("/api/login", json=login)).json()["token"]
                    http.headers["Authorization"] = f"Bearer {bearer}"
                    answer = await http.post("/api/tickets/claim")
                    if answer.status_code == 200:
                        id = answer.json()["id"]
                        await http.post(f"/api/tickets/{id}/reply", json={"text": f"您好，我是人工客服，工单{id}。"})

    async def killer() -> None:
        for number in range(KILLS):
            await asyncio.sleep(max(until - time.monotonic(), 0) / (KILLS + 1 - number) * rng.uniform(0.8, 1.1))
            await service.stop()
            verdict.kills += 1
            await service.start()

    people = [customer(door, f"{door[0]}{n}", n % 2 == 0) for door in said for n in range(CUSTOMERS)]
    await asyncio.gather(*people, page(), page(), agent(), killer())
    return said


async def _settle(url: str, telegram: TelegramPlatform) -> None:
    """Wait until the platform has given all, and nothing waits for its turn or its delivery."""
    database, until = Database(url), time.monotonic() + SETTLE_WITHIN
    quiet = 0
    while quiet < 3 and time.monotonic() < until:
        async with database.read() as session:
            busy = await session.scalar(
                select(MessageRow.id)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(
                    MessageRow.answered.is_(False) | ((MessageRow.delivery == "queued") & (ContactRow.channel != "web"))
                )
                .limit(1)
            )
        quiet = quiet + 1 if busy is None and not telegram.undelivered else 0
        await asyncio.sleep(1)
    await database.close()


async def _talks(url: str) -> list[Talk]:
    database = Database(url)
    async with database.read() as session:
        contacts = (
            await session.execute(
                select(ConversationRow.id, ContactRow.channel, ContactRow.sender).join(
                    ContactRow, ContactRow.id == ConversationRow.contact_id
                )
            )
        ).all()
        talks = []
        for id, channel, sender in contacts:
            rows = await session.scalars(
                select(MessageRow).where(MessageRow.conversation_id == id).order_by(MessageRow.seq)
            )
            talks.append(Talk(channel, sender, list(rows)))
    await database.close()
    return talks


def main(arguments: Sequence[str]) -> int:
    """Print the verdict as JSON; returns 0 when all is well, 1 when not, 2 for a wrong argument."""
    try:
        seconds = float(arguments[0]) if arguments else 30.0
    except ValueError:
        print(f"usage: python -m bot chaos [seconds]; {arguments[0]!r} is no number", file=sys.stderr)
        return 2
    verdict = asyncio.run(chaos(seconds))
    print(json.dumps(asdict(verdict), ensure_ascii=False, indent=1))
    return 0 if verdict.well else 1
