"""The doors of the web channel: who may come in, what is refused, who may show the page in a frame."""

from __future__ import annotations

import asyncio
import gzip
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels.webchat.channel import STATIC
from tests.bot.test_files import photo
from tests.channels.webchat.stage import Stage


class Person:
    """Speaks HTTP to the stage."""

    def __init__(self, stage: Stage) -> None:
        self.http = httpx.Client(base_url=stage.url, timeout=20)
        self.token = self.http.post("/chat/session").json()["token"]

    def say(self, text: str, id: str = "") -> dict[str, Any]:
        frame = {"type": "message", "id": id or uuid.uuid4().hex, "text": text}
        found: dict[str, Any] = self.http.post("/chat/messages", params={"token": self.token}, json=frame).json()
        return found

    def send(self, content: bytes, name: str = "电表.jpg", id: str = "file") -> httpx.Response:
        asked = {"token": self.token, "id": id, "name": name}
        return self.http.post("/chat/files", params=asked, content=content)

    def look(self, after: int = 0, **more: Any) -> list[dict[str, Any]]:
        asked = {"token": self.token, "after": after, **more}
        found: list[dict[str, Any]] = self.http.get("/chat/messages", params=asked).json()["messages"]
        return found


@pytest.fixture
def person(stage: Stage) -> Person:
    return Person(stage)


def test_all_that_a_page_loads_is_under_thirty_kilobytes_compressed() -> None:
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in STATIC.iterdir()}
    assert sum(sizes.values()) < 30_000, sizes
    scripts = "".join(file.read_text() for file in STATIC.glob("*.js"))
    assert not re.search(r"""(from|import\()\s*["'](?!\./)""", scripts)


def test_a_token_says_whether_it_is_a_new_customers(stage: Stage) -> None:
    with httpx.Client(base_url=stage.url) as http:
        first = http.post("/chat/session").json()
        assert first["new"] is True
        assert http.post("/chat/session", json={"token": first["token"]}).json() == {"token": first["token"]}
        assert http.post("/chat/session", json={"token": "forged"}).json()["new"] is True
        assert http.post("/chat/session", content=b"[]").status_code == 422


def test_a_forged_token_opens_no_socket(stage: Stage) -> None:
    with connect(f"ws://127.0.0.1:{stage.port}/chat/ws?token=forged") as socket:
        assert "no_identity" in str(socket.recv())
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd and closed.value.rcvd.code == 4401


@pytest.mark.parametrize("after", ["-5", "99999999999999999999", "x"])
def test_a_strange_seq_is_no_error_of_ours(person: Person, after: str) -> None:
    person.say("你好")
    answer = person.http.get("/chat/messages", params={"token": person.token, "after": after})
    assert answer.status_code in (200, 422)


def test_a_customers_message_comes_back_under_the_id_it_was_given(person: Person) -> None:
    person.say("你好", id="mine")
    person.look(1, wait=5)
    assert [frame.get("id") for frame in person.look() if frame["type"] == "message"] == ["mine", None]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "message", "id": "1", "text": " "}, "empty"),
        ({"type": "message", "id": "1", "text": "长" * 10_001}, "too_long"),
        ({"type": "message", "text": "无"}, "bad_id"),
        ({"type": "dance", "id": "1"}, "bad_type"),
    ],
)
def test_a_refusal_names_the_refused_message(person: Person, frame: dict[str, str], code: str) -> None:
    answer = person.http.post("/chat/messages", params={"token": person.token}, json=frame)
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json().get("id")) == (code, frame.get("id"))


def test_too_many_messages_are_put_off_not_lost(tmp_path: Path) -> None:
    running = Stage(tmp_path, messages_a_minute=2).start()
    try:
        person = Person(running)
        assert [person.say("好", id=str(number))["type"] for number in range(3)] == ["ack", "ack", "error"]
    finally:
        running.stop()


def test_polling_tells_typing_and_owner_only_to_those_who_ask(stage: Stage, person: Person) -> None:
    person.say("慢")
    stage.do(asyncio.wait_for(stage.dialogue.thinking.wait(), 10))
    assert [frame["type"] for frame in person.look(0)] == ["message", "owner"]
    assert person.look(1, wait=0.2) == []
    assert person.look(1, wait=5, state="agent")[-1] == {"type": "owner", "owner": "bot", "position": None}
    stage.bell.ring("conversation:1")

    async def later() -> None:
        await asyncio.sleep(0.5)
        stage.bell.ring("conversation:1", {"type": "typing", "from": "bot", "ttl": 5})

    stage.begin(later())
    assert person.look(1, wait=5, state="bot") == [{"type": "typing", "from": "bot", "ttl": 5}]
    stage.dialogue.release.set()


def test_a_picture_is_stored_once_and_shown_by_a_link(stage: Stage, person: Person) -> None:
    first = person.send(photo())
    assert first.json()["type"] == "ack"
    assert person.send(photo()).json() == first.json()
    frame = person.look()[0]
    assert frame["text"] == "[图片]" and frame["attachments"][0]["name"] == "电表.jpg"
    assert person.http.get(frame["attachments"][0]["url"]).headers["content-type"] == "image/jpeg"
    assert [speaker for _, speaker, _ in stage.transcript()].count("customer") == 1


@pytest.mark.parametrize(
    ("content", "status", "code"), [(b"<html>", 422, "bad_file"), (b"\0" * 10_000_001, 413, "too_large")]
)
def test_what_is_no_picture_is_refused_with_a_reason(person: Person, content: bytes, status: int, code: str) -> None:
    answer = person.send(content)
    assert (answer.status_code, answer.json()["code"], answer.json()["id"]) == (status, code, "file")
    assert person.look() == []


def test_only_a_customer_may_send_files(stage: Stage) -> None:
    answer = httpx.post(f"{stage.url}/chat/files?token=forged&id=1&name=a", content=photo())
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("origins", "ancestors"),
    [
        (("*",), "frame-ancestors 'self' *"),
        (("none",), "frame-ancestors 'none'"),
        (("https://a.example", "https://b.example"), "frame-ancestors 'self' https://a.example https://b.example"),
    ],
)
def test_the_page_says_who_may_frame_it(tmp_path: Path, origins: tuple[str, ...], ancestors: str) -> None:
    running = Stage(tmp_path, embed_origins=origins).start()
    try:
        page = httpx.get(running.url)
    finally:
        running.stop()
    policy = page.headers["content-security-policy"]
    assert ancestors in policy and "unsafe" not in policy and "script-src 'self'" in policy
    assert "<script>" not in page.text and "style=" not in page.text and "onclick" not in page.text
    assert "江临供电公司" in page.text
