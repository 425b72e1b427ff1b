"""A torch encoder as the int8 ONNX folder that `models.encoder` loads. Ours: `python -m models.export RUN OUT`."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from models.corpus import WINDOW
from models.encoder import EncoderError
from models.pretraining import Training, best, words


class Pooled(nn.Module):
    """The mean of the last layer over a text's tokens; with word vectors, theirs before it, and both weighted."""

    def __init__(self, encoder: nn.Module | None, vectors: Tensor | None = None, weights: Tensor | None = None) -> None:
        """`vectors` (vocabulary, width) and `weights` (vocabulary,) belong together; they may do without `encoder`."""
        super().__init__()
        self.encoder = encoder
        self.words = nn.Embedding.from_pretrained(vectors) if vectors is not None else None
        self.weights = nn.Embedding.from_pretrained(weights[:, None]) if weights is not None else None

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors of length 1 (of each part): shape (texts, width)."""
        mask = attention_mask[:, :, None].float()
        if self.weights is not None:
            mask = mask * self.weights(input_ids)
        layers = [self.words(input_ids)] if self.words is not None else []
        if self.encoder is not None:
            layers.append(self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0])
        return torch.cat([nn.functional.normalize((layer * mask).sum(1), dim=1) for layer in layers], dim=1)


def write(model: Pooled, tokenizer: Tokenizer, out: Path, window: int, card: dict[str, Any]) -> dict[str, Any]:
    """encoder.onnx (int8 weights), tokenizer.json and encoder.json in `out`; returns the card."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    around = tokenizer.encode("电").ids
    inside = tokenizer.encode("电", add_special_tokens=False).ids
    at = next(i for i in range(len(around)) if around[i : i + len(inside)] == inside)
    ids = torch.tensor([around])
    model.eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(folder) / "whole.onnx"
        torch.onnx.export(
            model, (ids, torch.ones_like(ids)), str(whole), dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["vector"],
            dynamic_axes={"input_ids": {0: "texts", 1: "tokens"}, "attention_mask": {0: "texts", 1: "tokens"}},
        )  # fmt: skip
        logging.getLogger().setLevel(logging.ERROR)
        quantize_dynamic(whole, out / "encoder.onnx", per_channel=True, weight_type=QuantType.QInt8)
    with torch.no_grad():
        width = int(model(ids, torch.ones_like(ids)).shape[1])
    names = ("encoder.onnx", "tokenizer.json")
    card = {
        **card,
        "width": width,
        "window": window,
        "before": around[:at],
        "after": around[at + len(inside) :],
        "sha256": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names},
    }
    (out / "encoder.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return card


def from_folder(folder: Path, out: Path) -> dict[str, Any]:
    """Any Hugging Face encoder folder with a fast tokenizer; raises `EncoderError` when it cannot be loaded."""
    if not (folder / "config.json").is_file():
        raise EncoderError(f"{folder} is no Hugging Face encoder: it holds no config.json")
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager")
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EncoderError(f"{folder} is no Hugging Face encoder: {error}") from error
    longest = getattr(model.config, "max_position_embeddings", 512)
    return write(Pooled(model), backend, out, min(128, longest - 4), {"name": folder.name})


def from_run(run: Path, out: Path, corpora: str, network: bool = True) -> dict[str, Any]:
    """Our own encoder from the folder in which `models.pretraining` worked; its word vectors alone without `network`.

    The words alone are a hundred times as quick: the network must have learned enough to be worth it.
    """
    training = Training(run)
    progress, name = training.progress, best(run)
    vectors, weights = words(run, name)
    bert = training.model.bert.cpu() if network else None
    if bert is not None:
        bert.config._attn_implementation = "eager"
    learned = {stage: {"tokens": progress.tokens[stage], "losses": progress.losses[stage]} for stage in progress.tokens}
    with np.load(run / f"{name}.npz") as stored:
        means = {key: stored[key].tolist() for key in ("tokens", "losses") if key in stored}
    layers = bert.config.num_hidden_layers if bert is not None else 0
    card = {
        "name": f"dianqiao-{f'{layers}x' if layers else 'words-'}{vectors.shape[1]}",
        "corpora": corpora,
        "layers": layers,
        "vocabulary": len(vectors),
        "learned": {"means": means, **(learned if network else {})},
    }
    return write(Pooled(bert, vectors, weights), training.tokenizer, out, WINDOW, card)


def main() -> None:
    """Write our encoder's folder."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--corpora", default="", help="what the card says about them")
    parser.add_argument("--words", action="store_true", help="the word vectors alone, without the network")
    given = parser.parse_args()
    print(json.dumps(from_run(given.run, given.out, given.corpora, not given.words), ensure_ascii=False))


if __name__ == "__main__":
    main()
