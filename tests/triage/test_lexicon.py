"""The small dictionary says what jieba's own says."""

import jieba

from triage.lexicon import Frequencies

TEXTS = (
    "小区从昨天晚上开始停电，到现在还没有人来修，打了好几次电话都说在路上",
    "上个月电费多少，为什么比去年同月多了一百多块？",
    "Wi-Fi 坏了，户号3310000017，请转人工",
    "𠮷野家旁边的变压器冒烟了",
)


def test_every_word_and_beginning_has_the_count_that_jieba_reads() -> None:
    theirs = jieba.Tokenizer()
    with jieba.get_module_res("dict.txt") as lines:
        wanted, total = theirs.gen_pfdict(lines)
    with jieba.get_module_res("dict.txt") as lines:
        ours = Frequencies(lines)
    assert ours.total == total
    assert [(text, ours.get(text)) for text in wanted] == list(wanted.items())
    assert ours.get("没有这个词条") is None and "没有这个词条" not in ours and ours.get("没有这个词条", 7) == 7


def test_texts_are_cut_alike() -> None:
    theirs, ours = jieba.Tokenizer(), jieba.Tokenizer()
    with jieba.get_module_res("dict.txt") as lines:
        known = Frequencies(lines)
    ours.FREQ, ours.total, ours.initialized = known, known.total, True
    for text in TEXTS:
        for by_chance in (False, True):
            assert ours.lcut(text, HMM=by_chance) == theirs.lcut(text, HMM=by_chance)
        assert ours.lcut_for_search(text) == theirs.lcut_for_search(text)
