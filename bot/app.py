"""The composition root: settings in, one application out."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from actions.alerts import Alerts
from actions.follow import subjects
from actions.linking import Linking
from actions.outage_watch import OutageWatch
from actions.policy import facts
from actions.records import place, records
from actions.rounds import rounds
from actions.sentences import Sentences
from actions.server import all_actions
from actions.server import routes as action_routes
from actions.systems import Systems
from actions.systems_http import HttpSystems
from actions.systems_sample import SampleSystems
from actions.verification import Verification
from bot import menu, safety
from bot.bell import Bell
from bot.carry import Carrier
from bot.channel import Channel
from bot.conversation import Conversations, Dialogue, Shortcut
from bot.database import Database
from bot.dead_letters import DeadLetters
from bot.dialogue import environment
from bot.dialogue.responses import Responses
from bot.files import Files
from bot.follow import Follower, Live
from bot.media import Media
from bot.outbox import Outbox
from bot.rasa import Rasa
from bot.settings import Settings
from bot.sockets import Straight
from bot.visits import Visits
from bot.watch import Watch
from channels.preview import previews
from channels.webchat.channel import Webchat
from channels.wechat.channel import WeChat
from channels.wechat.client import WeChatClient
from channels.wechat.passive import Passive
from models import Registry
from triage.assignment import Assignment
from triage.calendar import SHANGHAI
from triage.classifier import LiveClassifier
from triage.desk.auth import Users
from triage.desk.delivery import delivery
from triage.desk.parts import Parts, parts
from triage.desk.routes import desk_routes
from triage.queue import TicketQueue
from triage.rounds import Rounds
from triage.search import Search
from triage.taxonomy import Taxonomy

log = logging.getLogger(__name__)


def now() -> datetime:
    """The aware present."""
    return datetime.now(UTC)


def clock(settings: Settings) -> Callable[[], datetime]:
    """The present of the utility's systems: ours, or the same hour on the day of the sample systems."""
    if settings.sample_day is None:
        return now
    ahead: timedelta = settings.sample_day - now().astimezone(SHANGHAI).date()
    return lambda: now() + ahead


