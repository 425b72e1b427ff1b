"""The utility's systems as the bot sees them: protocols, value types, and the one error they may raise.

Figures are exact: money is `Decimal` yuan, energy `Decimal` kWh; times are aware; every value carries `as_of`.
A list is newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from actions.tariff import Tariff

Point = tuple[float, float]


class SystemUnavailable(RuntimeError):
    """A system timed out, failed or answered nonsense: say which information is missing, offer a ticket."""

    def __init__(self, system: str, reason: str) -> None:
        """`system`: the Chinese name a customer may read, such as 营销系统; `reason` is for the log."""
        super().__init__(f"{system}: {reason}")
        self.system = system


@dataclass(frozen=True)
class Account:
    """用户: one supply contract; `kind` is postpaid or prepaid, `status` normal, arrears_cut or closed.

    A postpaid `balance` is minus what is due; a prepaid one is what is left.
    """

    account_no: str
    holder: str
    phone: str
    address: str
    area_id: str
    kind: str
    tariff: str
    status: str
    balance: Decimal
    as_of: datetime


@dataclass(frozen=True)
class BillLine:
    """One line of a bill 账单明细; `price` in yuan per kWh."""

    name: str
    kwh: Decimal
    price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Bill:
    """账单 of one `month` ("YYYY-MM"); `amount` is the sum of its lines, without `late_fee` 违约金."""

    month: str
    kwh: Decimal
    peak_kwh: Decimal
    valley_kwh: Decimal
    amount: Decimal
    late_fee: Decimal
    due_date: date
    paid: bool
    paid_at: datetime | None
    lines: tuple[BillLine, ...]
    as_of: datetime


@dataclass(frozen=True)
class DailyUsage:
    """日用电量; `as_of` is None where the system does not tell."""

    date: date
    kwh: Decimal
    as_of: datetime | None = None


@dataclass(frozen=True)
class Payment:
    """缴费记录; `status` is credited, pending or failed."""

    order_no: str
    channel: str
    amount: Decimal
    paid_at: datetime
    status: str
    as_of: datetime


@dataclass(frozen=True)
class Area:
    """台区: the smallest place an outage is known for; `at` is (latitude, longitude) in degrees where known."""

    area_id: str
    name: str
    feeder: str
    transformer: str
    at: Point | None = None


@dataclass(frozen=True)
class Outage:
    """停电事件; `kind` planned, fault or temporary; `crew` dispatched, arrived, repairing, restored or None.

    `ends_at` is the announced or estimated end, None while unknown; `restored_at` is set once power is back.
    """

    outage_id: str
    kind: str
    reason: str
    area_ids: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    restored_at: datetime | None
    crew: str | None
    as_of: datetime


@dataclass(frozen=True)
class Hall:
    """营业厅; `at` is (latitude, longitude) where known."""

    name: str
    address: str
    hours: str
    phone: str
    at: Point | None = None
    as_of: datetime | None = None


@dataclass(frozen=True)
class ChargingStation:
    """充电站; `free` of `total` charging points; `at` is (latitude, longitude) where known."""

    name: str
    address: str
    free: int
    total: int
    price: Decimal
    as_of: datetime
    at: Point | None = None


class BillingSystem(Protocol):
    """营销系统. Every method may raise `SystemUnavailable`."""

    async def account(self, account_no: str) -> Account | None:
        """The account, or None when unknown."""
        ...

    async def bills(self, account_no: str, months: int) -> Sequence[Bill]:
        """The last `months` bills (1 to 24), newest first; empty for an unknown account."""
        ...

    async def usage(self, account_no: str, start: date, end: date) -> Sequence[DailyUsage]:
        """Daily energy from `start` to `end`, both included, newest first."""
        ...

    async def payments(self, account_no: str) -> Sequence[Payment]:
        """Payments, newest first."""
        ...

    async def tariff(self, key: str) -> Tariff | None:
        """The price table that holds now for an account's `tariff`, or None when unknown."""
        ...


class OutageSystem(Protocol):
    """停电信息系统 (配网 / GIS). Every method may raise `SystemUnavailable`."""

    async def areas(self, query: str) -> Sequence[Area]:
        """Areas whose name matches what a customer typed, best first, at most ten."""
        ...

    async def outages(self, area_id: str) -> Sequence[Outage]:
        """Current, planned (next 7 days) and recent (last 24 h) outages of an area, newest start first."""
        ...

    async def report_fault(
        self, *, account_no: str | None, area_id: str | None, description: str, contact: str, idempotency_key: str
    ) -> str:
        """File a fault report 报修 and return its number; the same key gives the same number."""
        ...


class ServiceSystem(Protocol):
    """营业与充电网点. Every method may raise `SystemUnavailable`."""

    async def halls(self, city: str, near: str) -> Sequence[Hall]:
        """Service halls, nearest or best match first."""
        ...

    async def charging_stations(self, near: str) -> Sequence[ChargingStation]:
        """Public charging stations, nearest or best match first."""
        ...


class Systems(BillingSystem, OutageSystem, ServiceSystem, Protocol):
    """All of the utility's systems behind one door."""

    async def close(self) -> None:
        """Give connections back."""
        ...
