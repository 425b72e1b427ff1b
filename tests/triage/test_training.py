import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.encoder import Encoder, EncoderError
from triage import features, training
from triage.classifier import LiveClassifier, OnnxClassifier
from triage.examples import Example, ExamplesError, clean
from triage.measures import coverage, ece, measure, sure_from, urgent_from

KINDS = (
    ("电费比上个月贵了一倍", "billing", "P3"),
    ("我家停电了没有电", "outage", "P2"),
    ("电线掉下来冒火花", "safety_hazard", "P1"),
    ("学校门口的路灯坏了", "other", "P4"),
)
PLACES = ("东风路", "人民街", "幸福小区", "城北村", "滨江苑", "老火车站", "红旗巷", "中山北路")
ROWS = [
    Example(f"{place}{number}号，{text}，请处理", category, priority)
    for place in PLACES
    for number in (3, 8, 12)
    for text, category, priority in KINDS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triage") / "model"
    training.train(ROWS, folder, encoder=None)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder)


def test_a_text_gets_the_same_answer_alone_and_in_any_batch(model: OnnxClassifier) -> None:
    texts = ["停电了", "", "电费太贵，" * 300, "路灯不亮", "停电了", "😀", "停電了"]
    together = model.classify(texts)
    assert together == [model.classify([text])[0] for text in texts]
    assert together == list(reversed(model.classify(texts[::-1])))
    assert together[0].category == together[6].category == "outage"
    for prediction in together:
        assert abs(sum(prediction.probabilities.values()) - 1) < 1e-4


def test_another_version_takes_over_in_place_and_a_broken_one_does_not(folder: Path, tmp_path: Path) -> None:
    other, broken = tmp_path / "other", tmp_path / "broken"
    for name in (other, broken):
        shutil.copytree(folder, name)
        card = json.loads((name / "card.json").read_text())
        (name / "card.json").write_text(json.dumps({**card, "version": name.name}))
    (broken / "model.onnx").write_bytes(b"torn")
    live = LiveClassifier(folder)
    first = live.classify(["停电了"])[0]
    assert first.model == live.version != "other"
    asyncio.run(live.load(other))
    assert live.version == live.classify(["停电了"])[0].model == "other"
    assert replace(live.classify(["停电了"])[0], model=first.model) == first
    with pytest.raises(Exception, match=r"torn|broken|[Pp]rotobuf|INVALID"):
        asyncio.run(live.load(broken))
    assert asyncio.run(live.using()) == live.version == "other"


def test_a_model_that_fails_leaves_the_sorting_to_an_agent(folder: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn)
    whole = onnx.load(torn / "model.onnx")
    for matrix in whole.graph.initializer:
        if features.BUCKETS in matrix.dims:
            matrix.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(matrix)[:4], matrix.name))
    onnx.save(whole, torn / "model.onnx")
    live = LiveClassifier(torn)
    found = live.classify(["电线掉下来冒火花", "停电了"])
    assert {(one.category, one.confidence, one.sure, one.priority) for one in found} == {("other", 0.0, False, "P3")}
    assert live.explain("电线掉下来冒火花") == []
    asyncio.run(live.load(folder))
    assert live.classify(["停电了"])[0].category == "outage"


