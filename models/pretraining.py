"""Make a small Chinese encoder from text alone. `python -m models.pretraining --corpus FILE … --out DIR`.

Four stages, each resumed where it stopped: `words` (tokenizer of characters and jieba's words, first vectors, tuned in
a minute so that means of them tell paraphrases), `masked` (masked language model, which begins with these words; a
token is a word, so whole words are hidden), `pairs` (contrastive sentence vectors), `domain` (the masked language model
on domain text beside the pairs). A stage is as long as its tokens, not its time: the same seed gives the
same encoder, stopped and resumed or not, on a busy machine or an idle one. Then `models.export` writes the folder that
`models.encoder` loads. Uses a GPU where torch finds one.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from tqdm import tqdm
from transformers import BertConfig, BertForMaskedLM

from models import corpus
from models.corpus import CLS, MASK, PAD, SEP, SPECIAL, Windows
from models.muon import HALF, Muon

STAGES = ("masked", "pairs", "domain")
MASKED = 0.2
TOKENS = 2048
PAIRS = 96
SHARPNESS = 20.0
EVERY = 60.0  # seconds between checkpoints

T = TypeVar("T")


@dataclass
class Progress:
    """What was learned so far; saved with every checkpoint."""

    stage: str = "masked"
    steps: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)


class Training:
    """A network, its optimisers and its progress, in one folder."""

    def __init__(
        self, out: Path, layers: int = 4, seed: int = 1, half: bool = False, save_every: float = EVERY
    ) -> None:
        """Resume from `out`/checkpoint.pt, or begin from the best vectors there with so many `layers`.

        `half` computes in bfloat16; a checkpoint is written every `save_every` seconds.
        """
        self.out, self.seed, self.half, self._save_every = out, seed, half, save_every
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        vectors, self.weights = (side.to(self.device) for side in words(out, best(out)))
        width = vectors.shape[1]
        self.tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
        torch.manual_seed(seed)
        checkpoint = out / "checkpoint.pt"
        saved = torch.load(checkpoint, weights_only=True, map_location=self.device) if checkpoint.exists() else None
        layers = saved["layers"] if saved else layers
        config = shape(self.tokenizer.get_vocab_size(), width, layers)
        self.model = BertForMaskedLM(config)
        with torch.no_grad():
            self.model.bert.embeddings.word_embeddings.weight.copy_(vectors)
        self.model.to(self.device)
        inner = [p for name, p in self.model.named_parameters() if p.ndim == 2 and "encoder.layer" in name]
        chosen = {id(p) for p in inner}
        rest = [p for p in self.model.parameters() if id(p) not in chosen]
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(inner, {"lr": 1e-3, "momentum": 0.95, "half": half}),
            torch.optim.AdamW(rest, lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self.progress = Progress()
        if saved:
            self.model.load_state_dict(saved["model"])
            for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.progress = Progress(**saved["progress"])

    def save(self) -> None:
        """Replace the checkpoint atomically."""
        state = {
            "layers": self.model.config.num_hidden_layers,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": asdict(self.progress),
        }
        part = self.out / "checkpoint.part"
        torch.save(state, part)
        os.replace(part, self.out / "checkpoint.pt")

    def run(self, stage: str, budget: int, rate: float, losses: Iterator[tuple[Tensor, int]]) -> None:
        """Take steps down `losses` (loss, tokens) for `budget` tokens; the rate rises, stays, falls at the end."""
        state = self.progress
        if STAGES.index(state.stage) > STAGES.index(stage):
            return
        if state.stage != stage:
            state.stage, state.steps = stage, 0
        done, recent, saved = state.tokens.get(stage, 0), list[float](), time.monotonic()
        self.model.train()
        with tqdm(total=budget, initial=done, desc=stage, unit="token", unit_scale=True, mininterval=30) as bar:
            while done < budget:
                factor = min(1.0, (state.steps + 1) / 100, (1 - done / budget) / 0.3)
                for optimiser in self.optimisers:
                    for group in optimiser.param_groups:
                        group["lr"] = rate * max(factor, 0.01)
                with torch.autocast(self.device, HALF, enabled=self.half):
                    loss, tokens = next(losses)
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                for optimiser in self.optimisers:
                    optimiser.step()
                    optimiser.zero_grad()
                recent.append(loss.item())
                bar.update(tokens)
                done, state.steps = done + tokens, state.steps + 1
                state.tokens[stage] = done
                if time.monotonic() - saved >= self._save_every or done >= budget:
                    state.losses.setdefault(stage, []).append(round(float(np.mean(recent)), 4))
                    bar.set_postfix(loss=state.losses[stage][-1], steps=state.steps)
                    self.save()
                    recent, saved = [], time.monotonic()

    def ids(self, texts: Sequence[str]) -> Tensor:
        """Token ids, the first `WINDOW` of each text, filled up with [PAD]."""
        found = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return pad([[CLS, *row.ids[: corpus.WINDOW], SEP] for row in found]).to(self.device)

    def hidden(self, ids: Tensor) -> Tensor:
        """The last layer: shape (texts, tokens, width)."""
        found: Tensor = self.model.bert(input_ids=ids, attention_mask=(ids != PAD).long())[0]
        return found

    def masked(self, data: Windows, salt: int) -> Iterator[tuple[Tensor, int]]:
        """Losses of the masked language model, on masked tokens only; endless, a new order each round."""
        every = _rounds(lambda rng: _batches(np.diff(data.offsets), rng), self.seed, salt)
        for step, rows in islice(zip(count(), every, strict=False), self.progress.steps, None):
            rng = np.random.default_rng((self.seed, salt, step, 1))
            ids, chosen = (side.to(self.device) for side in _mask(data, rows, self.tokenizer.get_vocab_size(), rng))
            hidden = self.hidden(ids)
            where = chosen != PAD
            yield nn.functional.cross_entropy(self.model.cls(hidden[where]), chosen[where]), int((ids != PAD).sum())

    def paired(self, pairs: Sequence[tuple[str, str, str | None]]) -> Iterator[tuple[Tensor, int]]:
        """Losses of telling a text's paraphrase from all others of the batch and from a known near miss."""
        size = min(PAIRS, len(pairs))

        def batches(rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
            order = rng.permutation(len(pairs))
            return (order[start : start + size] for start in range(0, len(order) - size + 1, size))

        for chosen in islice(_rounds(batches, self.seed, 7), self.progress.steps, None):
            rows = [pairs[number] for number in chosen]
            texts = [a for a, _, _ in rows] + [b for _, b, _ in rows] + [c for _, _, c in rows if c]
            ids = self.ids(texts)
            vectors = nn.functional.normalize((self.hidden(ids).float() * self.weights[ids][:, :, None]).sum(1), dim=1)
            scores = vectors[:size] @ vectors[size:].T * SHARPNESS
            wanted = torch.arange(size, device=self.device)
            yield nn.functional.cross_entropy(scores.float(), wanted), int((ids != PAD).sum())


def shape(vocabulary: int, width: int, layers: int) -> BertConfig:
    """The network's."""
    return BertConfig(
        vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
        intermediate_size=4 * width, max_position_embeddings=128, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, type_vocab_size=1, pad_token_id=PAD,
    )  # fmt: skip


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """One array of the rows, filled up with [PAD]."""
    ids = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = given
    return torch.from_numpy(ids)


def _rounds(cuts: Callable[[np.random.Generator], Iterator[T]], seed: int, salt: int) -> Iterator[T]:
    """What `cuts` makes of one random generator after the other, without end."""
    for round_ in count():
        yield from cuts(np.random.default_rng((seed, salt, round_)))


def together(first: Iterator[tuple[Tensor, int]], second: Iterator[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, int]]:
    """The sum of two losses, step by step."""
    for (loss, tokens), (other, more) in zip(first, second, strict=False):
        yield loss + other, tokens + more


def read_pairs(files: Sequence[Path]) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, int]]]:
    """Rows to learn from, and rows held out, (text, text, label; 0: they differ) of CSV files with a split column.

    Splits named train and dev are learned from, but for rows with a text that occurs in any other split.
    """
    learned, held = list[tuple[str, str, int]](), list[tuple[str, str, int]]()
    for file in files:
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                if row["text1"].strip() and row["text2"].strip():
                    chosen = learned if row["split"] in ("train", "dev") else held
                    chosen.append((row["text1"], row["text2"], int(row["label"])))
    seen = {text for row in held for text in row[:2]}
    return [row for row in learned if seen.isdisjoint(row[:2])], held


