"""Training rows in the formats of other tools: Rasa YAML, CSV, doccano JSONL, Label Studio JSON; out and in again.

Utterances carry an intent and entity spans, complaints a category and a priority. A file holds one kind. What a format
has no place for travels as a column beside the text (doccano's metadata, Label Studio's task data). What comes in is
checked row by row, and refused with the place named.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from nlu_data import CATEGORIES, ENTITIES, PRIORITIES, TOPICS, Complaint, DataError, Utterance
from nlu_data.rows import check, check_complaint, check_text
from nlu_data.topic_file import HEAD, TopicFile

Row = Utterance | Complaint
OURS = "import"
LARGEST = 20_000_000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would calculate (OWASP, CSV Injection), with the quotes that were put before it."""


@dataclass(frozen=True)
class Format:
    """A tool's format: its name for people, its file's ending, and both ways."""

    title: str
    suffix: str
    dump: Callable[[Sequence[Row]], str]
    parse: Callable[[str, str], Iterator[Row]]


def dump(name: str, rows: Sequence[Row]) -> bytes:
    """Rows of one kind as a file; raises `DataError` for a mixture, or a kind that the format cannot hold."""
    if len({type(row) for row in rows}) > 1:
        raise DataError("一个文件只能装一种数据：对话句子或诉求")
    return FORMATS[name].dump(rows).encode("utf-8-sig" if name == "csv" else "utf-8")


def parse(name: str, content: bytes, file: str = "") -> list[Row]:
    """The rows of a file, in order; raises `DataError` naming the line for what does not fit, and for an empty file."""
    file = file or f"导入文件{FORMATS[name].suffix}"
    if len(content) > LARGEST:
        raise DataError(f"{file}：文件太大，请分成{LARGEST // 1_000_000} MB 以内的几份")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}：不是 UTF-8 编码；用 Excel 时请另存为“CSV UTF-8”") from error
    rows = list(FORMATS[name].parse(text, file))
    if not rows:
        raise DataError(f"{file}：里面没有一行数据")
    return rows


def _dump_rasa(rows: Sequence[Row]) -> str:
    lines, intent = [HEAD], None
    for row in rows:
        if not isinstance(row, Utterance):
            raise DataError("Rasa 格式只装对话句子，诉求请选别的格式")
        if row.intent != intent:
            intent = row.intent
            lines.append(f"- intent: {intent}\n  examples: |\n")
        lines.append(f"    - {row.text}\n")
    return "".join(lines)


def _parse_rasa(text: str, file: str) -> Iterator[Row]:
    return TopicFile(file, text).rows()


