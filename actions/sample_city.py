"""A seeded, invented city 江临市: feeders, transformers, areas, 2,000 accounts with what they used and paid.

The same seed and the same day give the same city. Bills are priced by our own tariff table, so each can be reproduced.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

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
)
from actions.tariff import Tariff

SHANGHAI = ZoneInfo("Asia/Shanghai")
CITY = "江临市"
DISTRICTS = ("望江区", "云溪区", "青枫县", "临港区")
STREETS = ("人民路", "江滨路", "解放街", "新华路", "建设路", "桂花街", "文昌路", "南湖路", "东风路", "凤凰街")
ESTATES = (
    "阳光花园 锦绣江南 翠湖小区 金桂苑 东湖家园 紫荆花园 和平小区 丽景苑 "
    "银杏小区 滨江一号 碧水湾 龙泉新村 百合花园 书香苑 荷塘月色 梧桐小区 "
    "枫林苑 明珠花园 安居小区 桃源里 天鹅湾 竹园小区 春晓苑 望江楼小区 "
    "松涛苑 祥和家园 兰亭苑 康乐小区 海棠苑 福源小区"
).split()
VILLAGES = (
    "上坝村 石桥村 柳林村 大湾村 青山村 双河村 杨家村 李家沟村 红旗村 白马村 "
    "龙潭村 三合村 新塘村 茶园村 枣林村 古井村 云台村 梅岭村 前进村 松坪村"
).split()
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英玉兰建国"
TARIFF_NAMES = ("zhejiang", "guangzhou", "beijing", "sichuan")
ACCOUNTS = 2000
MONTHS = 24
# households use most in summer and winter
SEASON = (1.35, 1.25, 0.95, 0.8, 0.8, 1.05, 1.45, 1.5, 1.1, 0.8, 0.85, 1.15)
FAULTS = ("雷击线路跳闸", "大风刮断导线", "变压器高压熔断器熔断", "电缆被外力挖断", "配电箱故障")
WORKS = ("线路改造", "变压器增容", "更换老旧电杆", "配合道路施工")


@dataclass(frozen=True)
class Seedling:
    """What an account is made from; everything else follows from it."""

    account_no: str
    holder: str
    phone: str
    address: str
    area: Area
    kind: str
    tariff: str
    base: int
    unpaid: int
    status: str
    payment: str = ""
    corrected: bool = False


class City:
    """The whole invented city at one moment."""

    def __init__(self, seed: int, now: datetime, tariffs: dict[str, Tariff]) -> None:
        """`now` is aware: bills end with last month, outages lie around it."""
        self._seed = seed
        self.now = now
        self._tariffs = tariffs
        self.today = now.astimezone(SHANGHAI).date()

    @cached_property
    def areas(self) -> Sequence[Area]:
        """About 120: estates, villages and streets of four districts."""
        names = [f"{DISTRICTS[i % 4]}{estate}" for i, estate in enumerate(ESTATES)]
        names += [f"{DISTRICTS[2]}{village}" for village in VILLAGES]
        names += [f"{district}{street}" for district in DISTRICTS for street in STREETS]
        names += [f"{DISTRICTS[(i + 2) % 4]}{estate}" for i, estate in enumerate(ESTATES)]
        return [
            Area(f"A{i:03d}", name, f"10kV{name[:2]}{i // 10 % 4 + 1}线", f"{name[3:5]}{i % 3 + 1}号公变", _point(name))
            for i, name in enumerate(names, 1)
        ]

    @cached_property
    def accounts(self) -> dict[str, Seedling]:
        """Two thousand by account number; the first three are the demo accounts."""
        return {one.account_no: one for one in map(self._seedling, range(ACCOUNTS))}

    @cached_property
    def outages(self) -> Sequence[Outage]:
        """Four faults going on, three restored today, ten planned within a week; newest start first."""
        dice = random.Random(f"{self._seed}-outages-{self.today}")
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        places = dice.sample(self.areas[3:], 16)
        found = [
            self._fault(0, self.areas[1], hour - timedelta(hours=1), hour + timedelta(hours=2), None, "repairing", dice)
        ]
        for i in range(3):
            end = None if i == 2 else hour + timedelta(hours=1 + i)
            crew = ("dispatched", "arrived", "dispatched")[i]
            found.append(self._fault(i + 1, places[i], hour - timedelta(hours=i + 1), end, None, crew, dice))
        for i in range(3):
            start = hour - timedelta(hours=6 + i)
            back = start + timedelta(hours=2)
            found.append(self._fault(i + 4, places[i + 3], start, back, back, "restored", dice))
        for i in range(10):
            day = self.today + timedelta(days=1 + i % 7)
            start = datetime(day.year, day.month, day.day, 8, 30, tzinfo=SHANGHAI)
            area, works = places[i + 6], dice.choice(WORKS)
            found.append(
                Outage(f"P{i:03d}", "planned", works, (area.area_id,), start, start + timedelta(hours=8), None, None,
                       self.now)
            )  # fmt: skip
        return sorted(found, key=lambda o: o.starts_at, reverse=True)

    @cached_property
    def halls(self) -> Sequence[Hall]:
        """Two in each district."""
        return [
            Hall(
                f"{district}{name}营业厅", f"{CITY}{district}{STREETS[i * 3 + j]}{8 * (i + 1) + j}号",
                "周一至周日 8:30-17:30" if j == 0 else "周一至周五 8:30-17:00", "95598",
                _point(f"{district}{STREETS[i * 3 + j]}"), self.now,
            )
            for i, district in enumerate(DISTRICTS)
            for j, name in enumerate(("中心", "城南"))
            if i * 3 + j < len(STREETS)
        ]  # fmt: skip

    @cached_property
    def stations(self) -> Sequence[ChargingStation]:
        """One in each street of each second district."""
        dice = random.Random(f"{self._seed}-stations-{self.now:%Y%m%d%H}")
        return [
            ChargingStation(
                f"{street}充电站", f"{CITY}{district}{street}{dice.randint(1, 200)}号", dice.randint(0, 8), 8,
                Decimal(dice.choice(("1.20", "1.35", "0.98"))), self.now, _point(f"{district}{street}"),
            )
            for district in DISTRICTS[:2]
            for street in STREETS
        ]  # fmt: skip

    def account(self, one: Seedling) -> Account:
        """Its state: a postpaid balance is minus what is due."""
        owed = sum((bill.amount + bill.late_fee for bill in self.bills(one) if not bill.paid), Decimal(0))
        left = Decimal(zlib.crc32(one.account_no.encode()) % 20000) / 100
        balance = (left if one.kind == "prepaid" else Decimal("0.00")) if not owed else -owed
        return Account(
            one.account_no, one.holder, one.phone, one.address, one.area.area_id, one.kind, one.tariff, one.status,
            balance, self.now,
        )  # fmt: skip

    def bills(self, one: Seedling) -> Sequence[Bill]:
        """The last 24 months, newest first; the lines are the tariff table's."""
        tariff, used, bills = self._tariffs[one.tariff], Decimal(0), []
        first = self.today.year * 12 + self.today.month - 1 - MONTHS
        # a yearly cycle needs the months since January before the first bill too
        start = first - first % 12 if tariff.cycle == "year" else first
        for index in range(start, first + MONTHS):
            year, month = divmod(index, 12)
            if tariff.cycle == "month" or month == 0:
                used = Decimal(0)
            kwh = _month_kwh(one.account_no, one.base, year, month + 1)
            valley = (kwh * _valley_share(one, index)).quantize(Decimal(1))
            lines = (
                tariff.tou_bill(kwh - valley, valley, Decimal(0), month + 1, used)
                if tariff.on_tou
                else tariff.bill(kwh, month + 1, used)
            )
            used += kwh
            if index < first:
                continue
            age = first + MONTHS - 1 - index
            unpaid = age < one.unpaid
            due_year, due_month = divmod(index + 1, 12)
            due = date(due_year, due_month + 1, 20)
            shown = [BillLine(x.name, x.kwh, x.price, x.amount) for x in lines]
            if one.corrected and age == 0:
                shown.append(BillLine("补收上期少计电费", Decimal(0), Decimal(0), Decimal("26.80")))
            amount = sum((line.amount for line in shown), Decimal(0))
            late_days = max((self.today - due).days, 0) if unpaid else 0
            # 违约金: one per mille of the amount a day, 供电营业规则
            late = (amount * late_days / 1000).quantize(Decimal("0.01"))
            paid_at = datetime(due.year, due.month, 5 + zlib.crc32(f"{one.account_no}{index}".encode()) % 14, 10,
                               tzinfo=SHANGHAI)  # fmt: skip
            paid = not unpaid and paid_at <= self.now
            bills.append(
                Bill(
                    f"{year}-{month + 1:02d}", kwh, kwh - valley, valley, amount, late, due, paid,
                    paid_at if paid else None,
                    tuple(shown), self.now,
                )
            )  # fmt: skip
        return bills[::-1]

    def usage(self, one: Seedling, start: date, end: date) -> Sequence[DailyUsage]:
        """Whole days up to the day before yesterday, newest first; a month's days sum to its bill."""
        last = min(end, self.today - timedelta(days=2))
        days = [last - timedelta(days=i) for i in range(max((last - start).days + 1, 0))]
        return [DailyUsage(day, _day_kwh(one.account_no, one.base, day), self.now) for day in days]

    def payments(self, one: Seedling) -> Sequence[Payment]:
        """One for each paid bill, newest first; a few accounts have one on its way, returned, or paid twice."""
        found = [
            Payment(f"PAY{bill.month.replace('-', '')}{one.account_no[-6:]}", "网上国网", bill.amount, bill.paid_at,
                    "credited", self.now)
            for bill in self.bills(one)
            if bill.paid_at is not None
        ]  # fmt: skip
        if one.payment == "twice" and found:
            again = replace(found[0], order_no=found[0].order_no + "2", paid_at=found[0].paid_at + timedelta(hours=3))
            return [again, *found]
        if one.payment:
            at = self.now.replace(minute=0) - timedelta(hours=2)
            found.insert(
                0, Payment(f"PAY{self.today:%Y%m%d}{one.account_no[-6:]}", "支付宝", Decimal("100.00"), at, one.payment,
                           self.now)
            )  # fmt: skip
        return found

    def _seedling(self, index: int) -> Seedling:
        dice = random.Random(f"{self._seed}-{index}")
        area = self.areas[index if index < 3 else dice.randrange(len(self.areas))]
        holder = dice.choice(SURNAMES) + "".join(dice.choices(GIVEN, k=dice.randint(1, 2)))
        unpaid = 0 if index % 9 else dice.randint(1, 3)
        kind = "prepaid" if index % 11 == 10 else "postpaid"
        status = "arrears_cut" if index == 27 else "closed" if index == 31 else "normal"
        if index == 2:
            unpaid, kind = 2, "postpaid"
        return Seedling(
            account_no=f"33{10_000_000 + index * 4099 + 17:08d}",
            holder=holder,
            phone=f"13{dice.randrange(10**9):09d}",
            address=f"{CITY}{area.name}{dice.randint(1, 30)}幢{dice.randint(1, 18)}0{dice.randint(1, 4)}室",
            area=area,
            kind=kind,
            tariff="zhejiang" if index < 3 else _tariff(dice.choice(TARIFF_NAMES), index),
            base=dice.randint(80, 420),
            unpaid=0 if index < 2 else unpaid,
            status=status,
            payment={3: "pending", 4: "failed", 5: "twice"}.get(index, ""),
            corrected=index == 6,
        )

    def _fault(
        self, index: int, area: Area, start: datetime, end: datetime | None, back: datetime | None, crew: str,
        dice: random.Random,
    ) -> Outage:  # fmt: skip
        return Outage(f"F{index:03d}", "fault", dice.choice(FAULTS), (area.area_id,), start, end, back, crew, self.now)


