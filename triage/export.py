"""Exports of tickets as CSV and XLSX: streamed, without a cap, masked, and harmless when opened in a spreadsheet."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter

from triage.board import Board, Filter
from triage.calendar import SHANGHAI
from triage.history import NAMES
from triage.masking import mask
from triage.taxonomy import Taxonomy
from triage.ticket import Status, TicketRow

BATCH = 1000
LONGEST_CELL = 32_000
MOST_ROWS = 1_048_575
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
COLUMNS = (
    "工单号", "状态", "类别", "优先级", "班组", "坐席", "渠道", "户号", "内容", "处理结果", "催办次数", "首次响应时限",
    "首次响应", "办结时限", "办结", "创建", "更新",
)  # fmt: skip


class Export:
    """Reads tickets a thousand at a time and writes them out as it goes."""

    def __init__(self, board: Board, taxonomy: Taxonomy) -> None:
        """`taxonomy` gives the names of categories and teams."""
        self._board = board
        self._taxonomy = taxonomy

    async def csv(self, wanted: Filter) -> AsyncIterator[bytes]:
        """UTF-8 with a mark at the start, which spreadsheets need to read Chinese."""
        yield b"\xef\xbb\xbf" + _csv([COLUMNS])
        async for rows in self._batches(wanted):
            yield _csv(rows)

    async def xlsx(self, wanted: Filter, file: Path) -> int:
        """Write a workbook row by row (a new sheet each million); every cell is text. Returns the number of rows."""
        book = xlsxwriter.Workbook(str(file), {"constant_memory": True, "strings_to_numbers": False})
        total, sheet, line = 0, None, 0
        try:
            async for rows in self._batches(wanted):
                if sheet is None or line + len(rows) > MOST_ROWS:
                    sheet, line = book.add_worksheet(), 0
                    _write(sheet, line, [COLUMNS])
                    line = 1
                await asyncio.to_thread(_write, sheet, line, rows)
                line, total = line + len(rows), total + len(rows)
            if sheet is None:
                _write(book.add_worksheet(), 0, [COLUMNS])
        finally:
            await asyncio.to_thread(book.close)
        return total

    async def _batches(self, wanted: Filter) -> AsyncIterator[Sequence[Sequence[str]]]:
        cursor: str | None = None
        while True:
            rows, cursor = await self._board.rows(wanted, cursor, BATCH)
            if rows:
                yield [self._cells(row) for row in rows]
            if cursor is None:
                return

    def _cells(self, row: TicketRow) -> Sequence[str]:
        found = (
            row.number, NAMES[Status(row.status)], self._taxonomy.categories[row.category].name, row.priority,
            _name(self._taxonomy.teams, row.team), row.assignee or "", row.channel,
            mask(row.account_no) if row.account_no else "", mask(row.text), mask(row.resolution or ""), str(row.urged),
            _time(row.first_response_due), _time(row.responded_at), _time(row.resolve_due), _time(row.resolved_at),
            _time(row.created_at), _time(row.updated_at),
        )  # fmt: skip
        return [harmless(cell) for cell in found]


def harmless(cell: str) -> str:
    """A cell no spreadsheet takes for a formula (OWASP, CSV injection): such a one gets an apostrophe in front."""
    cell = cell[:LONGEST_CELL]
    return f"'{cell}" if cell.lstrip(" \u3000").startswith(FORMULA) or cell.startswith(FORMULA) else cell


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _write(sheet: xlsxwriter.worksheet.Worksheet, line: int, rows: Sequence[Sequence[str]]) -> None:
    for offset, row in enumerate(rows):
        for place, cell in enumerate(row):
            sheet.write_string(line + offset, place, cell)


def _name(names: Mapping[str, str], key: str) -> str:
    return names.get(key, key)


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if moment is not None else ""
