import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from models import KEPT, NoModel, Registry
from models.__main__ import main

ROOT = Path(__file__).parents[2]


def made(registry: Registry, version: str, created: str = "2026-11-25T09:00:00+08:00") -> str:
    """A version added as a training adds it."""
    with registry.workplace() as place:
        (place / "made").mkdir()
        (place / "made" / "model").write_text(version)
        return registry.add(place / "made", {"version": version, "created": created, "author": "a", "metrics": {}})


def test_a_version_is_promoted_and_an_unknown_one_refused(tmp_path: Path) -> None:
    registry = Registry("triage", tmp_path)
    with pytest.raises(NoModel, match="make train"):
        registry.current()
    with pytest.raises(NoModel, match="before"):
        registry.rollback("李")
    assert made(registry, "b") == "b" and made(registry, "a") == "a" and made(registry, "a") == "a-2"
    registry.promote("b", "李", "更好")
    registry.promote("a", "王")
    assert registry.current().name == "a" and (registry.current() / "model").read_text() == "a"
    assert registry.versions() == ["a", "a-2", "b"]
    for wrong in ("c", "../triage/a", "", ".", "..", ".lock"):
        with pytest.raises(NoModel):
            registry.promote(wrong, "李")
    assert registry.current().name == "a"
    assert [(c.version, c.author, c.kind, c.why) for c in registry.history()] == [
        ("b", "李", "promote", "更好"),
        ("a", "王", "promote", ""),
    ]


def test_figures_join_a_card(tmp_path: Path) -> None:
    registry = Registry("dialogue", tmp_path)
    made(registry, "a")
    registry.measured("a", {"f1": 0.9})
    registry.measured("a", {"ms": 3})
    assert registry.card("a")["metrics"] == {"f1": 0.9, "ms": 3}
    assert registry.card("a")["author"] == "a"
    with pytest.raises(NoModel):
        registry.measured("b", {})


class Decisions(RuleBasedStateMachine):
    """A rollback undoes the last promotion that was not undone, whatever came before."""

    folder: Path
    runs = 0

    @initialize()
    def begin(self) -> None:
        Decisions.runs += 1
        self.registry = Registry("dialogue", self.folder / str(Decisions.runs))
        self.stack: list[str] = []
        self.lines = 0
        for version in "abc":
            made(self.registry, version)

    @rule(version=st.sampled_from("abc"))
    def promote(self, version: str) -> None:
        self.registry.promote(version, "李")
        self.lines += 1
        if self.stack[-1:] != [version]:
            self.stack.append(version)

    @rule()
    def rollback(self) -> None:
        if len(self.stack) < 2:
            with pytest.raises(NoModel):
                self.registry.rollback("李")
            return
        self.lines += 1
        self.stack.pop()
        assert self.registry.rollback("李").version == self.stack[-1]

    @rule(cut=st.integers(1, 40))
    def crash_while_writing_a_line(self, cut: int) -> None:
        whole = json.dumps({"at": "x", "version": "c", "author": "}", "kind": "promote", "why": "}{"})
        with (self.registry.folder / "history.jsonl").open("a") as file:
            file.write(whole[:cut])

    @rule(version=st.sampled_from("abc"))
    def crash_before_the_pointer(self, version: str) -> None:
        if not self.stack:
            return
        self.promote(version)
        (self.registry.folder / "current").write_text(self.stack[0] + "\n")

    @invariant()
    def the_pointer_and_the_history_agree(self) -> None:
        assert len(self.registry.history()) == self.lines
        if self.stack:
            assert self.registry.current().name == self.stack[-1] == self.registry.history()[-1].version
            assert (self.registry.folder / "current").read_text() == self.stack[-1] + "\n"


def test_promotions_and_rollbacks_obey_the_law_of_a_stack(tmp_path: Path) -> None:
    Decisions.folder = tmp_path
    run_state_machine_as_test(
        Decisions,
        settings=settings(
            max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["add", "promote oldest", "rollback"]), max_size=30))
def test_old_versions_go_but_never_one_that_may_be_needed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    registry, number = Registry("triage", tmp_path_factory.mktemp("models")), 0
    for step in ["add", "promote oldest", *["add"] * (KEPT - 1), *steps]:
        needed = {registry.current().name, registry.before()} if registry.history() else set()
        match step:
            case "add":
                made(registry, f"v{number:03}", f"2026-11-25T09:00:{number:03}")
                number += 1
            case "promote oldest":
                registry.promote(registry.versions()[0], "李")
            case "rollback" if registry.before() is not None:
                registry.rollback("李")
        left = registry.versions()
        assert left[-KEPT:] == [f"v{n:03}" for n in range(max(0, number - KEPT), number)]
        assert needed - {None} <= set(left) and len(left) <= KEPT + 2
        assert registry.current().is_dir() if registry.history() else True


def _promote_often(root: Path, version: str) -> None:
    for _ in range(20):
        Registry("triage", root).promote(version, version)


def test_many_processes_decide_at_once(tmp_path: Path) -> None:
    registry = Registry("triage", tmp_path)
    for version in "abc":
        made(registry, version)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_promote_often, args=(tmp_path, version)) for version in "abc"]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        if registry.history():
            assert registry.current().name in "abc"
    for process in processes:
        process.join()
    assert len(registry.history()) == 60
    assert registry.current().name == registry.history()[-1].version


def test_a_kill_in_the_middle_leaves_one_truth(tmp_path: Path) -> None:
    registry = Registry("dialogue", tmp_path)
    for version in "ab":
        made(registry, version)
    registry.promote("a", "李")
    script = (
        "import pathlib, sys; from models import Registry; r = Registry('dialogue', pathlib.Path(sys.argv[1]));"
        "print('go', flush=True)\nwhile True: r.promote('b', 'x'); r.promote('a', 'x')"
    )
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        pointed = (tmp_path / "dialogue" / "current").read_text()
        assert pointed in ("a\n", "b\n")
        assert registry.current().name == registry.history()[-1].version
        assert registry.promote("b", "李").version == registry.current().name == "b"


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry("dialogue", tmp_path)
    for version in "ab":
        made(registry, version)
        registry.promote(version, "李", "试")
    assert main(["list", "dialogue"], tmp_path) == 0
    assert main(["show", "dialogue", "b"], tmp_path) == 0
    told = capsys.readouterr().out
    assert "current" in told and "by 李  试" in told and '"author": "a"' in told
    assert main(["show", "dialogue", "x"], tmp_path) == 2
    assert "there is no dialogue model 'x'" in capsys.readouterr().err
