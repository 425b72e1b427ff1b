"""Words are cut as jieba cuts them, with its dictionary on disk."""

from pathlib import Path

import jieba
import pytest

import nlu_data
from triage import words


def test_every_cut_is_jiebas_own() -> None:
    ours, theirs = words.tokenizer(), jieba.Tokenizer()
    for text in [row.text for row in nlu_data.complaints()][::20]:
        assert ours.lcut(text, HMM=False) == theirs.lcut(text, HMM=False)
        assert list(ours.cut_for_search(text)) == list(theirs.cut_for_search(text))


def test_the_trie_knows_what_the_dictionary_knows_and_a_second_writer_leaves_it(tmp_path: Path) -> None:
    folder, source = tmp_path / "words", jieba.Tokenizer()
    words.write(folder)
    before = (folder / "counts.bin").stat().st_mtime_ns
    words.write(folder)
    assert (folder / "counts.bin").stat().st_mtime_ns == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["words"]
    counts, total = source.gen_pfdict(source.get_dict_file())
    table = words.Table(folder)
    assert table.total == total
    assert all(table[word] == counts[word] for word in list(counts)[::50])
    assert "电费单据吗" not in table and table.get("电费单据吗") is None and table.get("电费单据吗", 1) == 1


def test_where_no_trie_can_be_jieba_keeps_its_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(words, "FOLDER", tmp_path / "file")
    words.tokenizer.cache_clear()
    try:
        assert words.tokenizer().lcut("电费怎么这么高", HMM=False) == jieba.lcut("电费怎么这么高", HMM=False)
    finally:
        words.tokenizer.cache_clear()
