"""One served web channel for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.webchat.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    running = Stage(tmp_path, messages_a_minute=100_000).start()
    yield running
    running.stop()
