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
        ("ADMIN_PASSWORD", "123"),
        ("SECRET_KEY", "short"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"^{name} "):
        read(tmp_path, **{name: value})
