"""`/api/trainer/data…`: counts and hygiene; rows one by one; out to other tools and in again, shown before."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, Field

import nlu_data
from nlu_data import Complaint, DataError, Gone, Utterance
from nlu_data.checks import Finding, label_of, text_of
from nlu_data.files import Busy
from nlu_data.names import names
from nlu_data.writing import Written, change, put
from triage.desk.access import TRAINERS
from triage.desk.auth import User
from triage.desk.parts import Parts
from triage.trainer import exchange
from triage.trainer.hygiene import checkup

SHOWN = 50
FormatName = Literal["rasa", "csv", "doccano", "label_studio"]
Kind = Literal["utterances", "complaints"]


class Import(BaseModel):
    """A file's content in base64; `sha256` is of the content that was previewed, and only needed to write it."""

    format: FormatName
    name: str = Field("", max_length=200)
    content: str = Field(max_length=exchange.LARGEST * 4 // 3 + 4)
    sha256: str = ""


class Line(BaseModel):
    """A row as the files hold it: a sentence with `[span](entity)` marks and its intent, or a complaint's labels."""

    text: str = Field(min_length=1, max_length=4000)
    intent: str | None = Field(None, max_length=64)
    category: str = Field("", max_length=64)
    priority: str = Field("", max_length=8)
    voice: str = Field("", max_length=64)
    source: str = Field("", max_length=200)

    def row(self) -> exchange.Row:
        """As the files' readers give it."""
        if self.intent is not None:
            return Utterance(self.intent, self.text.strip())
        return Complaint(" ".join(self.text.split()), self.category, self.priority, self.voice, self.source)


class Edit(BaseModel):
    """What `old` becomes: nothing without `new`; without `old` a row that was taken out comes back, to its `place`."""

    old: Line | None = None
    new: Line | None = None
    place: str = Field("", pattern=r"^([\w.-]+:\d+)?$", max_length=200)


def data(parts: Parts) -> APIRouter:
    """Reading is for trainers; so is writing, which leaves a row in the audit trail."""
    api = APIRouter(prefix="/trainer/data", route_class=parts.route, tags=["trainer"])
    Trainer = Annotated[User, Depends(parts.access.only(*TRAINERS))]

    @api.get("")
    async def overview(user: Trainer) -> dict[str, Any]:
        """How many rows each intent and category has, and what is wrong with the data."""
        found = await asyncio.to_thread(checkup, parts.nlu, parts.dialogue)
        intents, categories = names().intents, parts.taxonomy.categories
        return {
            "intents": [{"name": n, "title": intents[n], "rows": rows} for n, rows in found.intents.items()],
            "categories": [
                {"name": n, "title": categories[n].name if n in categories else n, "rows": rows}
                for n, rows in found.categories.items()
            ],
            "findings": [_finding(one) for one in found.findings],
            "blocked": found.blocked,
            "formats": {name: one.title for name, one in exchange.FORMATS.items()},
        }

    @api.get("/export")
    async def export(user: Trainer, format: FormatName, rows: Kind) -> Response:
        """Every training row of one kind as a file."""
        found = await asyncio.to_thread(_rows, parts, rows)
        with _refusing():
            content = await asyncio.to_thread(exchange.dump, format, found)
        name = f"{rows}{exchange.FORMATS[format].suffix}"
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
        )

    @api.get("/label-studio-config")
    async def config(user: Trainer, rows: Annotated[Kind, Query()]) -> Response:
        """The labelling interface to paste into Label Studio."""
        return Response(
            exchange.config(rows == "utterances"),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="label-studio-{rows}.xml"'},
        )

    @api.get("/rows")
    async def rows(
        user: Trainer, kind: Kind, label: str = "", q: str = "", offset: Annotated[int, Query(ge=0)] = 0
    ) -> dict[str, Any]:
        """`SHOWN` training rows from `offset` on, of one intent or category and with these words, and how many fit."""
        with _refusing():
            found = await asyncio.to_thread(_rows, parts, kind)
        under = [row for row in found if label in ("", row.intent if isinstance(row, Utterance) else row.category)]
        fit = [row for row in under if q.strip() in text_of(row)]
        return {"total": len(fit), "items": [_line(row) for row in fit[offset : offset + SHOWN]]}

    @api.post("/rows")
    async def edit(user: Trainer, wanted: Edit) -> dict[str, Any]:
        """Change, relabel or take out one row, or put it back; 409 when it is not as it was seen any more."""
        old, new = (one.row() if one is not None else None for one in (wanted.old, wanted.new))
        if (old or new) is None or (old and new and type(old) is not type(new)):
            raise HTTPException(422, "请写明要改的是哪一条")
        with _refusing():
            await asyncio.to_thread(change, old, new, parts.nlu, wanted.place)
            kind: Kind = "utterances" if isinstance(old or new, Utterance) else "complaints"
            found = await asyncio.to_thread(_rows, parts, kind)
        return {"row": next((_line(row) for row in found if row == new), None)}

    @api.post("/preview")
    async def preview(user: Trainer, wanted: Import) -> dict[str, Any]:
        """What an import would change; nothing is written. 422 names the line that does not fit."""
        return await asyncio.to_thread(_take, parts, wanted, True)

    @api.post("/import")
    async def take(user: Trainer, wanted: Import) -> dict[str, Any]:
        """Write what was previewed, all or nothing; 409 for another content than that."""
        if wanted.sha256 != hashlib.sha256(wanted.content.encode()).hexdigest():
            raise HTTPException(409, "文件和预览的不一样，请重新预览")
        return await asyncio.to_thread(_take, parts, wanted, False)

    return api


