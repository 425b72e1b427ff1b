"""`python -m tests.bench channels`: each door under load, a duplicate storm beside Rasa's own Telegram channel, and
passive replies beside a cache in memory. Figures are printed, never asserted.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml
from starlette.applications import Starlette

from bot import dialogue_model
from bot.app import actions_token
from bot.bell import Bell
from bot.chaos import Service
from bot.conversation import Conversations
from bot.database import Database
from bot.dialogue import environment
from bot.files import Files
from bot.message import Speaker
from bot.settings import child_environment, free_port
from channels.simulator.phone import Shown
from channels.simulator.telegram import TelegramPlatform
from channels.simulator.wechat import WeChatPlatform
from channels.webchat.channel import Webchat
from channels.wechat.passive import LATER as OUR_LATER
from tests.bench.passive_peer import LATER as THEIR_LATER
from tests.bench.passive_peer import PassivePeer
from tests.channels.stage import INTERVAL, Bridge, SlowDialogue, TelegramStage, WeChatStage, served
from tests.fakes import RememberingDesk

CUSTOMERS, EACH, COPIES = 20, 15, 3
STORM_CUSTOMERS, STORM_EACH = 10, 6
PACE, PACED_SECONDS = 10, 20
HELLO = "你好"


def _ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in ms."""
    ranks = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else list(seconds) * 99
    return {"p50_ms": round(ranks[49] * 1000, 1), "p99_ms": round(ranks[98] * 1000, 1)}


