"""Deployment settings: read from the environment once, checked, then passed on."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).parents[1]


class WrongSetting(ValueError):
    """One setting that cannot be used; the message names it and says what would be right."""


@dataclass(frozen=True)
class WeChatSettings:
    """The official account; `aes_key` is "" without encryption, `app_secret` "" when replies are passive only."""

    token: str
    app_id: str
    app_secret: str
    aes_key: str
    api_base: str
    passive_only: bool


@dataclass(frozen=True)
class TelegramSettings:
    """The bot; `webhook_secret` is "" for long polling, `api_base` None for Telegram's own servers."""

    token: str
    webhook_secret: str
    api_base: str | None


@dataclass(frozen=True)
class Settings:
    """Everything a deployment may choose.

    `admin_password` is None when one should be made and printed; `rasa_url` is None when this process runs Rasa itself;
    `utility_api_base` is None for the sample systems. `embed_origins` are the sites that may show the chat in a frame;
    `operator_name` is who customers read that they talk to; `models` is the root of the registries. `sample_day` is the
    day on which the sample systems stand, today when None. `patience`: seconds the dialogue may take for an answer.
    """

    host: str
    port: int
    database_url: str
    secret_key: str
    public_url: str
    admin_password: str | None
    rasa_url: str | None
    rasa_port: int
    utility_api_base: str | None
    utility_api_token: str
    embed_origins: tuple[str, ...]
    operator_name: str
    var: Path
    models: Path
    wechat: WeChatSettings | None = None
    telegram: TelegramSettings | None = None
    sample_day: date | None = None
    patience: float = 2.5

    @property
    def dialogue_url(self) -> str:
        """Where Rasa answers."""
        return self.rasa_url or f"http://127.0.0.1:{self.rasa_port}"

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Check and collect; raises `WrongSetting`. An empty variable counts as absent."""
        given = {name: value.strip() for name, value in environment.items() if value.strip()}
        var = Path(given.get("VAR_DIR", ROOT / "var"))
        var.mkdir(parents=True, exist_ok=True)
        port = _port("PORT", given.get("PORT", "8000"))
        return cls(
            host=given.get("HOST", "0.0.0.0"),
            port=port,
            database_url=_database(given.get("DATABASE_URL", f"sqlite+aiosqlite:///{var / 'dianqiao.db'}")),
            secret_key=_secret(given.get("SECRET_KEY"), var / "secret_key"),
            public_url=_url("PUBLIC_URL", given.get("PUBLIC_URL", f"http://127.0.0.1:{port}")),
            admin_password=_password(given.get("ADMIN_PASSWORD")),
            rasa_url=_url("RASA_URL", given["RASA_URL"]) if "RASA_URL" in given else None,
            rasa_port=_port("RASA_PORT", given.get("RASA_PORT", "5005")),
            utility_api_base=_url("UTILITY_API_BASE", given["UTILITY_API_BASE"])
            if "UTILITY_API_BASE" in given
            else None,
            utility_api_token=given.get("UTILITY_API_TOKEN", ""),
            embed_origins=_origins("EMBED_ORIGINS", given.get("EMBED_ORIGINS", "*")),
            operator_name=given.get("OPERATOR_NAME", "江临市供电公司（演示）"),
            var=var,
            models=models_folder(environment),
            wechat=_wechat(given),
            telegram=_telegram(given),
            sample_day=_day("SAMPLE_DAY", given["SAMPLE_DAY"]) if "SAMPLE_DAY" in given else None,
        )


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise WrongSetting(f"{name} is {value!r}: give a number from 1 to 65535")
    return int(value)


def _url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        right = False
    if not right:
        raise WrongSetting(f"{name} is {value!r}: give an address such as https://example.org")
    return value.rstrip("/")


def _day(name: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise WrongSetting(f"{name} is {value!r}: give a day such as 2026-11-28") from None


def _origins(name: str, value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
    for origin in origins:
        if origin in ("*", "none"):
            if len(origins) > 1:
                raise WrongSetting(f"{name} is {value!r}: {origin} cannot stand beside other origins")
        elif urlsplit(_url(name, origin)).path or set(origin) & set(" ;'\"?#@"):
            raise WrongSetting(f"{name} is {origin!r}: give origins such as https://example.org, separated by commas")
    return origins


def _database(value: str) -> str:
    try:
        backend = make_url(value).get_backend_name()
    except ArgumentError:
        raise WrongSetting("DATABASE_URL cannot be read: give sqlite+aiosqlite:///file or postgresql://…") from None
    if backend not in ("sqlite", "postgresql"):
        raise WrongSetting(f"DATABASE_URL names {backend}: only sqlite and postgresql are supported")
    return value


def _wechat(given: Mapping[str, str]) -> WeChatSettings | None:
    token = given.get("WECHAT_TOKEN")
    if token is None:
        return None
    if not re.fullmatch(r"[A-Za-z0-9]{3,32}", token):
        raise WrongSetting("WECHAT_TOKEN is wrong: give the 3 to 32 letters and digits set in the account")
    app_id, secret = given.get("WECHAT_APP_ID", ""), given.get("WECHAT_APP_SECRET", "")
    aes_key, passive = given.get("WECHAT_AES_KEY", ""), given.get("WECHAT_PASSIVE_ONLY", "0")
    if not app_id:
        raise WrongSetting("WECHAT_APP_ID is missing: give the account's AppID, or unset WECHAT_TOKEN")
    if passive not in ("0", "1"):
        raise WrongSetting(f"WECHAT_PASSIVE_ONLY is {passive!r}: give 1 or 0")
    if passive == "0" and not secret:
        raise WrongSetting("WECHAT_APP_SECRET is missing: give the account's AppSecret, or set WECHAT_PASSIVE_ONLY=1")
    if aes_key and not re.fullmatch(r"[A-Za-z0-9]{43}", aes_key):
        raise WrongSetting("WECHAT_AES_KEY is wrong: give the 43 characters of the account's EncodingAESKey")
    base = _url("WECHAT_API_BASE", given.get("WECHAT_API_BASE", "https://api.weixin.qq.com"))
    return WeChatSettings(token, app_id, secret, aes_key, base, passive == "1")


def _telegram(given: Mapping[str, str]) -> TelegramSettings | None:
    token = given.get("TELEGRAM_TOKEN")
    if token is None:
        return None
    if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token):
        raise WrongSetting("TELEGRAM_TOKEN is wrong: give the token of @BotFather, like 123456:ABC…")
    secret = given.get("TELEGRAM_WEBHOOK_SECRET", "")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise WrongSetting("TELEGRAM_WEBHOOK_SECRET is wrong: give 1 to 256 letters, digits, _ and -")
    base = _url("TELEGRAM_API_BASE", given["TELEGRAM_API_BASE"]) if "TELEGRAM_API_BASE" in given else None
    return TelegramSettings(token, secret, base)


def _password(value: str | None) -> str | None:
    if value is not None and len(value) < 8:
        raise WrongSetting("ADMIN_PASSWORD is too short: give at least 8 characters")
    return value


def _secret(value: str | None, file: Path) -> str:
    if value is not None:
        if len(value) < 16:
            raise WrongSetting("SECRET_KEY is too short: give at least 16 random characters")
        return value
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text().strip()


def child_environment(added: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process we start: our own and what is added."""
    return {**os.environ, **added}


def models_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The root of the registries of models."""
    return Path(environment.get("MODELS_DIR", "").strip() or ROOT / "models")


def python310() -> str | None:
    """The interpreter that PYTHON310 names for the dialogue environment."""
    return os.environ.get("PYTHON310") or None
