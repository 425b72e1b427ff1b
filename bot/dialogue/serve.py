"""`python -m bot.dialogue.serve run …`: `rasa run …` with two costs of every action turn taken away.

Rasa checks each action's answer against a schema, and before that the schema against the schema of schemas: here the
schema is checked once. It also opens a connection for each call of an action: here connections are kept.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
from rasa.__main__ import main
from rasa.utils.endpoints import EndpointConfig

_checked: dict[str, jsonschema.Draft7Validator] = {}
_open: dict[str, aiohttp.ClientSession] = {}
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


if __name__ == "__main__":
    jsonschema.validate = validate
    EndpointConfig.session = session
    main()