async def _until(true: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        await asyncio.sleep(0.01)


async def _report(bridge: Bridge, chats: dict[str, list[Shown]], took: float, acks: Sequence[float]) -> dict[str, Any]:
    stored = {
        m.text: m.at.timestamp()
        for conversation in range(1, CUSTOMERS + 1)
        for m in await bridge.conversations.messages(conversation)
        if m.speaker is Speaker.BOT
    }
    shown = [shown for chat in chats.values() for shown in chat if shown.who == "account"]
    return {
        "messages_per_second": round(CUSTOMERS * EACH / took, 1),
        "ack": _ms(acks),
        "stored_to_delivered": _ms([one.at - stored[one.text] for one in shown if one.text in stored]),
        "replies": len(shown),
        "wanted": CUSTOMERS * EACH,
    }


async def telegram(folder: Path, webhook: bool) -> dict[str, Any]:
    """Our Telegram door, an echo behind it, SQLite below it; each customer waits for the answer."""
    stage = TelegramStage(f"sqlite+aiosqlite:///{folder / f'telegram{webhook}.db'}", webhook)
    async with served(stage.platform.app(), stage._platform_port):
        await stage.bridge.start()
        begun = time.monotonic()

        async def customer(who: int) -> None:
            for number in range(EACH):
                stage.platform.say(f"c{who}", f"{who}之{number}")
                await _until(lambda: len(stage.platform.heard(f"c{who}")) > number)  # noqa: B023

        await asyncio.gather(*(customer(who) for who in range(CUSTOMERS)))
        took = time.monotonic() - begun
        found = await _report(stage.bridge, stage.platform.chats, took, stage.platform.ack_seconds or [0.0])
        if not webhook:
            del found["ack"]
        await stage.bridge.stop()
        await stage.platform.close()
    return found


async def paced(folder: Path) -> dict[str, Any]:
    """The webhook as a busy day has it: `PACE` messages a second whether answered or not, one from each customer."""
    stage = TelegramStage(f"sqlite+aiosqlite:///{folder / 'paced.db'}", webhook=True)
    names = [f"p{number}" for number in range(PACE * PACED_SECONDS)]
    async with served(stage.platform.app(), stage._platform_port):
        await stage.bridge.start()
        for name in ("warm", *names):
            stage.platform.say(name, f"{name}说")
            await asyncio.sleep(1 / PACE)
        await _until(lambda: all(stage.platform.heard(name) for name in names))
        found = {
            "messages_per_second": PACE,
            "ack": _ms(stage.platform.ack_seconds[1:]),
            "replies": sum(len(stage.platform.heard(name)) for name in names),
            "wanted": len(names),
        }
        await stage.bridge.stop()
        await stage.platform.close()
    return found


async def wechat(folder: Path, passive: bool) -> dict[str, Any]:
    """Our WeChat door, every follower waits for the end of a try before the next message."""
    stage = WeChatStage(f"sqlite+aiosqlite:///{folder / f'wechat{passive}.db'}", passive)
    stage.platform.faults.mode = "aes"
    acks: list[float] = []

    async def follower(who: int) -> None:
        for number in range(EACH):
            begun = time.perf_counter()
            await stage.platform.say(f"o{who}", f"{who}之{number}")
            acks.append(time.perf_counter() - begun)

    async with served(stage.platform.app(), stage._platform_port):
        await stage.bridge.start()
        begun = time.monotonic()
        await asyncio.gather(*(follower(who) for who in range(CUSTOMERS)))
        await _until(lambda: sum(len(stage.platform.heard(f"o{w}")) for w in range(CUSTOMERS)) >= CUSTOMERS * EACH)
        found = await _report(stage.bridge, stage.platform.chats, time.monotonic() - begun, acks)
        await stage.bridge.stop()
        await stage.platform.close()
    return found


async def web(folder: Path) -> dict[str, Any]:
    """The web door over long polls."""
    database, bell = Database(f"sqlite+aiosqlite:///{folder / 'web.db'}"), Bell()
    await database.migrate()
    conversations = Conversations(database, SlowDialogue(), RememberingDesk(), bell)

    async def position(conversation: int) -> int | None:
        return None

    door = Webchat(conversations, bell, secrets.token_hex(16), position, Files(folder, secrets.token_hex(16)))
    acks: list[float] = []
    answers: list[float] = []

    async def customer(http: httpx.AsyncClient) -> None:
        token = (await http.post("/chat/session")).json()["token"]
        after = 0
        for number in range(EACH):
            begun = time.perf_counter()
            body = {"type": "message", "id": uuid.uuid4().hex, "text": f"之{number}"}
            await http.post("/chat/messages", params={"token": token}, json=body)
            acks.append(time.perf_counter() - begun)
            heard = False
            while not heard:
                query = {"token": token, "after": str(after), "wait": "5"}
                frames = (await http.get("/chat/messages", params=query)).json()["messages"]
                for frame in frames:
                    if frame["type"] == "message":
                        after, heard = frame["seq"], heard or frame["from"] == "bot"
            answers.append(time.perf_counter() - begun)

    async with (
        served(Starlette(routes=list(door.routes(conversations.accept))), port := free_port()),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        begun = time.monotonic()
        await asyncio.gather(*(customer(http) for _ in range(CUSTOMERS)))
        took = time.monotonic() - begun
    await conversations.settle()
    await database.close()
    return {
        "messages_per_second": round(CUSTOMERS * EACH / took, 1),
        "ack": _ms(acks),
        "said_to_answered": _ms(answers),
        "replies": len(answers),
        "wanted": CUSTOMERS * EACH,
    }


async def storm(platform: TelegramPlatform, port: int) -> dict[str, Any]:
    """Every update comes three times; how many replies came for each message, and how quickly all were there."""
    platform.faults.copies = COPIES
    wanted = STORM_CUSTOMERS * STORM_EACH
    begun = time.monotonic()
    for _ in range(STORM_EACH):
        for who in range(STORM_CUSTOMERS):
            platform.say(f"c{who}", HELLO)
            await asyncio.sleep(0.02)
    heard = 0
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < (5 if heard else 30):
        now = sum(len(platform.heard(f"c{who}")) for who in range(STORM_CUSTOMERS))
        if now != heard:
            heard, quiet_since = now, time.monotonic()
        await asyncio.sleep(0.05)
    return {
        "messages": wanted,
        "copies": COPIES,
        "replies": heard,
        "replies_per_message": round(heard / wanted, 2),
        "seconds": round(quiet_since - begun, 1),
        "ack": _ms(platform.ack_seconds or [0.0]),
    }


async def storms(folder: Path) -> dict[str, Any]:
    """Our Telegram door and Rasa's own, with the same Rasa, the same model and the same storm."""
    ports = {name: free_port() for name in ("service", "rasa", "ours", "stock")}
    secret, token = secrets.token_urlsafe(24), "1000001:BENCH"
    credentials = folder / "credentials.yml"
    credentials.write_text(
        yaml.safe_dump(
            {
                "bot.dialogue.door.Door": None,
                "local_telegram.LocalTelegram": {
                    "access_token": token,
                    "verify": "dianqiao_bot",
                    "webhook_url": "http://127.0.0.1/",
                    "api_base": f"http://127.0.0.1:{ports['stock']}",
                },
            }
        )
    )
    ours = TelegramPlatform(token, f"http://127.0.0.1:{ports['service']}", "hook-secret")
    stock = TelegramPlatform(token, f"http://127.0.0.1:{ports['rasa']}", path="/webhooks/telegram/webhook")
    path = f"{environment.QUIET['PYTHONPATH']}{os.pathsep}{Path(__file__).parent / 'stock'}"
    child = child_environment(
        {
            **environment.QUIET,
            "PYTHONPATH": path,
            "ACTIONS_URL": f"http://127.0.0.1:{ports['service']}/actions",
            "ACTIONS_TOKEN": actions_token(secret),
        }
    )
    command = environment.serve_command(ports["rasa"], dialogue_model.prepare())
    command[command.index("--credentials") + 1] = str(credentials)
    service = Service(
        folder,
        {
            "PORT": str(ports["service"]),
            "RASA_URL": f"http://127.0.0.1:{ports['rasa']}",
            "VAR_DIR": str(folder),
            "SECRET_KEY": secret,
            "ADMIN_PASSWORD": secret,
            "TELEGRAM_TOKEN": token,
            "TELEGRAM_API_BASE": f"http://127.0.0.1:{ports['ours']}",
            "TELEGRAM_WEBHOOK_SECRET": "hook-secret",
        },
    )
    async with served(ours.app(), ports["ours"]), served(stock.app(), ports["stock"]):
        with (folder / "rasa.log").open("wb") as log:
            rasa = await asyncio.create_subprocess_exec(*command, env=child, stdout=log, stderr=log)
        try:
            await service.start()
            theirs = await storm(stock, ports["rasa"])
            mine = await storm(ours, ports["service"])
        finally:
            await service.stop(signal.SIGINT)
            rasa.kill()
            await rasa.wait()
            await ours.close()
            await stock.close()
    return {"dianqiao": mine, "rasa_3.6.21_telegram": theirs}


async def passive(folder: Path) -> dict[str, Any]:
    """Questions slower than three tries, a new question meanwhile, a fetch at the end: whose answer came to what."""

    async def judge(
        platform: WeChatPlatform, restart: Callable[[], Awaitable[None]] | None, later: str
    ) -> dict[str, Any]:
        found: Counter[str] = Counter()

        async def follower(who: int) -> None:
            slow, new = f"慢{who} {INTERVAL * (3.2 + who % 3):g}", f"新{who} 0.1"
            heard = [await platform.say(f"o{who}", slow)]
            answer = await platform.say(f"o{who}", new)
            heard.append(answer)
            found["new question answered with only the old reply"] += f"：{new}" not in (answer or "") and (
                f"：{slow}" in (answer or "")
            )
            for _ in range(4):
                await asyncio.sleep(INTERVAL)
                heard.append(await platform.say(f"o{who}", "结果"))
            every = "\n".join(text or "" for text in heard)
            for name, text in (("slow", slow), ("new", new)):
                found[f"{name} question never answered"] += f"：{text}" not in every
            found["told to write again"] += later in (heard[0] or "")

        await asyncio.gather(*(follower(who) for who in range(6)), *([restart()] if restart else []))
        return {"questions": 12, **found}

    out: dict[str, Any] = {}
    for restarts in (False, True):
        stage = WeChatStage(f"sqlite+aiosqlite:///{folder / f'passive{restarts}.db'}", passive=True)
        async with served(stage.platform.app(), stage._platform_port):
            await stage.bridge.start()

            async def again(stage: WeChatStage = stage) -> None:
                await asyncio.sleep(INTERVAL * 3.1)
                await stage.bridge.stop()
                await stage.bridge.start()

            name = "with a restart" if restarts else "no restart"
            out[f"dianqiao, {name}"] = await judge(stage.platform, again if restarts else None, OUR_LATER)
            await stage.bridge.stop()
            await stage.platform.close()

        async def ask(text: str) -> str:
            await asyncio.sleep(float(text.split()[-1]) if " " in text else 0)
            return f"您说的是：{text}"

        port = free_port()
        platform = WeChatPlatform(stage.account, f"http://127.0.0.1:{port}", INTERVAL)
        running = [served(PassivePeer(ask, INTERVAL).app(), port)]
        await running[0].__aenter__()

        async def peer_again(port: int = port, running: list[Any] = running) -> None:
            await asyncio.sleep(INTERVAL * 3.1)
            await running.pop().__aexit__(None, None, None)
            running.append(served(PassivePeer(ask, INTERVAL).app(), port))
            await running[0].__aenter__()

        out[f"cache in memory, {name}"] = await judge(platform, peer_again if restarts else None, THEIR_LATER)
        await running[0].__aexit__(None, None, None)
        await platform.close()
    return out


async def measure() -> dict[str, Any]:
    """Everything, one after the other."""
    with tempfile.TemporaryDirectory(prefix="dianqiao-bench-") as name:
        folder = Path(name)
        found: dict[str, Any] = {}
        for title, one in (
            ("web", web(folder)),
            ("telegram polling", telegram(folder, webhook=False)),
            ("telegram webhook", telegram(folder, webhook=True)),
            ("telegram webhook, paced", paced(folder)),
            ("wechat", wechat(folder, passive=False)),
            ("wechat passive", wechat(folder, passive=True)),
            ("passive replies", passive(folder)),
            ("duplicate storm", storms(folder)),
        ):
            print(f"{title} ...", flush=True)
            found[title] = await one
            print(json.dumps(found[title], ensure_ascii=False), flush=True)
    return found


def main() -> None:
    """Print one JSON object."""
    print(json.dumps(asyncio.run(measure()), ensure_ascii=False, indent=1))