def _dump_csv(rows: Sequence[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("text", "intent") if not rows or isinstance(rows[0], Utterance) else COMPLAINT)
    for row in rows:
        cells = (row.text, row.intent) if isinstance(row, Utterance) else [getattr(row, name) for name in COMPLAINT]
        writer.writerow("'" + cell if _FORMULA.match(cell) else cell for cell in cells)
    return out.getvalue()


def _parse_csv(text: str, file: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip() for cell in next(reader, [])]
        if "text" not in head or not {"intent", "category"} & set(head):
            raise DataError(f"{file}:1：第一行要有列名 text、intent，或 text、category、priority")
        for cells in reader:
            place = f"{file}:{reader.line_num}"
            if not any(cells):
                continue
            if len(cells) != len(head):
                raise DataError(f"{place}：有{len(cells)}列，列名有{len(head)}个；带逗号的句子要加引号")
            bare = [cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell for cell in cells]
            yield _row(dict(zip(head, bare, strict=True)), place)
    except csv.Error as error:
        raise DataError(f"{file}:{reader.line_num}：不是正确的 CSV（{error}）") from error


def _dump_doccano(rows: Sequence[Row]) -> str:
    lines: list[dict[str, Any]] = []
    for row in rows:
        if isinstance(row, Utterance):
            spans = [[start, end, name] for name, start, end in row.spans]
            lines.append({"text": row.plain, "label": spans, "intent": row.intent})
        else:
            labels = [row.category, row.priority]
            lines.append({"text": row.text, "label": labels, "voice": row.voice, "source": row.source})
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _parse_doccano(text: str, file: str) -> Iterator[Row]:
    """Sequence labelling with the intent beside, intent detection (`entities`, `cats`), text classification."""
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{file}:{number}"
        if line.strip():
            found = _json(line, place)
            with _told(place):
                labels = found.get("entities", found.get("label")) or []
                spans = [label for label in labels if isinstance(label, list)]
                names = found.get("cats") or [label for label in labels if isinstance(label, str)]
                yield _row({**found, **_named(names, place)}, place, [_span(*span) for span in spans])


def _dump_label_studio(rows: Sequence[Row]) -> str:
    tasks = []
    for row in rows:
        if isinstance(row, Utterance):
            data, plain = {"text": row.plain}, row.plain
            result = [_choice("intent", row.intent)] + [
                {
                    "id": f"{name}-{start}", "from_name": "entity", "to_name": "text", "type": "labels",
                    "value": {"start": start, "end": end, "text": plain[start:end], "labels": [name]},
                }
                for name, start, end in row.spans
            ]  # fmt: skip
        else:
            data = {"text": row.text, "voice": row.voice, "source": row.source}
            result = [_choice("category", row.category), _choice("priority", row.priority)]
        tasks.append({"data": data, "annotations": [{"result": result}]})
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _parse_label_studio(text: str, file: str) -> Iterator[Row]:
    tasks = _json(text, file)
    if not isinstance(tasks, list):
        raise DataError(f"{file}：要的是 Label Studio 导出的 JSON（一个列表）")
    for number, task in enumerate(tasks, 1):
        place = f"{file}，第{number}条"
        with _told(place):
            answers = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
            if len(answers) != 1:
                raise DataError(f"{place}：有{len(answers)}份标注，要正好一份；没标完的请先标完或去掉")
            found, spans = dict(task["data"]), []
            for one in answers[0]["result"]:
                value = one["value"]
                if one["type"] == "choices":
                    found[one["from_name"]] = value["choices"][0]
                elif one["type"] == "labels":
                    start, end = _offsets(found["text"], value)
                    spans += [_span(start, end, name) for name in value["labels"]]
            yield _row(found, place, spans)


def config(utterances: bool) -> str:
    """The labelling interface to paste into Label Studio, so that its answers fit what `parse` reads."""
    intents = [intent for group in TOPICS.values() for intent in group]
    parts = (
        (("Choices", "Choice", "intent", intents), ("Labels", "Label", "entity", ENTITIES))
        if utterances
        else (("Choices", "Choice", "category", CATEGORIES), ("Choices", "Choice", "priority", PRIORITIES))
    )
    lines = ["<View>", '  <Text name="text" value="$text"/>']
    for outer, inner, name, values in parts:
        single = ' choice="single"' if outer == "Choices" else ""
        lines.append(f'  <{outer} name="{name}" toName="text"{single}>')
        lines += [f'    <{inner} value="{value}"/>' for value in values]
        lines.append(f"  </{outer}>")
    return "\n".join([*lines, "</View>", ""])


COMPLAINT = ("text", "category", "priority", "voice", "source")
FORMATS = {
    "rasa": Format("Rasa YAML", ".yml", _dump_rasa, _parse_rasa),
    "csv": Format("CSV（Excel）", ".csv", _dump_csv, _parse_csv),
    "doccano": Format("doccano JSONL", ".jsonl", _dump_doccano, _parse_doccano),
    "label_studio": Format("Label Studio JSON", ".json", _dump_label_studio, _parse_label_studio),
}


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What a foreign file lacks, as a `DataError` at its place."""
    try:
        yield
    except DataError as error:
        raise error if place in str(error) else DataError(f"{place}：{error}") from error
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{place}：缺少内容或格式不对（{error!r}）") from error


def _row(found: Mapping[str, Any], place: str, entities: Sequence[Mapping[str, Any]] | None = None) -> Row:
    """A complaint when there is a category, else an utterance; its text carries marks unless `entities` are given."""
    text, intent, category = found["text"], found.get("intent"), found.get("category")
    if not isinstance(text, str):
        raise DataError(f"{place}：text 不是文字")
    if category:
        given = (found.get("voice") or OURS, found.get("source") or OURS)
        complaint = Complaint(text, category, found.get("priority") or "", *given, place)
        check_complaint(complaint)
        check_text(text, place)
        return complaint
    if not intent:
        raise DataError(f"{place}：没有意图（intent），也没有类别（category）：{text[:40]}")
    if entities is None:
        row = Utterance(intent, text.strip(), place)
        check(row)
        return row
    with _told(place):
        return replace(Utterance.marked(intent, text, entities), place=place)


def _named(names: Sequence[str], place: str) -> dict[str, str]:
    """What labels without a span say: a category and a priority, or an intent."""
    found: dict[str, str] = {}
    for name in names:
        kind = "category" if name in CATEGORIES else "priority" if name in PRIORITIES else "intent"
        if found.setdefault(kind, name) != name:
            raise DataError(f"{place}：标了不止一个：{found[kind]}、{name}")
    return found


def _offsets(text: str, value: Mapping[str, Any]) -> tuple[int, int]:
    """Start and end in characters; some of Label Studio's versions count UTF-16 units (its issue 1347)."""
    start, end, span = value["start"], value["end"], value.get("text")
    if span is not None and text[start:end] != span:
        units = text.encode("utf-16-le")
        start, end = (len(units[: 2 * one].decode("utf-16-le", "replace")) for one in (start, end))
        if text[start:end] != span:
            raise ValueError(f"位置 {value['start']}–{value['end']} 上不是“{span}”")
    return start, end


def _span(start: int, end: int, entity: str) -> dict[str, Any]:
    return {"start": start, "end": end, "entity": entity}


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{place}：不是正确的 JSON（{error}）") from error


def _choice(name: str, value: str) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [value]}}
