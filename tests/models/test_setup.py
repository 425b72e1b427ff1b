from pathlib import Path

import pytest

from models import SETUP, Registry
from models.setup import ensure


class Clone:
    """A registry and its trainings; a model is what it was made from."""

    def __init__(self, root: Path) -> None:
        self.registry = Registry("dialogue", root)
        self.trained = 0

    def train(self, source: str, code: str, author: str = SETUP) -> str:
        self.trained += 1
        created = f"2026-11-25T09:{self.trained:02}:00+08:00"
        with self.registry.workplace() as place:
            (place / "made").mkdir()
            card = {"version": f"v{self.trained}", "created": created, "author": author, "source": source, "code": code}
            return self.registry.add(place / "made", card)

    def start(self, source: str, code: str, again: bool = False) -> str:
        return ensure(self.registry, source, code, lambda: self.train(source, code), again).name


def test_a_developer_always_has_the_model_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clone = Clone(tmp_path)
    assert clone.start("d1", "c1") == "v1" and clone.start("d1", "c1") == "v1"
    assert clone.start("d2", "c1") == "v2"
    assert clone.start("d1", "c1") == "v1", "a branch left and come back to is not trained again"
    assert clone.start("d1", "c1", again=True) == "v3"
    assert clone.trained == 3
    assert [(c.version, c.author) for c in clone.registry.history()] == [
        ("v1", SETUP),
        ("v2", SETUP),
        ("v1", SETUP),
        ("v3", SETUP),
    ]
    assert "there is none" in capsys.readouterr().out


def test_what_a_trainer_put_in_use_stays_until_the_code_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = Clone(tmp_path)
    clone.start("d1", "c1")
    clone.registry.promote(clone.train("d2", "c1", "李"), "李")
    assert clone.start("d3", "c1") == "v2"
    assert "kept as 李 decided" in capsys.readouterr().out
    clone.registry.rollback("王")
    assert clone.start("d3", "c1") == "v1", "what was rolled back does not come back by itself"
    assert clone.start("d3", "c2") == "v3"
    assert "rules or code changed" in capsys.readouterr().out
    assert clone.start("d4", "c2") == "v4", "then it is the set-up's again"


def test_a_candidate_that_was_not_wanted_does_not_come_in_by_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = Clone(tmp_path)
    clone.start("d1", "c1")
    assert clone.train("d2", "c1", "李") == "v2"
    assert clone.start("d2", "c1") == "v1"
    assert "kept until someone puts v2 in use, which 李 made" in capsys.readouterr().out
    assert clone.start("d3", "c1") == "v3", "nobody made one of these data"
    assert clone.start("d4", "c2") == "v4"
