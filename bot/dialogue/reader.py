"""`python -m bot.dialogue.reader MODEL` (Python 3.10): reads messages as one model would, beside the live one.

One JSON object {"text"} a line in, and for each a line of `door.read` out, in order. Its client is
`bot.dialogue.reading`.
"""

from __future__ import annotations

import asyncio
import json
import sys

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

from bot.dialogue.door import read


async def main(model: str) -> None:
    """Answer until the input ends; raises when the file holds no model."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what Rasa prints is no answer
    agent = Agent.load(model)
    for line in sys.stdin:
        parsed = await agent.processor.parse_message(UserMessage(json.loads(line)["text"]))
        print(json.dumps(read(parsed)), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
