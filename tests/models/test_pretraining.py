from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

import nlu_data
from models import export, pretraining
from models.encoder import Encoder
from models.pretraining import Training

PAIRS = [(f"{who}没电了", f"{who}停电了", f"{who}电费高") for who in ("我家", "邻居", "小区", "公司")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    pretraining.prepare(folder, [nlu_data.HERE / "intents" / "outage.yml"], [], 64, 1)
    return folder


def fresh(prepared: Path, out: Path) -> Training:
    out.mkdir(exist_ok=True)
    for name in ("tokenizer.json", "vectors.npz"):
        (out / name).write_bytes((prepared / name).read_bytes())
    return Training(out, layers=1, save_every=0)


def learn(training: Training, prepared: Path, steps: int | None = None) -> None:
    """All stages; cut off after so many steps of the second where given."""
    training.run("masked", 4000, 2e-3, training.masked(pretraining.load(prepared), 0))
    training.run("pairs", 600, 5e-4, islice(training.paired(PAIRS), steps))


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_to_the_very_same_encoder(prepared: Path, tmp_path: Path) -> None:
    whole = fresh(prepared, tmp_path / "whole")
    learn(whole, prepared)
    with pytest.raises(StopIteration):
        learn(fresh(prepared, tmp_path / "cut"), prepared, steps=2)
    resumed = fresh(prepared, tmp_path / "cut")
    assert resumed.progress.stage == "pairs" and resumed.progress.steps == 2
    learn(resumed, prepared)
    assert resumed.progress.tokens == whole.progress.tokens
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert a.equal(b), name


@pytest.mark.slow
def test_it_learns_and_its_export_finds_the_paraphrase(prepared: Path, tmp_path: Path) -> None:
    fresh(prepared, tmp_path / "run")
    pretraining.word_means(tmp_path / "run", PAIRS, 1)
    training = Training(tmp_path / "run", layers=1, save_every=0)
    with np.load(tmp_path / "run" / "means.npz") as tuned:
        begun = training.model.bert.embeddings.word_embeddings.weight
        assert np.array_equal(begun.detach().numpy(), tuned["vectors"])

    def kept(losses: Iterator[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, int]]:
        for loss, tokens in losses:
            seen.append(loss.item())
            yield loss, tokens

    seen: list[float] = []
    training.run("pairs", 3000, 1e-3, kept(training.paired(PAIRS)))
    assert np.mean(seen[-5:]) < np.mean(seen[:5]) / 2
    for network, width in ((True, 128), (False, 64)):
        card = export.from_run(tmp_path / "run", tmp_path / "encoder", "four sentences", network)
        assert card["learned"]["means"]["tokens"] > 0 and ("pairs" in card["learned"]) == network
        vectors = Encoder(tmp_path / "encoder").encode([text for row in PAIRS for text in row])
        for a, b, c in vectors.reshape(len(PAIRS), 3, width):
            assert a @ b > a @ c


def test_rows_with_a_text_that_is_held_out_are_not_learned_from(tmp_path: Path) -> None:
    rows = (
        "train,怎么交电费,电费怎么交,1",
        "dev,怎么开发票,发票怎么开,1",
        "train,查余额,余额多少,1",
        "test,查余额,还剩多少钱,1",
    )
    (tmp_path / "pairs.csv").write_text("\n".join(("split,text1,text2,label", *rows)), encoding="utf-8")
    learned, held = pretraining.read_pairs([tmp_path / "pairs.csv"])
    assert learned == [("怎么交电费", "电费怎么交", 1), ("怎么开发票", "发票怎么开", 1)]
    assert held == [("查余额", "还剩多少钱", 1)]
