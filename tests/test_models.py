from pathlib import Path

import pytest

from models import NoModel, Registry


def test_a_version_is_promoted_and_an_unknown_one_refused(tmp_path: Path) -> None:
    registry = Registry("triage", tmp_path)
    with pytest.raises(NoModel, match="make train"):
        registry.current()
    for version in ("a", "b"):
        (tmp_path / "triage" / version).mkdir(parents=True)
    registry.promote("b")
    registry.promote("a")
    assert registry.current().name == "a"
    assert registry.versions() == ["a", "b"]
    with pytest.raises(NoModel, match="'c'"):
        registry.promote("c")
    assert registry.current().name == "a"