def triples(rows: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, str | None]]:
    """Matching pairs, each with a non-matching text of its first where there is one."""
    misses = {text: other for text, other, label in rows if label == 0}
    return [(text, other, misses.get(text)) for text, other, label in rows if label > 0]


def _batches(sizes: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches of about `TOKENS` tokens of nearly equal length, in random order, from shuffled stretches."""
    order = rng.permutation(len(sizes))
    for start in range(0, len(order), 20_000):
        stretch = order[start : start + 20_000]
        stretch = stretch[np.argsort(sizes[stretch], kind="stable")]
        cuts, at = [], 0
        while at < len(stretch):
            end = at + 1
            while end < len(stretch) and (end - at + 1) * (sizes[stretch[end]] + 2) <= TOKENS:
                end += 1
            cuts.append(stretch[at:end])
            at = end
        for number in rng.permutation(len(cuts)):
            yield cuts[number]


def _mask(data: Windows, rows: NDArray[np.int64], size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Ids with words hidden (80 % [MASK], 10 % another, 10 % kept), and the hidden ones ([PAD] elsewhere)."""
    longest = int(np.diff(data.offsets)[rows].max())
    ids = np.full((len(rows), longest + 2), PAD, dtype=np.int64)
    for place, number in zip(ids, rows, strict=True):
        given = data.ids[data.offsets[number] : data.offsets[number + 1]]
        place[0], place[1 : len(given) + 1], place[len(given) + 1] = CLS, given, SEP
    chosen = (rng.random(ids.shape) < MASKED) & (ids >= len(SPECIAL))
    chosen[0, 1] = True
    hidden = np.where(chosen, ids, PAD)
    dice = rng.random(ids.shape)
    seen = np.where(dice < 0.8, MASK, np.where(dice < 0.9, rng.integers(len(SPECIAL), size, ids.shape), ids))
    return torch.from_numpy(np.where(chosen, seen, ids)), torch.from_numpy(hidden)


def word_means(out: Path, pairs: Sequence[tuple[str, str, str | None]], seed: int) -> None:
    """Write means.npz: vectors and weights of words of which a text's weighted mean is close to its paraphrase's.

    Wieting et al. (2016). A word's vector is its own plus those of its characters, so that rare words learn, too.
    """
    torch.manual_seed(seed)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    vectors, weights = words(out, "vectors")
    index = tokenizer.get_vocab()
    parts = [
        (number, index[char]) for piece, number in index.items() if number >= len(SPECIAL)
        for char in piece if char in index
    ]  # fmt: skip
    whole, char = torch.tensor(parts).T
    own = nn.Parameter(nn.functional.normalize(vectors, dim=1))
    shared = nn.Parameter(own.detach() * 0.3)
    heavy = nn.Parameter(weights.clamp_min(1e-6).log())
    optimiser = torch.optim.Adam([{"params": [own, shared], "lr": 5e-3}, {"params": [heavy], "lr": 1.5e-2}])
    tokens = 0
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, 3 * (len(pairs) // 512 + 1))

    def mean(texts: Sequence[str]) -> Tensor:
        nonlocal tokens
        ids = [row.ids or [PAD] for row in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
        flat = torch.tensor([number for row in ids for number in row])
        tokens += len(flat)
        starts = torch.tensor([0, *map(len, ids[:-1])]).cumsum(0)
        table = own.index_add(0, whole, shared[char])
        summed = nn.functional.embedding_bag(flat, table, starts, mode="sum", per_sample_weights=heavy[flat].exp())
        return nn.functional.normalize(summed, dim=1)

    rng, losses = np.random.default_rng(seed), list[float]()
    for _ in tqdm(range(3), desc="means"):
        order, round_ = rng.permutation(len(pairs)), list[float]()
        for start in range(0, len(order), 512):
            rows = [pairs[number] for number in order[start : start + 512]]
            found = mean([a for a, _, _ in rows] + [b for _, b, _ in rows] + [c for _, _, c in rows if c])
            scores = found[: len(rows)] @ found[len(rows) :].T * SHARPNESS / 2
            loss = nn.functional.cross_entropy(scores, torch.arange(len(rows)))
            loss.backward()
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            round_.append(loss.item())
        losses.append(round(float(np.mean(round_)), 4))
    with torch.no_grad():
        table = own.index_add(0, whole, shared[char])
        table *= vectors.norm(dim=1).mean() / table.norm(dim=1).mean()
        weights = heavy.exp()
        weights[: len(SPECIAL)] = 0
    np.savez(out / "means.npz", vectors=table.numpy(), weights=weights.numpy(), tokens=tokens, losses=losses)


def best(out: Path) -> str:
    """The name of the newest vectors: those tuned on pairs, if there are some."""
    return "means" if (out / "means.npz").exists() else "vectors"


def words(out: Path, name: str) -> tuple[Tensor, Tensor]:
    """Vectors (vocabulary, width) and weights (vocabulary,) of words, as `prepare` or `word_means` stored them."""
    with np.load(out / f"{name}.npz") as stored:
        return torch.from_numpy(stored["vectors"]), torch.from_numpy(stored["weights"])


def prepare(out: Path, files: Sequence[Path], domain: Sequence[Path], width: int, seed: int) -> None:
    """The `words` stage: tokenizer.json, corpus.npz and vectors.npz in `out`, unless they are there."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "tokenizer.json").exists():
        corpus.tokenizer(corpus.lines([*files, *domain])).save(str(out / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    if not (out / "corpus.npz").exists():
        data = corpus.windows(corpus.lines([*files, *domain]), tokenizer)
        np.savez(out / "corpus.npz", ids=data.ids, offsets=data.offsets)
    if not (out / "vectors.npz").exists():
        data, size = load(out), tokenizer.get_vocab_size()
        vectors, weights = corpus.first_vectors(data, size, width, seed), corpus.weights(data, size)
        np.savez(out / "vectors.npz", vectors=vectors, weights=weights)


def load(out: Path) -> Windows:
    """The windows that `prepare` stored."""
    with np.load(out / "corpus.npz") as stored:
        return Windows(stored["ids"], stored["offsets"])


def main() -> None:
    """Every stage in order; run again after a stop and it goes on."""
    parser = argparse.ArgumentParser(prog="python -m models.pretraining", description=__doc__)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True, help="text, one a line")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="CSV: split, text1, text2, label")
    parser.add_argument("--domain", type=Path, nargs="*", default=[], help="text of the domain")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument(
        "--tokens", type=float, nargs=3, default=(15, 4, 1), metavar=("MASKED", "PAIRS", "DOMAIN"), help="in millions"
    )
    parser.add_argument("--half", action="store_true", help="compute in bfloat16")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    prepare(given.out, given.corpus, given.domain, given.width, given.seed)
    pairs = triples(read_pairs(given.pairs)[0])
    if pairs and not (given.out / "means.npz").exists():
        word_means(given.out, pairs, given.seed)
    training = Training(given.out, given.layers, given.seed, given.half)
    budgets = [round(millions * 1e6) for millions in given.tokens]
    training.run("masked", budgets[0], given.rate, training.masked(load(given.out), 0))
    if pairs:
        training.run("pairs", budgets[1], given.rate / 4, training.paired(pairs))
    if given.domain:
        losses = training.masked(corpus.windows(corpus.lines(given.domain), training.tokenizer), 1)
        training.run(
            "domain", budgets[2], given.rate / 4, together(losses, training.paired(pairs)) if pairs else losses
        )
    print(json.dumps(asdict(training.progress)))


if __name__ == "__main__":
    main()