def actions_token(secret_key: str) -> str:
    """What Rasa shows when it calls `/actions`."""
    return hmac.new(secret_key.encode(), b"actions", hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Bridge:
    """The parts of a running service, for the app and for whoever looks inside."""

    settings: Settings
    database: Database
    bell: Bell
    systems: Systems
    verification: Verification
    rasa: Rasa
    taxonomy: Taxonomy
    queue: TicketQueue
    conversations: Conversations
    channels: tuple[Channel, ...]
    outbox: Outbox
    files: Files
    media: Media
    desk: Parts
    rounds: Rounds
    followers: tuple[Follower, ...]


def assemble(settings: Settings) -> Bridge:
    """Make every part; nothing runs yet. Raises `ValueError`, `NoModel` or `TaxonomyError` for what cannot work."""
    safety.words()
    safety.weights()
    facts()
    database, bell, today = Database(settings.database_url), Bell(), clock(settings)
    systems: Systems = (
        HttpSystems(settings.utility_api_base, settings.utility_api_token)
        if settings.utility_api_base
        else SampleSystems(today)
    )
    rasa = Rasa(settings.dialogue_url, settings.patience)
    dialogue_models, triage_models = Registry("dialogue", settings.models), Registry("triage", settings.models)
    classifier = _classifier(triage_models)
    taxonomy = Taxonomy.load()
    verification = Verification(database, systems, now)
    queue = TicketQueue(
        database, classifier, taxonomy, bell, now, partial(place, systems), verification.account
    )  # fmt: skip
    dialogue: Dialogue = rasa
    carrier = Carrier(database)
    passive = Passive(carrier, bell) if settings.wechat and settings.wechat.passive_only else None
    shortcuts: list[Shortcut] = [Visits(database).shortcut, menu.shortcut, Linking(database, now).shortcut]
    if passive is not None:
        shortcuts.insert(0, passive.shortcut)
    conversations = Conversations(database, dialogue, queue, bell, settings.patience, shortcuts)
    queue.attach(conversations)
    files = Files(settings.var / "files", settings.secret_key)
    web = Webchat(
        conversations, bell, settings.secret_key, queue.position, files, settings.operator_name, settings.embed_origins
    )
    channels: list[Channel] = [web]
    if settings.wechat is not None:
        account = settings.wechat
        # a passive account with a secret may still bring in media
        secret = account.app_secret
        client = WeChatClient(account.app_id, secret, account.api_base) if secret else None
        channels.append(WeChat(account, files, passive, client))
    if settings.telegram is not None:
        # aiogram takes 135 MB, so only who uses it pays for it
        from channels.telegram import Telegram

        telegram = settings.telegram
        channels.append(Telegram(telegram, settings.secret_key, conversations.edit, files, settings.public_url))
    assignment = Assignment(database, queue, now)
    desk = parts(
        database, bell, Users(database, settings.secret_key), taxonomy, queue, conversations, assignment,
        Search(database, bell), partial(records, systems), rasa.brief, files, now, settings.models,
        previews=previews(),
    )  # fmt: skip
    return Bridge(
        settings, database, bell, systems, verification, rasa, taxonomy, queue, conversations, tuple(channels),
        Outbox(database, channels, bell), files, Media(database, channels, files, conversations, bell), desk,
        Rounds(database, queue, assignment, bell, now),
        (_follower(dialogue_models, rasa), _follower(triage_models, classifier)),
    )  # fmt: skip


def build(bridge: Bridge) -> FastAPI:
    """One app of channels, actions, desk and health; starting it migrates, recovers and begins delivery."""
    settings = bridge.settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await bridge.database.migrate()
        await bridge.desk.users.ensure_admin(settings.admin_password, print)
        await bridge.desk.writing.ensure_canned()
        doors = (channel.run(bridge.conversations.accept) for channel in bridge.channels)
        notices = rounds([alerts.look, watch.look])
        search, review, policy = bridge.desk.search.run(), bridge.desk.collecting.run(), _apply_policy(bridge)
        others = Watch(bridge.conversations, bridge.bell).run()
        models = (follower.run() for follower in bridge.followers)
        edits = bridge.desk.answers.run()
        carried = (bridge.outbox.run(), bridge.media.run())
        ours = (*carried, bridge.rounds.run(), search, review, policy, notices, edits, others)
        tasks = [asyncio.create_task(one) for one in (*ours, _recover(bridge), *models, *doors)]
        yield
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await bridge.conversations.settle()
        await bridge.rasa.close()
        await bridge.systems.close()
        await bridge.database.close()

    sentences, today = Sentences(Responses()), clock(settings)
    watch = OutageWatch(bridge.database, bridge.systems, bridge.conversations, sentences, today)
    alerts = Alerts(bridge.database, bridge.systems, bridge.conversations, sentences, today)
    leads = subjects(environment.HERE / "rules")
    actions = all_actions(bridge.systems, bridge.verification, bridge.queue, watch, alerts, sentences, today, leads)
    app = FastAPI(title="Dianqiao 电桥", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    for channel in bridge.channels:
        app.router.routes.extend(channel.routes(bridge.conversations.accept))
    app.router.routes.extend(bridge.files.routes())
    app.router.routes.extend(action_routes(actions, actions_token(settings.secret_key), leads))
    desk_routes(app, bridge.desk)
    app.include_router(delivery(bridge.desk, DeadLetters(bridge.database, bridge.bell)))
    app.router.routes.extend(_health(bridge))
    app.add_middleware(Straight, routes=app.router.routes)
    return app


def _classifier(registry: Registry) -> LiveClassifier:
    """The current version's, or the one before where that is broken: better than no service."""
    folder = registry.current()
    try:
        return LiveClassifier(folder)
    except Exception:
        before = _before(registry)
        if before is None:
            raise
        log.exception("the triage model %s cannot be used, starting with %s", folder.name, before.name)
        return LiveClassifier(before)


def _follower(registry: Registry, live: Live) -> Follower:
    return Follower(registry.kind, registry.current, partial(_before, registry), live)


def _before(registry: Registry) -> Path | None:
    version = registry.before()
    return registry.path(version) if version is not None else None


async def _apply_policy(bridge: Bridge) -> None:
    """Clocks of open tickets follow the policy files as they are now."""
    changed = await bridge.queue.apply_policy()
    if changed:
        log.warning("the policy changed: %d open tickets have new times", changed)


async def _recover(bridge: Bridge) -> None:
    """Answer what was stored before a crash, once Rasa is there or has had its time."""
    waiting = await bridge.conversations.unanswered()
    if not waiting:
        return
    log.warning("%d conversations were left without an answer; answering them now", len(waiting))
    for _ in range(60):
        try:
            await bridge.rasa.ready()
            break
        except Exception:
            await asyncio.sleep(1)
    await asyncio.gather(*(bridge.conversations.answer(conversation) for conversation in waiting))


def _health(bridge: Bridge) -> list[Route]:
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "database": bridge.database.ping,
        "dialogue": bridge.rasa.ready,
    }

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        found = {}
        for name, check in checks.items():
            try:
                async with asyncio.timeout(2):
                    await check()
                found[name] = "ok"
            except Exception as failure:
                found[name] = f"{type(failure).__name__}: {failure}"[:200]
        well = all(state == "ok" for state in found.values())
        models = {one.kind: {"version": one.version, "failure": one.failure} for one in bridge.followers}
        body = {"status": "ok" if well else "not ready", **found, "models": models}
        return JSONResponse(body, status_code=200 if well else 503)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4")

    return [Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]
