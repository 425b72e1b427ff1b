"""Every test that asks for `database_url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import create_engine, make_url

from bot import dialogue_model
from nlu_data import dialogues
from tests import databases, postgres
from tests.product import Product
from triage import training

BROWSER_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_numbers = count(1)

settings.register_profile("laws", deadline=None)  # a law does not hold less on a busy machine
settings.load_profile("laws")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[Callable[[], str]]:
    """Makes a PostgreSQL database of the newest schema and returns its URL."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        template = _create(given)
        databases.migrate(template)
        yield lambda: _create(given, make_url(template).database)
        return
    bin = postgres.binaries()
    if bin is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql, or set TEST_DATABASE_URL")
        pytest.skip("PostgreSQL is not installed (Debian: postgresql) and TEST_DATABASE_URL is not set")
    server = postgres.Server(bin)
    databases.migrate(server.url("template"))
    yield lambda: server.url(f"test{next(_numbers)}", "template")
    server.stop()


def _create(given: str, template: str | None = None) -> str:
    url = make_url(given).set(drivername="postgresql+psycopg")
    name = f"dianqiao_test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes a database of the newest schema, of either kind, and returns its URL."""
    if request.param == "postgresql":
        url: Callable[[], str] = request.getfixturevalue("postgres_url")
        return url
    numbers = count(1)
    return lambda: databases.sqlite(tmp_path, f"bridge{next(numbers)}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one named by CHROMIUM.

    For one module at a time: its loop runs in this thread, where no `asyncio.run` can be called beside it.
    """
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium, or name one with CHROMIUM")
        pytest.skip("Chromium is not installed (Debian: chromium) and CHROMIUM does not name one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, running with a real Rasa; one for the whole run."""
    dialogue_model.prepare()
    training.ensure()
    running = Product(tmp_path_factory.mktemp("product"), SAMPLE_DAY=str(dialogues.day()))
    try:
        running.start()
        yield running
    finally:
        running.stop()