class _refusing:
    """A wrong file is the trainer's to mend: 422 with the place, 409 while another writes."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Gone):
            raise HTTPException(409, str(error)) from error
        if isinstance(error, DataError):
            raise HTTPException(422, str(error)) from error
        if isinstance(error, Busy):
            raise HTTPException(409, str(error)) from error


def _rows(parts: Parts, kind: Kind) -> Sequence[exchange.Row]:
    if kind == "utterances":
        return list(nlu_data.utterances(parts.nlu / "intents"))
    return list(nlu_data.complaints(*sorted((parts.nlu / "complaints").glob("*.jsonl"))))


def _take(parts: Parts, wanted: Import, dry: bool) -> dict[str, Any]:
    with _refusing():
        try:
            content = base64.b64decode(wanted.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise HTTPException(422, "文件没有传完整，请重新选择") from error
        rows = exchange.parse(wanted.format, content, wanted.name)
        written = put(rows, parts.now(), root=parts.nlu, dry=dry)
    return {"sha256": hashlib.sha256(wanted.content.encode()).hexdigest(), **_written(written)}


def _written(written: Written) -> dict[str, Any]:
    """Numbers of all, and the first `SHOWN` of each."""
    return {
        "added": len(written.added),
        "changed": len(written.changed),
        "same": len(written.same),
        "kept_out": len(written.kept_out),
        "rows": {
            "added": [_row(row) for row in written.added[:SHOWN]],
            "changed": [{**_row(new), "was": _row(old)} for old, new in written.changed[:SHOWN]],
            "kept_out": [_row(row) for row in written.kept_out[:SHOWN]],
        },
    }


def _row(row: Utterance | Complaint) -> dict[str, str]:
    marked = row.text if isinstance(row, Utterance) else text_of(row)
    return {"text": marked, "label": label_of(row)}


def _line(row: exchange.Row) -> dict[str, Any]:
    """A row with its place: file and line."""
    if isinstance(row, Utterance):
        return {"text": row.text, "intent": row.intent, "place": row.place}
    return {name: getattr(row, name) for name in ("text", "category", "priority", "voice", "source", "place")}


def _finding(one: Finding) -> dict[str, Any]:
    return {"kind": one.kind, "place": one.place, "what": one.what, "todo": one.todo, "blocks": one.blocks}