def test_a_model_of_other_features_is_refused_when_loaded(folder: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    card = json.loads((older / "card.json").read_text())
    (older / "card.json").write_text(json.dumps({**card, "features": "words"}))
    with pytest.raises(ValueError, match="reads words, not characters"):
        OnnxClassifier(older)


def test_an_empty_text_is_nobodys_matter(model: OnnxClassifier) -> None:
    for text in ("", "  \n"):
        assert (model.classify([text])[0].category, model.classify([text])[0].priority) == ("other", "P4")


def test_the_words_that_decided_lower_the_score_when_they_are_deleted(model: OnnxClassifier) -> None:
    text = "幸福小区5号，电线掉下来冒火花，请处理"
    before = model.classify([text])[0]
    words = model.explain(text)
    assert words and before.category == "safety_hazard"
    assert set("".join(word for word, _ in words)) & set("电线掉冒火花")
    for word, fall in words:
        assert fall > 0
        after = model.classify([text.replace(word, "")])[0]
        assert after.probabilities["safety_hazard"] <= before.confidence
    assert model.explain("") == []


def test_the_same_seed_gives_the_same_model(folder: Path, tmp_path: Path) -> None:
    training.train(ROWS, tmp_path / "again", encoder=None)
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def test_a_class_of_three_examples_and_a_large_one_are_both_learnt(tmp_path: Path) -> None:
    rare = [Example(text, "theft") for text in ("隔壁偷电被我看见了", "有人私接偷电", "举报偷电的人")]
    large = [Example(f"{row.text}{n}", "billing") for n in range(10) for row in ROWS if row.category == "billing"]
    card = training.train([*rare, *large, *ROWS], tmp_path / "model", encoder=None)
    assert card["per_category"]["theft"] == 3
    found = OnnxClassifier(tmp_path / "model").classify(["楼下在偷电", "我家停电了没有电"])
    assert [prediction.category for prediction in found] == ["theft", "outage"]


def test_labels_of_another_utility_without_priorities(tmp_path: Path) -> None:
    rows = [Example(f"{word}{n}", label) for n in range(9) for word, label in (("水管漏水", "水"), ("煤气味道", "气"))]
    card = training.train(rows, tmp_path / "model", encoder=None)
    assert card["categories"] == ["气", "水"] and card["priorities"] == []
    found = measure(OnnxClassifier(tmp_path / "model"), rows)
    assert found["accuracy"] == 1.0 and "priority_accuracy" not in found


def test_empty_doubled_and_contradicting_rows_are_named() -> None:
    rows = [
        Example("停电了", "outage"), Example("停 电了", "outage"), Example(" ", "other"),
        Example("电费", "billing"), Example("电费", "payment"),
        Example("抄表", "metering"), Example("抄表", "metering"), Example("抄表", "billing"),
    ]  # fmt: skip
    kept, notes = clean(rows)
    assert kept == [Example("停电了", "outage"), Example("抄表", "metering")]
    assert any("billing, payment" in note and "电费" in note for note in notes)
    assert any("1 empty" in note for note in notes) and any("3 doubled" in note for note in notes)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([Example("", "other"), Example(" ", "outage")], "every text is empty"),
        ([Example("停电", "outage"), Example("没电", "outage")], "at least two"),
    ],
)
def test_unusable_examples_are_refused(tmp_path: Path, rows: list[Example], named: str) -> None:
    with pytest.raises(ExamplesError, match=named):
        training.train(rows, tmp_path / "model", encoder=None)
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_any_hugging_face_encoder_can_be_used_and_is_checked_when_loaded(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from models import export

    characters = sorted({char for row in ROWS for char in row.text})
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters]
    made = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(
        vocab_size=len(names), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=40,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "hugging")
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        tmp_path / "hugging"
    )
    export.from_folder(tmp_path / "hugging", tmp_path / "encoder")
    encoder = Encoder(tmp_path / "encoder")
    texts = ["电费太贵", "停电了" * 40, ""]
    vectors = encoder.encode(texts)
    assert vectors.shape == (3, 32)
    assert np.array_equal(vectors[1], encoder.encode([texts[1]])[0])
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5) and not vectors[2].any()

    training.train(ROWS, tmp_path / "model", encoder=tmp_path / "encoder")
    assert OnnxClassifier(tmp_path / "model").classify(["我家停电了没有电"])[0].category == "outage"

    shutil.copytree(tmp_path / "encoder", tmp_path / "broken")
    with (tmp_path / "broken" / "encoder.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(EncoderError, match="encoder.onnx is not the file"):
        Encoder(tmp_path / "broken")
    with pytest.raises(EncoderError, match="no config.json"):
        export.from_folder(tmp_path / "model", tmp_path / "nothing")


def test_a_card_of_another_time_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    card = json.loads((tmp_path / "old" / "card.json").read_text())
    del card["sure_from"]
    (tmp_path / "old" / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="sure_from"):
        OnnxClassifier(tmp_path / "old")


def test_calibration_error_and_thresholds_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.6, 0.6])
    right = np.array([True, True, True, False])
    assert ece(confidence, right) == pytest.approx(0.1)
    assert sure_from(confidence, right, 0.95) == 0.9
    assert coverage(confidence, right, 0.95) == 0.5
    assert sure_from(confidence, np.zeros(4, bool)) > 1
    urgent = np.array([True, True, False, False, False, False])
    assert urgent_from(np.array([0.9, 0.4, 0.5, 0.1, 0.1, 0.1]), urgent, 1.0, 0.25) == 0.4
    assert urgent_from(np.array([0.9, 0.4]), np.array([False, False]), 1.0, 0.0) is None
