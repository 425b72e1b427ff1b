"""What bad days get: Rasa stopped or hanging, the service killed, a utility system that fails."""

from __future__ import annotations

import asyncio
import http.server
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.sync.client import connect

from actions.systems_sample import SampleSystems
from bot import dialogue_model
from tests.actions.utility_server import TOKEN, UtilityServer
from tests.product import Customer, Product
from triage import training

pytestmark = pytest.mark.rasa


@contextmanager
def started(folder: Path, wait_for: str = "/readyz", **settings: str) -> Iterator[Product]:
    dialogue_model.prepare()
    training.ensure()
    product = Product(folder, **settings)
    try:
        product.start(wait_for)
        yield product
    finally:
        product.stop()


def test_a_customer_is_answered_within_three_seconds_when_rasa_is_stopped(tmp_path: Path) -> None:
    with started(tmp_path, "/livez", RASA_URL="http://127.0.0.1:9") as product:
        customer = Customer(product)
        begun = time.monotonic()
        answers = customer.ask("我上个月电费多少")
        assert time.monotonic() - begun < 3
        assert "95598" in answers[0]["text"] and "工单号" in answers[-1]["text"]
        customer.look(1)
        assert customer.owner == "queue"
        assert "120" in Customer(product).hear("有人触电了")


def test_a_customer_is_answered_within_three_seconds_when_rasa_hangs(tmp_path: Path) -> None:
    with started(tmp_path) as product:
        customer = Customer(product)
        assert customer.ask("你好")
        rasa = [pid for pid in _children(product) if b"bot.dialogue.serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in rasa:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        answers = customer.ask("我上个月电费多少")
        assert time.monotonic() - begun < 3.5
        assert "95598" in answers[0]["text"]
        for pid in rasa:
            os.kill(pid, signal.SIGCONT)


def test_killed_in_the_middle_of_fifty_conversations(tmp_path: Path) -> None:
    with started(tmp_path) as product:
        customers = [Customer(product) for _ in range(50)]
        acked: list[tuple[int, str]] = []

        def talk(index: int) -> None:
            for number, text in enumerate(("我要投诉抄表员态度差没人管", "我上个月电费多少", "你好")):
                try:
                    if customers[index].post(f"{number}", text)["type"] == "ack":
                        acked.append((index, f"{number}"))
                except Exception:
                    return

        with ThreadPoolExecutor(50) as pool:
            talking = [pool.submit(talk, index) for index in range(50)]
            until = time.monotonic() + 60
            while len(acked) < 60 and time.monotonic() < until:
                time.sleep(0.05)
            product.kill()
            for one in talking:
                one.result()
        product.sweep()
        assert len(acked) >= 50
        product.start()
        until = time.monotonic() + 60
        while _unanswered(tmp_path) and time.monotonic() < until:
            time.sleep(0.5)
        assert _unanswered(tmp_path) == 0
        for index, customer in enumerate(customers):
            customer.look(0.5)
            seqs = [frame["seq"] for frame in customer.seen]
            assert seqs == list(range(1, len(seqs) + 1))
            said = Counter(frame["text"] for frame in customer.seen if frame["from"] == "customer")
            assert set(said.values()) <= {1}
            assert len(said) >= sum(1 for who, _ in acked if who == index)
        with sqlite3.connect(tmp_path / "dianqiao.db") as database:
            tickets = database.execute(
                "SELECT conversation_id, count(*) FROM ticket WHERE text LIKE '%抄表员%' GROUP BY 1"
            ).fetchall()
            failed = database.execute("SELECT count(*) FROM message WHERE delivery = 'failed'").fetchone()[0]
        complained = {index for index, id in acked if id == "0"}
        assert len(tickets) >= len(complained)
        assert {count for _, count in tickets} == {1}
        assert failed == 0


@pytest.mark.parametrize("fault", ["500", "garbage", "hang"])
def test_a_failing_system_gets_no_invented_figure(tmp_path: Path, fault: str) -> None:
    class Failing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if fault == "hang":
                time.sleep(5)
            self.send_response(500 if fault == "500" else 200)
            self.end_headers()
            self.wfile.write(b"<html>not json</html>")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with started(tmp_path, UTILITY_API_BASE=f"http://127.0.0.1:{server.server_port}") as product:
        customer = Customer(product)
        customer.hear("我上个月电费多少")
        customer.hear("3310000017")
        answer = customer.ask("1580")[0]
        assert "营销系统" in answer["text"] and "元" not in answer["text"]
        assert "/file_complaint" in [button["payload"] for button in answer["buttons"]]
    server.shutdown()


def test_every_figure_comes_from_the_utilitys_own_server(tmp_path: Path) -> None:
    theirs = SampleSystems(lambda: datetime.now(UTC), seed=77)
    number, account = next(iter((one.account_no, one) for one in theirs._now().accounts.values()))
    with ThreadPoolExecutor(1) as thread:  # a browser's loop may run in this one
        bill = thread.submit(asyncio.run, theirs.bills(number, 2)).result()[0]
    server = UtilityServer(theirs)
    with started(tmp_path, UTILITY_API_BASE=server.base, UTILITY_API_TOKEN=TOKEN) as product:
        customer = Customer(product)
        customer.hear("查电费")
        customer.hear(number)
        answer = customer.ask(account.phone[-4:])[0]
        assert f"{bill.amount:.2f}元" in answer["text"]
        assert all(f"{line.amount:.2f}元" in answer["text"] for line in bill.lines)


def test_ctrl_c_stops_everything_although_pages_are_open(tmp_path: Path) -> None:
    with started(tmp_path, "/livez") as product:
        customer = Customer(product)
        customer.post("1", "你好")
        with connect(f"{product.url.replace('http', 'ws')}/chat/ws?token={customer.token}&after=0") as socket:
            socket.recv()
            assert product._process is not None
            product._process.send_signal(signal.SIGINT)
            assert product._process.wait(30) == 0
        until = time.monotonic() + 10
        while _children(product) and time.monotonic() < until:
            time.sleep(0.1)
        assert _children(product) == []


def _children(product: Product) -> list[int]:
    assert product._process is not None
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == product._process.pid:
                    found.append(int(entry.name))
            except ProcessLookupError:
                pass
    return found


def _unanswered(folder: Path) -> int:
    with sqlite3.connect(folder / "dianqiao.db") as database:
        count: int = database.execute("SELECT count(*) FROM message WHERE NOT answered").fetchone()[0]
        return count
