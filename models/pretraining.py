"""Make a small Chinese encoder from text alone. `python -m models.pretraining --corpus FILE … --out DIR`.

Four stages, each resumed where it stopped: `words` (tokenizer of characters and jieba's words, first vectors),
`masked` (masked language model; a token is a word, so whole words are hidden), `pairs` (contrastive sentence vectors),
`domain` (the masked language model on domain text beside the pairs). Then `models.export` writes the folder that
`models.encoder` loads.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from tqdm import tqdm
from transformers import BertConfig, BertForMaskedLM

from models import corpus
from models.corpus import CLS, MASK, PAD, SEP, SPECIAL, Windows

STAGES = ("masked", "pairs", "domain")
MASKED = 0.2
TOKENS = 2048
PAIRS = 96
SHARPNESS = 20.0
EVERY = 60.0


@dataclass
class Progress:
    """What was learned so far; saved with every checkpoint."""

    stage: str = "masked"
    seconds: float = 0.0
    steps: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)


class Muon(torch.optim.Optimizer):
    """Jordan (2024): momentum made orthogonal by Newton-Schulz. In float32, for processors without fast bfloat16."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """One step of every weight matrix; the size of a step is that of Adam at the same rate."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                moved = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                moved.lerp_(weight.grad, 1 - group["momentum"])
                update = torch.lerp(weight.grad, moved, group["momentum"])
                tall = update.shape[0] > update.shape[1]
                x = update.T if tall else update
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
                weight.add_(x.T if tall else x, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)


