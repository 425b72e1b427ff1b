"""The pinyin initials of titles, by which agents and trainers find them: 办结通知 is bjtz.

Which reading of a character a word has, pypinyin's phrases tell. They take 45 MB and are rarely asked, so a process of
its own reads them and ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache

LONGEST = 64
SECONDS = 20


@lru_cache(maxsize=64)
def initials(*titles: str) -> list[str]:
    """The initials of each title, lower case, at most `LONGEST`; takes a third of a second the first time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYPINYIN")}
    done = subprocess.run(
        [sys.executable, "-I", __file__], input=json.dumps(titles).encode(), env=environment, timeout=SECONDS,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found


def _main() -> None:
    from pypinyin import Style, lazy_pinyin

    read = (lazy_pinyin(title, style=Style.FIRST_LETTER) for title in json.load(sys.stdin))
    json.dump(["".join(letters).lower()[:LONGEST] for letters in read], sys.stdout)


if __name__ == "__main__":
    _main()
