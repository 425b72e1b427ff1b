"""The two processes keep the connections between them open longer than either would leave one idle."""

from __future__ import annotations

import http.client
import time

import pytest

from tests.product import Product

pytestmark = [pytest.mark.rasa, pytest.mark.slow]


def test_a_connection_is_used_again_after_more_than_five_idle_seconds(product: Product) -> None:
    for port, path in ((product.port, "/livez"), (product.rasa_port, "/status")):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for wait in (0, 6):
            time.sleep(wait)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            assert connection.sock is not None, f"{path}: the server closes it"
