"""`python -m channels.simulator`: both platforms for a bridge started with the settings it prints."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvicorn

from bot.settings import WeChatSettings
from channels.simulator.telegram import TelegramPlatform
from channels.simulator.wechat import WeChatPlatform

TELEGRAM_TOKEN = "1000001:SIMULATED-BOT-TOKEN"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


def environment(wechat_port: int, telegram_port: int, passive: bool) -> dict[str, str]:
    """The bridge's settings that fit the simulated platforms."""
    return {
        "WECHAT_TOKEN": "simulated",
        "WECHAT_APP_ID": "wx0000000000000sim",
        "WECHAT_APP_SECRET": "simulated-secret",
        "WECHAT_AES_KEY": AES_KEY,
        "WECHAT_API_BASE": f"http://127.0.0.1:{wechat_port}",
        "WECHAT_PASSIVE_ONLY": "1" if passive else "0",
        "TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "TELEGRAM_API_BASE": f"http://127.0.0.1:{telegram_port}",
    }


def platforms(bridge: str, settings: dict[str, str]) -> tuple[WeChatPlatform, TelegramPlatform]:
    """Both platforms for a bridge with these settings."""
    account = WeChatSettings(
        settings["WECHAT_TOKEN"],
        settings["WECHAT_APP_ID"],
        settings["WECHAT_APP_SECRET"],
        settings["WECHAT_AES_KEY"],
        settings["WECHAT_API_BASE"],
        settings["WECHAT_PASSIVE_ONLY"] == "1",
    )
    webhook = settings.get("TELEGRAM_WEBHOOK_SECRET", "")
    telegram = TelegramPlatform(settings["TELEGRAM_TOKEN"], bridge if webhook else "", webhook)
    return WeChatPlatform(account, bridge), telegram


async def main(bridge: str, wechat_port: int, telegram_port: int, passive: bool) -> None:
    """Serve both until Ctrl-C."""
    settings = environment(wechat_port, telegram_port, passive)
    print("Start the product with:\n  " + " \\\n  ".join(f"{k}={v}" for k, v in settings.items()) + " make run\n")
    print(f"WeChat phone    http://127.0.0.1:{wechat_port}/\nTelegram phone  http://127.0.0.1:{telegram_port}/")
    print("Ctrl-C stops both.", flush=True)
    wechat, telegram = platforms(bridge, settings)
    servers = [
        uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
        for app, port in ((wechat.app(), wechat_port), (telegram.app(), telegram_port))
    ]
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m channels.simulator", description=__doc__)
    parser.add_argument("--bridge", default="http://127.0.0.1:8000", help="where the product answers")
    parser.add_argument("--wechat-port", type=int, default=8101)
    parser.add_argument("--telegram-port", type=int, default=8102)
    parser.add_argument("--passive", action="store_true", help="an account without the customer-service API")
    given = parser.parse_args()
    try:
        asyncio.run(main(given.bridge.rstrip("/"), given.wechat_port, given.telegram_port, given.passive))
    except KeyboardInterrupt:
        sys.exit(0)
