"""`python -m tests.bench several`: messages of several matters, cut by the model in use as their writers cut them.

nlu_data/frozen/several.jsonl, two writers who had not seen the rules; the second wrote mostly without marks. Sentences
of one matter are the trainers' and the frozen ones.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nlu_data
from bot import dialogue_model
from bot.dialogue.matters import Read, apart
from bot.dialogue.reading import Reader

NEAR = 4  # characters that a cut may stand from the writer's
FROZEN = nlu_data.HERE / "frozen"


def rows() -> list[dict[str, Any]]:
    """The frozen rows: `text`, its `matters` in order, `writer`."""
    return [json.loads(line) for line in (FROZEN / "several.jsonl").read_text("utf-8").splitlines()]


def alike(found: Sequence[str], matters: Sequence[str]) -> bool:
    """Whether a message was cut into as many matters, each at nearly the same place."""
    sizes = [[len(re.sub(r"\W", "", part)) for part in parts] for parts in (found, matters)]
    return len(found) == len(matters) and all(abs(a - b) <= NEAR for a, b in zip(*sizes, strict=True))


async def score(found: Sequence[Mapping[str, Any]], read: Read) -> dict[str, int]:
    """How many messages of several matters are cut alike, how many of one matter are cut at all."""
    several = [row for row in found if len(row["matters"]) > 1]
    one = [row for row in found if len(row["matters"]) == 1]
    return {
        "several": len(several),
        "alike": sum([alike(await apart(row["text"], read), row["matters"]) for row in several]),
        "one": len(one),
        "cut": sum([len(await apart(row["text"], read)) > 1 for row in one]),
    }


def main() -> None:
    """Print a line for each writer and one for sentences of one matter."""
    with Reader(dialogue_model.prepare()) as reader:

        async def read(text: str) -> Mapping[str, Any]:
            return reader.read([text])[0]

        for writer in (1, 2):
            found = asyncio.run(score([row for row in rows() if row["writer"] == writer], read))
            print(json.dumps({f"writer {writer}": found}), flush=True)
        for source in (nlu_data.HERE / "intents", FROZEN / "intents.yml", FROZEN / "intents_robust.yml"):
            single = [{"text": row.plain, "matters": [row.plain]} for row in nlu_data.utterances(source)]
            print(json.dumps({f"{source.parent.name}/{source.stem}": asyncio.run(score(single, read))}), flush=True)
