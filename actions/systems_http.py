"""The utility's systems over HTTP, as contracts.md fixes them; anything unexpected is `SystemUnavailable`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx

from actions.systems import (
    Account,
    Area,
    Bill,
    BillLine,
    ChargingStation,
    DailyUsage,
    Hall,
    Outage,
    Payment,
    Point,
    SystemUnavailable,
)
from actions.tariff import Tariff, load, read

BILLING, OUTAGES, SERVICE = "营销系统", "停电信息系统", "服务网点系统"
SHANGHAI = ZoneInfo("Asia/Shanghai")
T = TypeVar("T")
Row = Mapping[str, Any]


class HttpSystems:
    """Every protocol of `actions.systems` over one base address with a bearer token."""

    def __init__(self, base: str, token: str, timeout: float = 1.8) -> None:
        """`timeout` in seconds for a whole call, so that a customer is answered within three."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=base, headers=headers, timeout=timeout)

    async def account(self, account_no: str) -> Account | None:
        """See `BillingSystem.account`."""
        found = await self._get(BILLING, f"/accounts/{_segment(account_no)}", {}, _account)
        if found is not None and found.account_no != account_no:
            raise SystemUnavailable(BILLING, "answered for another account")
        return found

    async def bills(self, account_no: str, months: int) -> Sequence[Bill]:
        """See `BillingSystem.bills`."""
        path = f"/accounts/{_segment(account_no)}/bills"
        return await self._get(BILLING, path, {"months": str(months)}, _each(_bill)) or []

    async def usage(self, account_no: str, start: date, end: date) -> Sequence[DailyUsage]:
        """See `BillingSystem.usage`."""
        path = f"/accounts/{_segment(account_no)}/usage"
        days = {"from": start.isoformat(), "to": end.isoformat()}
        return await self._get(BILLING, path, days, _each(_usage)) or []

    async def payments(self, account_no: str) -> Sequence[Payment]:
        """See `BillingSystem.payments`."""
        return await self._get(BILLING, f"/accounts/{_segment(account_no)}/payments", {}, _each(_payment)) or []

    async def tariff(self, key: str) -> Tariff | None:
        """See `BillingSystem.tariff`; a table the system does not know is looked up in our own tariffs.yml."""
        found = await self._get(BILLING, f"/tariffs/{quote(key, safe='')}", {}, lambda table: read(key, table))
        return found or load().get(key)

    async def areas(self, query: str) -> Sequence[Area]:
        """See `OutageSystem.areas`."""
        return await self._get(OUTAGES, "/areas", {"query": query[:100]}, _each(_area)) or []

    async def outages(self, area_id: str) -> Sequence[Outage]:
        """See `OutageSystem.outages`."""
        return await self._get(OUTAGES, "/outages", {"area_id": area_id}, _each(_outage)) or []

    async def report_fault(
        self, *, account_no: str | None, area_id: str | None, description: str, contact: str, idempotency_key: str
    ) -> str:
        """See `OutageSystem.report_fault`."""
        report = {
            "account_no": account_no,
            "area_id": area_id,
            "description": description,
            "contact": contact,
            "idempotency_key": idempotency_key,
        }
        try:
            answer = await self._http.post("/fault-reports", json={k: v for k, v in report.items() if v is not None})
            answer.raise_for_status()
            return _text(answer.json(), "report_no")
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise SystemUnavailable(OUTAGES, repr(error)) from error

    async def halls(self, city: str, near: str) -> Sequence[Hall]:
        """See `ServiceSystem.halls`."""
        return await self._get(SERVICE, "/halls", {"city": city, "near": near[:100]}, _each(_hall)) or []

    async def charging_stations(self, near: str) -> Sequence[ChargingStation]:
        """See `ServiceSystem.charging_stations`."""
        return await self._get(SERVICE, "/charging-stations", {"near": near[:100]}, _each(_station)) or []

    async def close(self) -> None:
        """Give connections back."""
        await self._http.aclose()

    async def _get(self, system: str, path: str, query: Mapping[str, str], read: Callable[[Any], T]) -> T | None:
        try:
            answer = await self._http.get(path, params=query)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return read(answer.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise SystemUnavailable(system, f"{path}: {error!r}") from error


def _each(read: Callable[[Row], T]) -> Callable[[Any], list[T]]:
    def all_of(rows: Any) -> list[T]:
        if not isinstance(rows, list):
            raise TypeError("a list was expected")
        return [read(row) for row in rows]

    return all_of


def _segment(value: str) -> str:
    if not value.isalnum():
        raise SystemUnavailable(BILLING, "an account number holds only letters and digits")
    return value


def _text(row: Row, name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} must be text")
    return value


def _exact(row: Row, name: str) -> Decimal:
    value = Decimal(_text(row, name))
    if not value.is_finite():
        raise ValueError(f"{name} must be a finite number")
    return value


def _time(row: Row, name: str) -> datetime:
    at = datetime.fromisoformat(_text(row, name))
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


def _maybe_time(row: Row, name: str) -> datetime | None:
    return _time(row, name) if row.get(name) is not None else None


def _account(row: Row) -> Account:
    return Account(
        account_no=_text(row, "account_no"),
        holder=_text(row, "holder"),
        phone=_text(row, "phone"),
        address=_text(row, "address"),
        area_id=_text(row, "area_id"),
        kind=_text(row, "kind"),
        tariff=_text(row, "tariff"),
        status=_text(row, "status"),
        balance=_exact(row, "balance"),
        as_of=_time(row, "as_of"),
    )


def _line(row: Row) -> BillLine:
    return BillLine(_text(row, "name"), _exact(row, "kwh"), _exact(row, "price"), _exact(row, "amount"))


def _bill(row: Row) -> Bill:
    month = _text(row, "month")
    datetime.strptime(month, "%Y-%m")
    if not isinstance(row["paid"], bool):
        raise TypeError("paid must be true or false")
    return Bill(
        month=month,
        kwh=_exact(row, "kwh"),
        peak_kwh=_exact(row, "peak_kwh"),
        valley_kwh=_exact(row, "valley_kwh"),
        amount=_exact(row, "amount"),
        late_fee=_exact(row, "late_fee"),
        due_date=date.fromisoformat(_text(row, "due_date")),
        paid=row["paid"],
        paid_at=_maybe_time(row, "paid_at"),
        lines=tuple(_each(_line)(row["lines"])),
        as_of=_time(row, "as_of"),
    )


def _usage(row: Row) -> DailyUsage:
    return DailyUsage(date.fromisoformat(_text(row, "date")), _exact(row, "kwh"), _maybe_time(row, "as_of"))


def _payment(row: Row) -> Payment:
    return Payment(
        _text(row, "order_no"), _text(row, "channel"), _exact(row, "amount"), _time(row, "paid_at"),
        _text(row, "status"), _time(row, "as_of"),
    )  # fmt: skip


def _area(row: Row) -> Area:
    id, name, feeder, transformer = (_text(row, field) for field in "area_id name feeder transformer".split())
    return Area(id, name, feeder, transformer, _point(row))


def _outage(row: Row) -> Outage:
    return Outage(
        _text(row, "outage_id"), _text(row, "kind"), _text(row, "reason"), tuple(map(str, row["area_ids"])),
        _time(row, "starts_at"), _maybe_time(row, "ends_at"), _maybe_time(row, "restored_at"), row.get("crew"),
        _time(row, "as_of"),
    )  # fmt: skip


def _hall(row: Row) -> Hall:
    name, address, hours, phone = (_text(row, field) for field in "name address hours phone".split())
    return Hall(name, address, hours, phone, _point(row), _maybe_time(row, "as_of"))


def _station(row: Row) -> ChargingStation:
    return ChargingStation(
        _text(row, "name"), _text(row, "address"), int(row["free"]), int(row["total"]), _exact(row, "price"),
        _time(row, "as_of"), _point(row),
    )  # fmt: skip


def _point(row: Row) -> Point | None:
    """The optional field `at`: [latitude, longitude] in degrees."""
    if row.get("at") is None:
        return None
    latitude, longitude = row["at"]
    return float(latitude), float(longitude)
