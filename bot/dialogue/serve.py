"""`python -m bot.dialogue.serve run …`: `rasa run …` whose model can be swapped between two turns, and with two costs
of every action turn taken away.

`PUT /model` of Rasa loads while every turn waits, and forgets the conversations: here a thread loads, they stay.

Rasa checks each action's answer against a schema, and before that the schema against the schema of schemas: here the
schema is checked once. It also opens a connection for each call of an action: here connections are kept.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import jsonschema
import rasa.server
import rasa.shared.utils.validation
from rasa.__main__ import main
from rasa.core.agent import Agent
from rasa.core.utils import AvailableEndpoints
from rasa.server import ErrorResponse
from rasa.utils.endpoints import EndpointConfig
from sanic import Sanic

_checked: dict[str, jsonschema.Draft7Validator] = {}
_open: dict[str, aiohttp.ClientSession] = {}
_loading = asyncio.Lock()
_own_session = EndpointConfig.session


class _Kept:
    """A session that stays open after `async with`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __aenter__(self) -> aiohttp.ClientSession:
        return self._session

    async def __aexit__(self, *_: object) -> None:
        pass


def validate(instance: Any, schema: dict[str, Any], *rest: Any, **more: Any) -> None:
    """As `jsonschema.validate`, for a schema that was seen before without checking the schema again."""
    key = repr(schema)
    if key not in _checked:
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        _checked[key] = kind(schema)
    error = jsonschema.exceptions.best_match(_checked[key].iter_errors(instance))
    if error is not None:
        raise error


def session(endpoint: EndpointConfig) -> Any:
    """One open session for each endpoint's address."""
    if endpoint.url not in _open or _open[endpoint.url].closed:
        _open[endpoint.url] = _own_session(endpoint)
    return _Kept(_open[endpoint.url])


async def load(model_path: str, endpoints: AvailableEndpoints, **_: Any) -> Agent:
    """What `PUT /model` puts in use; raises `ErrorResponse` 400 when the file holds no usable model."""
    async with _loading:
        now = Sanic.get_app("rasa_server").ctx.agent
        if str(now.processor.model_path) == model_path:
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
    jsonschema.validate = validate
    EndpointConfig.session = session
    rasa.server._load_agent = load
    # the domain of a trained model was checked when it was trained: a second of every start and swap
    rasa.shared.utils.validation.validate_yaml_schema = lambda *_: None
    main()
