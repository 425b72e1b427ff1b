"""The sample systems: every protocol of `actions.systems` over the invented city, in this process."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime

from actions.areas import match
from actions.places import coordinates, nearest
from actions.sample_city import City, Seedling
from actions.systems import (
    Account,
    Area,
    Bill,
    ChargingStation,
    DailyUsage,
    Hall,
    Outage,
    Payment,
    Point,
)
from actions.tariff import Tariff, load


class SampleSystems:
    """Deterministic for a seed and a day; fault reports are kept in memory by their key."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 2026) -> None:
        """`clock` gives the aware present; the city is remade when the minute changes."""
        self._clock = clock
        self._seed = seed
        self._tariffs = load()
        self._city: City | None = None
        self._reports: dict[str, str] = {}

    def demo(self) -> list[tuple[str, str, str]]:
        """Accounts to try: (what is special, account number, last four digits of the phone)."""
        first = list(self._now().accounts.values())[:3]
        notes = ("普通用户", "所在台区正在抢修", "有欠费")
        return [(note, one.account_no, one.phone[-4:]) for note, one in zip(notes, first, strict=True)]

    async def account(self, account_no: str) -> Account | None:
        """See `BillingSystem.account`."""
        one = self._find(account_no)
        return self._now().account(one) if one else None

    async def bills(self, account_no: str, months: int) -> Sequence[Bill]:
        """See `BillingSystem.bills`."""
        one = self._find(account_no)
        return self._now().bills(one)[:months] if one else []

    async def usage(self, account_no: str, start: date, end: date) -> Sequence[DailyUsage]:
        """See `BillingSystem.usage`."""
        one = self._find(account_no)
        return self._now().usage(one, start, end) if one else []

    async def payments(self, account_no: str) -> Sequence[Payment]:
        """See `BillingSystem.payments`."""
        one = self._find(account_no)
        return self._now().payments(one) if one else []

    async def tariff(self, key: str) -> Tariff | None:
        """See `BillingSystem.tariff`."""
        return self._tariffs.get(key)

    async def areas(self, query: str) -> Sequence[Area]:
        """See `OutageSystem.areas` and `actions.areas.match`."""
        return match(query, self._now().areas)

    async def outages(self, area_id: str) -> Sequence[Outage]:
        """See `OutageSystem.outages`."""
        return [outage for outage in self._now().outages if area_id in outage.area_ids]

    async def report_fault(
        self, *, account_no: str | None, area_id: str | None, description: str, contact: str, idempotency_key: str
    ) -> str:
        """See `OutageSystem.report_fault`."""
        today = self._now().today
        number = f"BX{today:%Y%m%d}{zlib.crc32(idempotency_key.encode()) % 10**6:06d}"
        return self._reports.setdefault(idempotency_key, number)

    async def halls(self, city: str, near: str) -> Sequence[Hall]:
        """See `ServiceSystem.halls`."""
        return [hall for hall, _ in nearest(self._now().halls, self._where(f"{city}{near}"))]

    async def charging_stations(self, near: str) -> Sequence[ChargingStation]:
        """See `ServiceSystem.charging_stations`."""
        return [station for station, _ in nearest(self._now().stations, self._where(near))]

    async def close(self) -> None:
        """Nothing to give back."""

    def _where(self, text: str) -> Point | None:
        found = match(text, self._now().areas)
        return coordinates(text) or (found[0].at if found else None)

    def _find(self, account_no: str) -> Seedling | None:
        return self._now().accounts.get(account_no)

    def _now(self) -> City:
        now = self._clock().replace(second=0, microsecond=0)
        if self._city is None or self._city.now != now:
            self._city = City(self._seed, now, self._tariffs)
        return self._city
