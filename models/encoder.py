"""Sentence vectors of a folder that holds an exported encoder: numpy, tokenizers and onnxruntime, from Python 3.10 on.

`encode(texts)` is the vectors of the encoder that comes with the project, `models/encoder`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

HOME = Path(__file__).with_name("encoder")
LONGEST = 24


class EncoderError(ValueError):
    """The folder holds no usable encoder; the message names the file."""


class Encoder:
    """encoder.onnx, tokenizer.json and encoder.json with their checksums."""

    def __init__(self, folder: Path = HOME, threads: int = 1) -> None:
        """Load and check; raises `EncoderError` when a file is missing or not what its card says."""
        try:
            card = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            for name, wanted in card["sha256"].items():
                if hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
                    raise EncoderError(f"{folder / name} is not the file that encoder.json describes: fetch it again")
        except (OSError, KeyError, json.JSONDecodeError) as error:
            raise EncoderError(f"{folder} holds no encoder: {error!r}") from error
        self.folder = folder
        self.width: int = card["width"]
        self.name: str = card["name"]
        self._window: int = card["window"]
        self._first: list[int] = card["before"]
        self._last: list[int] = card["after"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._model = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 for each text, shape (texts, width); a text without a token gets zeros.

        A long text is cut into windows, at most `LONGEST`, and gets their mean. Every window is computed alone, so that
        a text's vector does not depend on its neighbours (int8 scales are taken over the whole input).
        """
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids[: self._window * LONGEST]
            for at in range(0, len(ids), self._window):
                part = ids[at : at + self._window]
                row = np.array([[*self._first, *part, *self._last]], dtype=np.int64)
                found = self._model.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0][0]
                vector += found * len(part)
            vector /= np.linalg.norm(vector) or 1
        return vectors


@cache
def _own() -> Encoder:
    return Encoder()


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of the project's own encoder, shape (texts, width); see `Encoder.encode`."""
    return _own().encode(texts)
