"""What the database adds is tested in `tests/bot`; most doors need only one kind."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Callable[[], str]:
    return lambda: f"sqlite+aiosqlite:///{tmp_path / 'bridge.db'}"
