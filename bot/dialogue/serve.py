"""`python -m bot.dialogue.serve run …`: `rasa run …` at less cost a turn (`turn_costs.py`), whose model can be swapped
between two turns.

`PUT /model` of Rasa loads while every turn waits, and forgets the conversations: here a thread loads, they stay.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import rasa.server
import rasa.shared.utils.validation
from rasa.__main__ import main
from rasa.core.agent import Agent
from rasa.core.utils import AvailableEndpoints
from rasa.server import ErrorResponse
from sanic import Sanic

from bot.dialogue.turn_costs import spare

_loading = asyncio.Lock()


async def load(model_path: str, endpoints: AvailableEndpoints, **_: Any) -> Agent:
    """What `PUT /model` puts in use; raises `ErrorResponse` 400 when the file holds no usable model."""
    async with _loading:
        now = Sanic.get_app("rasa_server").ctx.agent
        if now.is_ready() and str(now.processor.model_path) == model_path:
            return now
        try:
            new = await asyncio.to_thread(
                Agent.load, model_path, generator=endpoints.nlg, action_endpoint=endpoints.action
            )
        except Exception as error:
            logging.getLogger(__name__).exception("%s cannot be loaded", model_path)
            raise ErrorResponse(400, "LoadingError", f"{type(error).__name__}: {error}") from error
        for part in (new, new.processor):
            part.tracker_store, part.lock_store = now.tracker_store, now.lock_store
        new.tracker_store.domain = new.domain
        return new


if __name__ == "__main__":
    rasa.server._load_agent = load
    # the domain of a trained model was checked when it was trained: a second of every start and swap
    rasa.shared.utils.validation.validate_yaml_schema = lambda *_: None
    spare()
    main()
