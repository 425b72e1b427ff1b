"""The words of a text by jieba, whose dictionary is read from a trie on disk: as a dict it would take 60 MB.

The trie is made once by a process of its own (`python triage/words.py FOLDER`), which ends with the memory it took.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from array import array
from functools import cache
from pathlib import Path

import jieba
import marisa_trie

FOLDER = Path(__file__).parent.parent / "models" / "words"
SECONDS = 120

log = logging.getLogger(__name__)
jieba.setLogLevel(60)


class Table:
    """How often jieba counts a word; 0 for what longer words begin with. `total` is the count of all."""

    def __init__(self, folder: Path) -> None:
        """Read what `write` left in the folder; raises `OSError` or `ValueError` if it is not there."""
        self._keys = marisa_trie.Trie().mmap(str(folder / "keys.marisa"))
        self._counts = array("I", (folder / "counts.bin").read_bytes())
        self.total = self._counts.pop()

    def __contains__(self, word: str) -> bool:
        """Whether it is a word or the beginning of one."""
        return word in self._keys

    def __getitem__(self, word: str) -> int:
        """The word's count; raises `KeyError`."""
        return int(self._counts[self._keys[word]])

    def get(self, word: str, default: int | None = None) -> int | None:
        """The word's count, or `default`."""
        at = self._keys.get(word, -1)
        return default if at < 0 else self._counts[at]


@cache
def tokenizer() -> jieba.Tokenizer:
    """jieba's tokenizer over the trie, which is made where it is missing: two seconds then.

    Where it cannot be made or read, jieba's own with its dictionary in memory.
    """
    made, folder = jieba.Tokenizer(), FOLDER / f"jieba-{jieba.__version__}"
    try:
        if not folder.is_dir():
            subprocess.run([sys.executable, "-I", __file__, str(folder)], check=True, timeout=SECONDS)
        table = Table(folder)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.warning("%s holds no trie of jieba's dictionary (%s): it takes 60 MB of memory instead", folder, error)
        made.initialize()
        return made
    made.FREQ, made.total, made.initialized = table, table.total, True
    return made


def write(folder: Path) -> None:
    """Make the trie of jieba's own dictionary, all of it or nothing; another process may have been quicker."""
    source = jieba.Tokenizer()
    counts, total = source.gen_pfdict(source.get_dict_file())
    keys = marisa_trie.Trie(counts)
    row = array("I", [0]) * len(keys)
    for word, count in counts.items():
        row[keys[word]] = count
    row.append(total)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as name:
        part = Path(name) / "part"
        part.mkdir()
        keys.save(str(part / "keys.marisa"))
        (part / "counts.bin").write_bytes(row.tobytes())
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.is_dir():
                raise


if __name__ == "__main__":
    write(Path(sys.argv[1]))
