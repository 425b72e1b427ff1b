"""The pinyin initials of titles, read in a process of its own: the words it needs take 45 MB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache

LONGEST = 64


def initials(title: str) -> str:
    """The initials of one title, lower case: 办结通知 is bjtz."""
    return initials_of((title,))[0]


@lru_cache(8)
def initials_of(titles: tuple[str, ...]) -> Sequence[str]:
    """The initials of each; raises `subprocess.CalledProcessError`."""
    given = "\n".join(" ".join(title.split()) for title in titles)
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", __file__],
        input=given, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    return [line[:LONGEST] for line in done.stdout.split("\n")]


def _main() -> None:
    from pypinyin import Style, lazy_pinyin

    lines = sys.stdin.read().split("\n")
    print(*("".join(lazy_pinyin(line, style=Style.FIRST_LETTER)).lower() for line in lines), sep="\n", end="")


if __name__ == "__main__":
    _main()
