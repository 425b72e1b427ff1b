import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot import follow
from bot.follow import Follower


class RememberingLive:
    """Uses what it loads; the versions in `broken` it cannot load, and while `gone` it cannot be asked."""

    def __init__(self) -> None:
        self.version = "a"
        self.loaded: list[str] = []
        self.broken: set[str] = set()
        self.gone = False

    async def using(self) -> str:
        if self.gone:
            raise ConnectionError("refused")
        return self.version

    async def load(self, folder: Path) -> None:
        self.loaded.append(folder.name)
        if folder.name in self.broken:
            raise ValueError("no model in it")
        self.version = folder.name


class Scene:
    def __init__(self) -> None:
        self.live, self.current = RememberingLive(), "a"
        self.follower = Follower("dialogue", self.pointed, lambda: Path("a"), self.live)

    def pointed(self) -> Path:
        if not self.current:
            raise LookupError("no current dialogue model")
        return Path(self.current)


def play(scene: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene(Scene())

    asyncio.run(run())


def test_the_version_in_use_follows_the_pointer_there_and_back() -> None:
    async def scene(s: Scene) -> None:
        await s.follower.look()
        assert s.follower.version == "a" and s.live.loaded == []
        s.current = "b"
        await s.follower.look()
        await s.follower.look()
        s.current = "a"
        await s.follower.look()
        assert s.follower.version == "a" and s.live.loaded == ["b", "a"]

    play(scene)


def test_a_broken_version_changes_nothing_is_told_and_not_tried_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(s: Scene) -> None:
        s.live.broken, s.current = {"b"}, "b"
        for _ in range(3):
            await s.follower.look()
        assert s.live.loaded == ["b"] and s.follower.version == "a"
        assert s.follower.failure == "b cannot be used: no model in it"
        monkeypatch.setattr(follow, "AGAIN_AFTER", 0.0)
        s.live.broken = set()
        await s.follower.look()
        assert s.follower.version == "b" and s.follower.failure is None

    play(scene)


def test_the_version_before_is_better_than_none() -> None:
    async def scene(s: Scene) -> None:
        s.live.version, s.live.broken, s.current = "", {"b"}, "b"
        await s.follower.look()
        assert s.live.loaded == ["b", "a"] and s.follower.version == "a"
        assert s.follower.failure == "b cannot be used: no model in it"

    play(scene)


def test_a_rollback_ends_the_failure() -> None:
    async def scene(s: Scene) -> None:
        s.live.broken, s.current = {"b"}, "b"
        await s.follower.look()
        s.current = "a"
        await s.follower.look()
        assert s.follower.failure is None and s.live.loaded == ["b"]

    play(scene)


def test_what_is_starting_or_has_no_model_is_left_alone() -> None:
    async def scene(s: Scene) -> None:
        s.live.gone, s.current = True, "b"
        await s.follower.look()
        assert s.follower.version is None and s.live.loaded == []
        s.live.gone, s.current = False, ""
        await s.follower.look()
        assert s.follower.version == "a" and s.follower.failure == "no current dialogue model"

    play(scene)
