"""Both implementations give the same figures; every fault of the HTTP one is named, never guessed around."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from actions.systems import SystemUnavailable
from actions.systems_http import HttpSystems
from actions.systems_sample import SampleSystems
from tests.actions.utility_server import TOKEN, UtilityServer

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
SAMPLE = SampleSystems(lambda: NOW)
ACCOUNT = SAMPLE.demo()[2][1]


@pytest.fixture(scope="module")
def server() -> Iterator[UtilityServer]:
    running = UtilityServer(SAMPLE)
    yield running
    running.stop()


def test_both_give_the_same_figures(server: UtilityServer) -> None:
    async def scene() -> None:
        http = HttpSystems(server.base, TOKEN)
        account = await SAMPLE.account(ACCOUNT)
        assert account is not None and await http.account(ACCOUNT) == account
        assert list(await http.bills(ACCOUNT, 24)) == list(await SAMPLE.bills(ACCOUNT, 24))
        days = date(2026, 11, 1), date(2026, 11, 20)
        assert list(await http.usage(ACCOUNT, *days)) == list(await SAMPLE.usage(ACCOUNT, *days))
        assert list(await http.payments(ACCOUNT)) == list(await SAMPLE.payments(ACCOUNT))
        area = SAMPLE._now().areas[1]
        assert list(await http.areas(area.name)) == list(await SAMPLE.areas(area.name))
        assert list(await http.outages(area.area_id)) == list(await SAMPLE.outages(area.area_id)) != []
        assert list(await http.halls("", "云溪区")) == list(await SAMPLE.halls("", "云溪区"))
        assert list(await http.charging_stations("人民路")) == list(await SAMPLE.charging_stations("人民路"))
        assert await http.account("0000000000") is None
        assert list(await http.bills("0000000000", 3)) == []
        reports = [
            await systems.report_fault(
                account_no=ACCOUNT, area_id=None, description="没电", contact="1", idempotency_key="7-1"
            )
            for systems in (http, SAMPLE, http)
        ]
        assert len(set(reports)) == 1
        await http.close()

    asyncio.run(scene())


@pytest.mark.parametrize("fault", ["500", "garbage", "wrong", "hang"])
def test_a_fault_is_an_unavailable_system(server: UtilityServer, fault: str) -> None:
    async def scene() -> None:
        http = HttpSystems(server.base, TOKEN, timeout=0.5)
        server.fault = fault
        try:
            with pytest.raises(SystemUnavailable, match="营销系统"):
                await http.bills(ACCOUNT, 1)
            with pytest.raises(SystemUnavailable, match="停电信息系统"):
                await http.outages("A001")
        finally:
            server.fault = None
            await http.close()

    asyncio.run(scene())


def test_a_wrong_token_and_no_server_are_unavailable(server: UtilityServer) -> None:
    async def scene() -> None:
        for http in (HttpSystems(server.base, "wrong"), HttpSystems("http://127.0.0.1:9", TOKEN)):
            with pytest.raises(SystemUnavailable):
                await http.account(ACCOUNT)
            await http.close()

    asyncio.run(scene())
