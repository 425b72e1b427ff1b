"""The trained heads as one ONNX graph: buckets, values and dense features in, probabilities and shares out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from triage.features import BUCKETS, GROUPS


@dataclass(frozen=True)
class Head:
    """Weights of shape (BUCKETS + dense, classes), n-grams first, and a bias; temperature included."""

    name: str
    classes: list[str]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def without(self, kept: int) -> Head:
        """The head without its dense weights but the last `kept`."""
        weights = np.vstack([self.weights[:BUCKETS], self.weights[self.weights.shape[0] - kept :]])
        return Head(self.name, self.classes, weights, self.bias)


def save(heads: Sequence[Head], idf: NDArray[np.float32], file: Path) -> None:
    """Write the graph for one text a run.

    Inputs: `buckets` (n,) int64 and `values` (groups, n) of one text's n-grams, `dense` (1, d). Every group is weighed
    by idf, brought to length 1 and summed with its weight. Outputs: a row of probabilities and one of scores per head,
    and `shares` (n, classes of the first head), what each n-gram adds to each score. The table of n-gram weights is
    int8 with one scale a class.
    """
    table = np.hstack([head.weights[:BUCKETS] for head in heads]) * idf[:, None]
    scale = np.maximum(np.abs(table).max(axis=0), 1e-9) / 127
    width = heads[0].weights.shape[0] - BUCKETS
    ends = np.cumsum([0] + [len(head.classes) for head in heads])
    constants = [
        numpy_helper.from_array(np.round(table / scale).astype(np.int8), "table"),
        numpy_helper.from_array(scale.astype(np.float32), "scale"),
        numpy_helper.from_array(idf.astype(np.float16), "idf"),
        numpy_helper.from_array(np.hstack([head.weights[BUCKETS:] for head in heads]), "dense_weights"),
        numpy_helper.from_array(np.concatenate([head.bias for head in heads]), "bias"),
        numpy_helper.from_array(np.array([0], np.int64), "first"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
        numpy_helper.from_array(np.array(GROUPS, np.float32)[:, None], "groups"),
        numpy_helper.from_array(np.array(1e-9, np.float32), "tiny"),
    ]
    node = helper.make_node
    nodes = [
        node("Gather", ["idf", "buckets"], ["half"]),
        node("Cast", ["half"], ["weight"], to=TensorProto.FLOAT),
        node("Mul", ["weight", "values"], ["weighted"]),
        node("ReduceL2", ["weighted"], ["length"], keepdims=1, axes=[1]),
        node("Max", ["length", "tiny"], ["divisor"]),
        node("Div", ["values", "divisor"], ["each"]),
        node("Mul", ["each", "groups"], ["together"]),
        node("ReduceSum", ["together", "first"], ["scaled"], keepdims=0),
        node("Unsqueeze", ["scaled", "second"], ["column"]),
        node("Gather", ["table", "buckets"], ["bytes"]),
        node("Cast", ["bytes"], ["numbers"], to=TensorProto.FLOAT),
        node("Mul", ["numbers", "scale"], ["rows"]),
        node("Mul", ["rows", "column"], ["all_shares"]),
        node("ReduceSum", ["all_shares", "first"], ["from_grams"], keepdims=1),
        node("MatMul", ["dense", "dense_weights"], ["from_dense"]),
        node("Sum", ["from_grams", "from_dense", "bias"], ["scores"]),
    ]
    outputs = []
    for head, begin, end in zip(heads, ends, ends[1:], strict=False):
        constants += [
            numpy_helper.from_array(np.array([begin], np.int64), f"{head.name}_begin"),
            numpy_helper.from_array(np.array([end], np.int64), f"{head.name}_end"),
        ]
        nodes += [
            node("Slice", ["scores", f"{head.name}_begin", f"{head.name}_end", "second"], [f"{head.name}_scores"]),
            node("Softmax", [f"{head.name}_scores"], [head.name], axis=1),
        ]
        outputs += [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, len(head.classes)])
            for name in (head.name, f"{head.name}_scores")
        ]
    nodes.append(node("Slice", ["all_shares", "category_begin", "category_end", "second"], ["shares"]))
    outputs.append(helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", len(heads[0].classes)]))
    inputs = [
        helper.make_tensor_value_info("buckets", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("values", TensorProto.FLOAT, [len(GROUPS), "n"]),
        helper.make_tensor_value_info("dense", TensorProto.FLOAT, [1, width]),
    ]
    graph = helper.make_graph(nodes, "triage", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
