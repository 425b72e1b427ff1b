"""Any text can be put into any response, however it is written, and nothing else of the file changes."""

from __future__ import annotations

import difflib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dialogue.responses import FOLDERS
from nlu_data import DataError
from triage.trainer.response_file import edited

SOURCE = """version: "3.1"
# 说明：这里的话都短
responses:
  # 第一句
  utter_block:
    - text: |-
        第一行{a}
        第二行

    # 按钮后面
  say_plain:   # 平常
    - text: 好的{b}。
      buttons: [{title: 转人工, payload: /request_human}, {title: '查电费', payload: '/q{"x":"y"}'}]
  say_quoted:
    - text: "一行\\n又一行"
      buttons:
        - {title: 来电了, payload: /affirm}   # 是
  say_folded:
    - text: >-
        折起来的
        一句
# 完
"""
TITLES = {"utter_block": [], "say_plain": ["转人工", "查电费"], "say_quoted": ["来电了"], "say_folded": []}
CHARACTERS = "停电了{a}：，,[]{}#&*!|>'\"%@`-? :好\\1~😀"
texts = st.lists(
    st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=10).map(str.strip).filter(bool), min_size=1, max_size=3
).map("\n".join)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(TITLES)), texts, st.data())
def test_the_response_reads_as_meant_and_the_rest_is_untouched(name: str, text: str, data: st.DataObject) -> None:
    titles = [data.draw(texts.filter(lambda title: "\n" not in title)) for _ in TITLES[name]]
    after = edited("x.yml", SOURCE, name, text, titles)
    before, found = yaml.safe_load(SOURCE), yaml.safe_load(after)
    assert found["responses"].pop(name)[0]["text"] == text
    before["responses"].pop(name)
    assert found == before
    comments = [line.strip() for line in SOURCE.splitlines() if "# " in line]
    assert all(comment.split("# ")[1] in after for comment in comments)
    gone = [line for line in difflib.ndiff(SOURCE.splitlines(), after.splitlines()) if line.startswith("- ")]
    block = SOURCE[SOURCE.index(f"  {name}:") :].split("\n  say", 1)[0]
    assert all(line[2:] in block for line in gone)
    back = edited("x.yml", after, name, before_text(name), TITLES[name])
    if name != "say_folded":
        assert yaml.safe_load(back) == yaml.safe_load(SOURCE)


def before_text(name: str) -> str:
    return str(yaml.safe_load(SOURCE)["responses"][name][0]["text"])


@pytest.mark.slow
def test_writing_what_stands_there_changes_no_byte_of_the_projects_files() -> None:
    for file in (file for folder in FOLDERS for file in folder.glob("*.yml")):
        source = file.read_bytes().decode("utf-8")
        for name, (variant, *_) in ((yaml.safe_load(source) or {}).get("responses") or {}).items():
            titles = [button["title"] for button in variant.get("buttons") or ()]
            assert edited(file.name, source, name, variant["text"], titles) == source
            changed = edited(file.name, source, name, "改成这样。\n两行", titles)
            assert edited(file.name, changed, name, variant["text"], titles) == source or "\n" not in variant["text"]


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="没有这句话"):
        edited("x.yml", SOURCE, "say_nothing", "好", [])
    with pytest.raises(DataError, match="按钮"):
        edited("x.yml", SOURCE, "say_plain", "好", ["转人工"])
