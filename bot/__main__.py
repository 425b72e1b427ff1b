"""`python -m bot` starts the product; `doctor` says what is wrong with a configuration, `chaos` breaks it, `replay`
reads a message again, `rehearse` plays dialogues with other models (`bot.rehearsal`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys

from bot import chaos, rehearsal
from bot.app import Bridge, assemble
from bot.dialogue.reading import ReaderFailed
from bot.replay import replay
from bot.serving import serve
from bot.settings import Settings, WrongSetting

READY_WITHIN = 180


async def _announce(bridge: Bridge) -> None:
    url = f"http://127.0.0.1:{bridge.settings.port}"
    print(f"Starting; the dialogue takes about 20 s. Log of Rasa: {bridge.settings.var / 'rasa.log'}", flush=True)
    for _ in range(READY_WITHIN):
        try:
            await bridge.rasa.ready()
            break
        except Exception:
            await asyncio.sleep(1)
    else:
        print(f"The dialogue did not start within {READY_WITHIN} s: see {bridge.settings.var / 'rasa.log'}", flush=True)
        return
    demo = getattr(bridge.systems, "demo", None)
    print(f"Ready.\n  customers  {url}/\n  desk       {url}/desk  (user admin)", flush=True)
    if demo is not None:
        for note, account_no, ending in demo():
            print(f"  try        户号 {account_no}，手机后四位 {ending}（{note}）", flush=True)
    print("Ctrl-C stops everything.", flush=True)


async def doctor(bridge: Bridge) -> int:
    """Check each dependency and say what to do; returns the exit code."""
    wrong = 0
    for name, check, advice in (
        ("database", bridge.database.ping, "check DATABASE_URL and that the server runs"),
        ("dialogue", bridge.rasa.ready, "start the product with `make run`, or check RASA_URL"),
        ("systems", lambda: bridge.systems.areas("人民路"), "check UTILITY_API_BASE and UTILITY_API_TOKEN"),
        *((channel.name, channel.check, f"check {channel.name.upper()}_*") for channel in bridge.channels),
    ):
        try:
            await check()
            print(f"ok     {name}")
        except Exception as failure:
            wrong = 1
            print(f"wrong  {name}: {type(failure).__name__}: {failure}\n       {advice}")
    return wrong


def _free(settings: Settings) -> None:
    """Raises `WrongSetting` naming a port that another program holds: it would answer in our place."""
    ports = {"PORT": (settings.host, settings.port)}
    if settings.rasa_url is None:
        ports["RASA_PORT"] = ("127.0.0.1", settings.rasa_port)
    for name, address in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise WrongSetting(f"{name}: {address[1]} cannot be used ({error.strerror})") from error


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 2 for a setting or model that cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("httpx", "alembic", "rasa_sdk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if arguments[:1] == ["chaos"]:
        return chaos.main(arguments[1:])
    if arguments[:1] == ["rehearse"] and len(arguments) >= 4:
        return rehearsal.main(*arguments[1:])
    try:
        if arguments[:1] == ["replay"] and len(arguments) == 3 and all(one.isdigit() for one in arguments[1:]):
            print(*asyncio.run(replay(Settings.read(), *map(int, arguments[1:]))), sep="\n")
            return 0
        settings = Settings.read()
        if not arguments:
            _free(settings)
        bridge = assemble(settings)
    except (WrongSetting, ValueError, LookupError, ReaderFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments == ["doctor"]:
        return asyncio.run(doctor(bridge))
    if arguments:
        verbs = "doctor | chaos [seconds] | replay CONVERSATION SEQ | rehearse IN OUT MODEL..."
        print(f"usage: python -m bot [{verbs}]", file=sys.stderr)
        return 2
    asyncio.run(serve(bridge, _announce(bridge)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
