"""Text as a small encoder learns it: a vocabulary of characters and words, short windows, first word vectors."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jieba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from tokenizers import Regex, Tokenizer, models, normalizers, processors
from tqdm import tqdm

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
WINDOW = 48
RARE_CHARACTER, RARE_WORD, WORDS = 10, 20, 24_000

_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}")
_MARK = re.compile(r"\[([^\[\]]+)\]\(\w+\)")


@dataclass(frozen=True)
class Windows:
    """Token ids of every window end to end, and where windows start (count + 1 offsets)."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]


def lines(files: Sequence[Path]) -> Iterator[str]:
    """Lines of plain or .xz text, the `text` of .jsonl rows, or the unmarked `- ` examples of Rasa's .yml."""
    for file in files:
        opened = lzma.open(file, "rt", encoding="utf-8") if file.suffix == ".xz" else file.open(encoding="utf-8")
        with opened as stream:
            for line in stream:
                if file.suffix == ".jsonl":
                    line = json.loads(line)["text"]
                elif file.suffix == ".yml":
                    if not line.startswith("    - "):
                        continue
                    line = _MARK.sub(r"\1", line[6:])
                if len(line.strip()) > 1:
                    yield line.strip()


def tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Characters, and the words of two to four characters that jieba finds often, as a unigram tokenizer.

    Like jieba it takes the most probable cut; unlike jieba it runs wherever `tokenizers` does.
    """
    jieba.setLogLevel(60)
    normal = _normalizer()
    characters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in tqdm(texts, desc="words", mininterval=5, unit="line"):
        text = normal.normalize_str(text)
        characters.update(text)
        words.update(word for word in jieba.cut(text, HMM=False) if _WORD.fullmatch(word))
    kept = [(word, count) for word, count in words.most_common(WORDS) if count >= RARE_WORD]
    kept += [(char, count) for char, count in characters.items() if count >= RARE_CHARACTER]
    return unigram(kept)


def unigram(counts: Sequence[tuple[str, int]]) -> Tokenizer:
    """The tokenizer of known pieces and their counts, most frequent first after the special tokens."""
    total = sum(count for _, count in counts)
    pieces = [(piece, float(np.log(count / total))) for piece, count in sorted(counts, key=lambda row: -row[1])]
    made = Tokenizer(models.Unigram([(token, -100.0) for token in SPECIAL] + pieces, unk_id=UNK))
    made.normalizer = _normalizer()
    made.add_special_tokens(list(SPECIAL))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return made


def windows(texts: Iterable[str], made: Tokenizer) -> Windows:
    """Cut texts into windows of at most `WINDOW` tokens, without [CLS] and [SEP]."""
    parts: list[NDArray[np.int32]] = []
    sizes = [0]
    stretch: list[str] = []

    def add() -> None:
        for found in made.encode_batch_fast(stretch, add_special_tokens=False):
            row = np.array(found.ids, dtype=np.int32)
            parts.append(row)
            sizes.extend(min(WINDOW, len(row) - at) for at in range(0, len(row), WINDOW))
        stretch.clear()

    for text in tqdm(texts, desc="windows", mininterval=5, unit="line"):
        stretch.append(text)
        if len(stretch) == 10_000:
            add()
    add()
    return Windows(np.concatenate(parts), np.cumsum(sizes))


def first_vectors(data: Windows, size: int, width: int, seed: int) -> NDArray[np.float32]:
    """Token vectors: truncated SVD of the positive pointwise mutual information of tokens at most five apart.

    Levy, Goldberg and Dagan (2015), with nearer neighbours weighing more and context counts to the power 0.75.
    Shape (size, width), each row of length 0.04 * sqrt(width); tokens never seen are drawn at random.
    """
    ids = data.ids.astype(np.int64)
    window = np.repeat(np.arange(len(data.offsets) - 1), np.diff(data.offsets))
    counted = sparse.csr_matrix((size, size), dtype=np.float32)
    for distance in range(1, 6):
        same = window[:-distance] == window[distance:]
        weights = np.full(int(same.sum()), 1 / distance, dtype=np.float32)
        counted += sparse.csr_matrix((weights, (ids[:-distance][same], ids[distance:][same])), shape=(size, size))
    counted = (counted + counted.T).tocoo()
    seen = np.maximum(np.asarray(counted.sum(1)).ravel(), 1e-9)
    context = seen**0.75 / (seen**0.75).sum()
    information = np.log(counted.data / (seen[counted.row] * context[counted.col]))
    kept = information > 0
    positive = sparse.csr_matrix((information[kept], (counted.row[kept], counted.col[kept])), shape=(size, size))
    left, singular, _ = randomized_svd(positive.astype(np.float32), n_components=width, random_state=seed, n_iter=2)
    vectors = np.asarray(left * np.sqrt(singular), dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1)
    empty = norms < 1e-6
    vectors[empty] = np.random.default_rng(seed).normal(size=(int(empty.sum()), width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors * 0.04 * width**0.5, dtype=np.float32)


def weights(data: Windows, size: int) -> NDArray[np.float32]:
    """How much each token counts in a mean: a / (a + p), a = 0.001 (Arora, Liang and Ma 2017); special tokens 0."""
    share = np.bincount(data.ids, minlength=size) / len(data.ids)
    found = (1e-3 / (1e-3 + share)).astype(np.float32)
    found[: len(SPECIAL)] = 0
    return found


def _normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), "")])
