"""What every implementation of the systems must hold."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from actions.sample_city import ACCOUNTS, City
from actions.systems_sample import SampleSystems
from actions.tariff import load

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return City(2026, NOW, load())


def test_every_bill_is_reproduced_by_the_tariff_table_to_the_cent(city: City) -> None:
    tariffs = load()
    assert len(city.accounts) == ACCOUNTS
    for one in list(city.accounts.values())[::20]:
        bills = city.bills(one)[::-1]
        assert [len(bills), bills[-1].month] == [24, "2026-10"]
        tariff, used = tariffs[one.tariff], Decimal(0)
        for bill in bills:
            month = int(bill.month[5:])
            assert bill.amount == sum(line.amount for line in bill.lines)
            assert bill.peak_kwh + bill.valley_kwh == bill.kwh
            assert bill.kwh == sum(line.kwh for line in bill.lines if "加价" not in line.name)
            used = Decimal(0) if month == 1 or tariff.cycle == "month" else used
            if bill.month >= "2025-01":
                expected = (
                    tariff.tou_bill(bill.peak_kwh, bill.valley_kwh, Decimal(0), month, used)
                    if tariff.on_tou
                    else tariff.bill(bill.kwh, month, used)
                )
                assert [(x.kwh, x.price, x.amount) for x in expected] == [
                    (x.kwh, x.price, x.amount) for x in bill.lines
                ]
            used += bill.kwh


def test_the_days_of_a_month_sum_to_its_bill(city: City) -> None:
    one = next(iter(city.accounts.values()))
    days = city.usage(one, date(2026, 10, 1), date(2026, 10, 31))
    assert len(days) == 31
    assert sum(day.kwh for day in days) == city.bills(one)[0].kwh


def test_the_demo_accounts_are_what_they_are_called() -> None:
    systems = SampleSystems(lambda: NOW)
    plain, faulty, owing = systems.demo()

    async def scene() -> None:
        account = await systems.account(plain[1])
        assert account is not None and account.phone.endswith(plain[2]) and account.balance == 0
        account = await systems.account(faulty[1])
        assert account is not None
        outage = (await systems.outages(account.area_id))[0]
        assert outage.crew == "repairing" and outage.restored_at is None
        account = await systems.account(owing[1])
        assert account is not None
        owed = [bill for bill in await systems.bills(owing[1], 24) if not bill.paid]
        assert owed and account.balance == -sum(bill.amount + bill.late_fee for bill in owed)

    asyncio.run(scene())


def test_unknown_accounts_are_unknown_and_a_report_keeps_its_number() -> None:
    systems = SampleSystems(lambda: NOW)

    async def report(key: str) -> str:
        return await systems.report_fault(
            account_no=None, area_id="A001", description="没电", contact="1", idempotency_key=key
        )

    async def scene() -> None:
        assert await systems.account("0000000000") is None
        assert list(await systems.bills("0000000000", 3)) == []
        assert await report("1-1") == await report("1-1")

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("阳光花园", "望江区阳光花园"),
        ("我家在锦绣江南", "云溪区锦绣江南"),
        ("青枫县石桥村停电了", "青枫县石桥村"),
        ("石桥村", "青枫县石桥村"),
        ("望江区人民路", "望江区人民路"),
        ("青峰县十桥村3组", "青枫县石桥村"),
        ("锦秀江南6幢2单元", "云溪区锦绣江南"),
        ("锦绣那边，云溪区的", "云溪区锦绣江南"),
    ],
)
def test_places_are_found_as_customers_type_them(typed: str, name: str) -> None:
    found = asyncio.run(SampleSystems(lambda: NOW).areas(typed))
    assert name in {area.name for area in found}
    assert len(found) <= 2


def test_nonsense_is_no_place() -> None:
    assert list(asyncio.run(SampleSystems(lambda: NOW).areas("哈哈哈"))) == []
    assert list(asyncio.run(SampleSystems(lambda: NOW).areas("小区"))) == []


def test_planned_outages_lie_within_a_week(city: City) -> None:
    planned = [outage for outage in city.outages if outage.kind == "planned"]
    assert len(planned) == 10
    assert all(NOW < outage.starts_at < NOW + timedelta(days=8) for outage in planned)
