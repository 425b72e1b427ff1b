"""What the database adds is tested in `tests/bot`; most doors need only one kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import databases


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Callable[[], str]:
    return lambda: databases.sqlite(tmp_path)