@lru_cache(maxsize=100_000)
def _month_kwh(account_no: str, base: int, year: int, month: int) -> Decimal:
    days = (date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days
    return sum((_day_kwh(account_no, base, date(year, month, 1) + timedelta(days=i)) for i in range(days)), Decimal(0))


def _day_kwh(account_no: str, base: int, day: date) -> Decimal:
    noise = zlib.crc32(f"{account_no}{day.toordinal()}".encode()) % 41 - 20
    hundredths = base * SEASON[day.month - 1] / 30 * (100 + noise)
    return Decimal(round(hundredths / 10)) / 10


def _tariff(name: str, index: int) -> str:
    """Every second household of 浙江 chose 峰谷."""
    return "zhejiang_tou" if name == "zhejiang" and index % 2 else name


def _valley_share(one: Seedling, month: int) -> Decimal:
    """Between 8 % and 55 % of the kWh, different for each home and a little for each month."""
    own = zlib.crc32(one.account_no.encode()) % 44 + 8
    return Decimal(own + zlib.crc32(f"{one.account_no}{month}".encode()) % 4) / 100


def _point(name: str) -> Point:
    """Where a place of the invented city lies: its district's centre, and up to 3 km to either side."""
    centre = next((i for i, district in enumerate(DISTRICTS) if name.startswith(district)), 0)
    east, north = zlib.crc32(name.encode()) % 61 - 30, zlib.crc32(name[::-1].encode()) % 61 - 30
    return round(30.2 + centre // 2 * 0.08 + north / 1100, 5), round(120.1 + centre % 2 * 0.09 + east / 960, 5)