class Training:
    """A network, its optimisers and its progress, in one folder."""

    def __init__(self, out: Path, layers: int = 4, seed: int = 1) -> None:
        """Resume from `out`/checkpoint.pt, or begin from the first vectors there."""
        self.out, self.seed = out, seed
        with np.load(out / "vectors.npz") as stored:
            vectors = torch.from_numpy(stored["vectors"])
        width = vectors.shape[1]
        self.tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=self.tokenizer.get_vocab_size(), hidden_size=width, num_hidden_layers=layers,
            num_attention_heads=width // 64, intermediate_size=4 * width, max_position_embeddings=128,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, type_vocab_size=1, pad_token_id=PAD,
        )  # fmt: skip
        self.model = BertForMaskedLM(config)
        with torch.no_grad():
            self.model.bert.embeddings.word_embeddings.weight.copy_(vectors)
        inner = [p for name, p in self.model.named_parameters() if p.ndim == 2 and "encoder.layer" in name]
        chosen = {id(p) for p in inner}
        rest = [p for p in self.model.parameters() if id(p) not in chosen]
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(inner, {"lr": 1e-3, "momentum": 0.95}),
            torch.optim.AdamW(rest, lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self.progress = Progress()
        if (out / "checkpoint.pt").exists():
            saved = torch.load(out / "checkpoint.pt", weights_only=True)
            self.model.load_state_dict(saved["model"])
            for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.progress = Progress(**saved["progress"])

    def save(self) -> None:
        """Replace the checkpoint atomically."""
        state = {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": asdict(self.progress),
        }
        part = self.out / "checkpoint.part"
        torch.save(state, part)
        os.replace(part, self.out / "checkpoint.pt")

    def run(self, stage: str, minutes: float, rate: float, losses: Iterator[tuple[Tensor, int]]) -> None:
        """Take steps down `losses` (loss, tokens) for `minutes`; the rate rises, stays, falls in the last 30 %."""
        if STAGES.index(self.progress.stage) > STAGES.index(stage):
            return
        if self.progress.stage != stage:
            self.progress.stage, self.progress.seconds, self.progress.steps = stage, 0.0, 0
        state, budget, recent = self.progress, minutes * 60, []
        saved = clock = time.monotonic()
        self.model.train()
        with tqdm(total=round(budget), initial=round(state.seconds), desc=stage, unit="s", mininterval=30) as bar:
            while state.seconds < budget:
                share = state.seconds / budget
                factor = min(1.0, (state.steps + 1) / 100, (1 - share) / 0.3)
                for optimiser in self.optimisers:
                    for group in optimiser.param_groups:
                        group["lr"] = rate * max(factor, 0.01)
                loss, tokens = next(losses)
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                for optimiser in self.optimisers:
                    optimiser.step()
                    optimiser.zero_grad()
                recent.append(loss.item())
                now = time.monotonic()
                bar.update(round(state.seconds + now - clock) - round(state.seconds))
                state.seconds, clock, state.steps = state.seconds + now - clock, now, state.steps + 1
                state.tokens[stage] = state.tokens.get(stage, 0) + tokens
                if now - saved > EVERY or state.seconds >= budget:
                    state.losses.setdefault(stage, []).append(round(float(np.mean(recent)), 4))
                    bar.set_postfix(loss=state.losses[stage][-1], tokens=f"{state.tokens[stage]:,}", steps=state.steps)
                    recent, saved = [], now
                    self.save()

    def ids(self, texts: Sequence[str]) -> Tensor:
        """Token ids, the first `WINDOW` of each text, filled up with [PAD]."""
        found = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return pad([[CLS, *row.ids[: corpus.WINDOW], SEP] for row in found])

    def hidden(self, ids: Tensor) -> Tensor:
        """The last layer: shape (texts, tokens, width)."""
        found: Tensor = self.model.bert(input_ids=ids, attention_mask=(ids != PAD).long())[0]
        return found

    def masked(self, data: Windows, round_: int) -> Iterator[tuple[Tensor, int]]:
        """Losses of the masked language model, on masked characters only; endless, a new order each round."""
        while True:
            rng = np.random.default_rng((self.seed, round_, self.progress.steps))
            round_ += 1
            for rows in _batches(np.diff(data.offsets), rng):
                ids, chosen = _mask(data, rows, self.tokenizer.get_vocab_size(), rng)
                hidden = self.hidden(ids)
                where = chosen != PAD
                yield nn.functional.cross_entropy(self.model.cls(hidden[where]), chosen[where]), int((ids != PAD).sum())

    def paired(self, pairs: Sequence[tuple[str, str, str | None]]) -> Iterator[tuple[Tensor, int]]:
        """Losses of telling a text's paraphrase from all others of the batch and from a known near miss."""
        while True:
            rng = np.random.default_rng((self.seed, 7, self.progress.steps))
            order = rng.permutation(len(pairs))
            for start in range(0, len(order) - PAIRS + 1, PAIRS):
                rows = [pairs[number] for number in order[start : start + PAIRS]]
                texts = [a for a, _, _ in rows] + [b for _, b, _ in rows] + [c for _, _, c in rows if c]
                ids = self.ids(texts)
                vectors = nn.functional.normalize(pooled(self.hidden(ids), ids), dim=1)
                scores = vectors[: len(rows)] @ vectors[len(rows) :].T * SHARPNESS
                yield nn.functional.cross_entropy(scores, torch.arange(len(rows))), int((ids != PAD).sum())


def pooled(hidden: Tensor, ids: Tensor) -> Tensor:
    """The mean over a text's tokens: shape (texts, width)."""
    mask = (ids != PAD).float()
    return (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """One array of the rows, filled up with [PAD]."""
    ids = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = given
    return torch.from_numpy(ids)


def together(first: Iterator[tuple[Tensor, int]], second: Iterator[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, int]]:
    """The sum of two losses, step by step."""
    for (loss, tokens), (other, more) in zip(first, second, strict=False):
        yield loss + other, tokens + more


def read_pairs(files: Sequence[Path], *splits: str) -> list[tuple[str, str, int]]:
    """Rows of the given splits of CSV files with split, text1, text2, label (0: they differ)."""
    found = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as stream:
            found += [
                (row["text1"], row["text2"], int(row["label"]))
                for row in csv.DictReader(stream)
                if row["split"] in splits and row["text1"].strip() and row["text2"].strip()
            ]
    return found


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
    parser.add_argument("--minutes", type=float, nargs=3, default=(50, 10, 5), metavar=("MASKED", "PAIRS", "DOMAIN"))
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    prepare(given.out, given.corpus, given.domain, given.width, given.seed)
    training = Training(given.out, given.layers, given.seed)
    training.run("masked", given.minutes[0], given.rate, training.masked(load(given.out), 0))
    pairs = triples(read_pairs(given.pairs, "train", "dev"))
    if pairs:
        training.run("pairs", given.minutes[1], given.rate / 4, training.paired(pairs))
    if given.domain:
        domain = corpus.windows(corpus.lines(given.domain), training.tokenizer)
        losses = training.masked(domain, 1)
        training.run(
            "domain", given.minutes[2], given.rate / 4, together(losses, training.paired(pairs)) if pairs else losses
        )
    print(json.dumps(asdict(training.progress)))


if __name__ == "__main__":
    main()
