import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import Settings, WrongSetting


def read(tmp_path: Path, **given: str) -> Settings:
    return Settings.read({"VAR_DIR": str(tmp_path), **given})


def test_an_empty_environment_is_enough_and_its_secret_lasts(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path, PORT=" ")
    assert first == second
    assert first.port == 8000 and first.rasa_url is None
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("PUBLIC_URL", "example"),
        ("RASA_URL", "http://host:port"),
        ("UTILITY_API_BASE", "ftp://host"),
        ("EMBED_ORIGINS", "example.org"),
        ("EMBED_ORIGINS", "https://example.org/page"),
        ("EMBED_ORIGINS", "https://a.example; script-src *"),
        ("EMBED_ORIGINS", "*, https://a.example"),
        ("ADMIN_PASSWORD", "123"),
        ("SECRET_KEY", "short"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"^{name} "):
        read(tmp_path, **{name: value})


WECHAT = {"WECHAT_TOKEN": "token123", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s"}


def test_a_channel_without_its_token_is_not_mounted(tmp_path: Path) -> None:
    none = read(tmp_path, WECHAT_APP_ID="wx1", TELEGRAM_WEBHOOK_SECRET="x")
    assert none.wechat is None and none.telegram is None
    both = read(tmp_path, **WECHAT, TELEGRAM_TOKEN="1:abc")
    assert both.wechat is not None and both.wechat.api_base == "https://api.weixin.qq.com"
    assert both.telegram is not None and both.telegram.webhook_secret == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WECHAT_TOKEN", "a b"),
        ("WECHAT_APP_ID", ""),
        ("WECHAT_APP_SECRET", ""),
        ("WECHAT_AES_KEY", "short"),
        ("WECHAT_PASSIVE_ONLY", "maybe"),
        ("WECHAT_API_BASE", "nowhere"),
        ("TELEGRAM_TOKEN", "abc"),
        ("TELEGRAM_WEBHOOK_SECRET", "ü"),
        ("TELEGRAM_API_BASE", "nowhere"),
    ],
)
def test_a_wrong_setting_of_a_channel_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"^{name} "):
        read(tmp_path, **{**WECHAT, "TELEGRAM_TOKEN": "1:abc", name: value})


def test_origins_are_a_list(tmp_path: Path) -> None:
    assert read(tmp_path).embed_origins == ("*",)
    given = read(tmp_path, EMBED_ORIGINS="https://a.example, http://localhost:3000/")
    assert given.embed_origins == ("https://a.example", "http://localhost:3000")


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = {"HOST": "127.0.0.1", "PORT": str(taken.getsockname()[1]), "VAR_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "bot"], env={**os.environ, **given}, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2 and done.stderr.startswith("error: PORT: ") and done.stdout == ""
