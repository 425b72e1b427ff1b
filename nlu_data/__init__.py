"""What was said and what it meant: the readers of the training files; `nlu_data.writing` writes them.

`intents/<topic>.yml` is Rasa's training format, `complaints/*.jsonl` holds one message a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nlu_data.rows import (
    CATEGORIES,
    ENTITIES,
    PRIORITIES,
    TOPICS,
    Complaint,
    DataError,
    Gone,
    Utterance,
    check_complaint,
)
from nlu_data.topic_file import TopicFile

__all__ = [
    "CATEGORIES", "ENTITIES", "HERE", "PRIORITIES", "TOPICS", "Complaint", "DataError", "Gone", "Utterance",
    "complaint", "complaints", "utterances",
]  # fmt: skip

HERE = Path(__file__).parent


def utterances(source: Path = HERE / "intents") -> Iterator[Utterance]:
    """Every sentence of a folder of topic files, or of one file, in file order.

    Raises `DataError` for an intent or entity outside `taxonomy.md`, or stray brackets.
    """
    for file in sorted(source.glob("*.yml")) if source.is_dir() else [source]:
        yield from TopicFile(file.name, file.read_bytes().decode("utf-8")).read


def complaints(*files: Path) -> Iterator[Complaint]:
    """Labelled messages of the given JSONL files, or of every training file.

    Raises `DataError` naming file and line for malformed JSON, an unknown label or an empty text.
    """
    for file in files or sorted((HERE / "complaints").glob("*.jsonl")):
        for number, line in enumerate(file.read_text("utf-8").split("\n"), 1):
            if line.strip():
                yield complaint(line, f"{file.name}:{number}")


def complaint(line: str, place: str) -> Complaint:
    """A line of a complaints file; raises `DataError` naming `place`."""
    try:
        row = json.loads(line)
        found = Complaint(row["text"], row["category"], row["priority"], row["voice"], row["source"], place)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{place}：不是一行诉求（{error}）") from error
    check_complaint(found)
    return found
