"""One `intents/<topic>.yml`: its sentences by line, and edits that leave every other byte as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from nlu_data.rows import DataError, Gone, Utterance, check

HEAD = 'version: "3.1"\nnlu:\n'
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OTHER_BLOCKS = {"synonym", "regex", "lookup"}
_LINE = re.compile(r".*?(?:\r\n|[\n\r\x85\u2028\u2029]|\Z)", re.DOTALL)


@dataclass
class _Block:
    """The examples of one intent: whole lines."""

    intent: str
    first: int
    indent: str
    lines: list[str]


class TopicFile:
    """A topic's file as pieces: text nobody touches, and the examples of each intent between."""

    def __init__(self, name: str, text: str) -> None:
        """`text` is the file's; raises `DataError` naming intent and line for what Rasa or we could not read."""
        self.name = name
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._pieces = self._cut(text)
        self.read = list(self.rows())

    @property
    def text(self) -> str:
        """The file as it is now."""
        return "".join("".join(piece.lines) if isinstance(piece, _Block) else piece for piece in self._pieces)

    def rows(self) -> Iterator[Utterance]:
        """Every sentence in file order; `place` is file and line as the file was read."""
        for block in self._blocks():
            for number, line in enumerate(block.lines, block.first + 1):
                place = f"{self.name}:{number}"
                text = line.rstrip("\r\n")[len(block.indent) :]
                if not text.startswith("- "):
                    raise DataError(f"{place}，{block.intent}：每句必须以“- ”开头：{line.strip()!r}")
                row = Utterance(block.intent, text[2:], place)
                check(row)
                yield row

    def add(self, row: Utterance, at: str = "") -> None:
        """Put a sentence at the place `at` where that is in its intent, else at the intent's end.

        An intent the file lacks gets a block at the end.
        """
        check(row)
        for one in self._blocks():
            line = int(at.rpartition(":")[2] or 0) - 1 - one.first
            if at.startswith(f"{self.name}:") and one.intent == row.intent and 0 <= line < len(one.lines):
                one.lines.insert(line, f"{one.indent}- {row.text}{self._end}")
                return
        if not any(block.intent == row.intent for block in self._blocks()):
            self._begin(row)
            return
        index = max(i for i, one in enumerate(self._pieces) if isinstance(one, _Block) and one.intent == row.intent)
        block, before = self._pieces[index], self._pieces[index - 1]
        assert isinstance(block, _Block) and isinstance(before, str)
        if block.lines:
            block.lines[-1] = self._closed(block.lines[-1])
        else:
            self._pieces[index - 1] = self._closed(before)
        block.lines.append(f"{block.indent}- {row.text}{self._end}")

    def change(self, old: Utterance, new: Utterance) -> None:
        """Write `new` in the line of `old`, of the same intent; raises `Gone` when it is not there."""
        check(new)
        block, index = self._find(old)
        end = block.lines[index][len(block.lines[index].rstrip("\r\n")) :]
        block.lines[index] = f"{block.indent}- {new.text}{end}"

    def remove(self, row: Utterance) -> None:
        """Take a sentence out; raises `Gone` when it is not there, `DataError` when it is its intent's last."""
        block, index = self._find(row)
        if sum(len(one.lines) for one in self._blocks() if one.intent == row.intent) == 1:
            raise DataError(f"{self.name}，{row.intent}：这是该意图的最后一句，请先补充别的说法再删")
        del block.lines[index]

    def _blocks(self) -> list[_Block]:
        return [piece for piece in self._pieces if isinstance(piece, _Block)]

    def _find(self, row: Utterance) -> tuple[_Block, int]:
        for block in self._blocks():
            if block.intent == row.intent:
                for index, line in enumerate(block.lines):
                    if line.rstrip("\r\n")[len(block.indent) + 2 :] == row.text:
                        return block, index
        raise Gone(f"{self.name}，{row.intent}：没有这一句，可能已被别人改过：{row.text}")

    def _cut(self, text: str) -> list[str | _Block]:
        pieces: list[str | _Block] = []
        lines = [line for line in _LINE.findall(text) if line]
        position = 0
        for intent, first in self._intents(text):
            column = len(lines[first - 1]) - len(lines[first - 1].lstrip(" -"))
            indent, last = "", first
            for number in range(first, len(lines)):
                bare = lines[number].lstrip(" ")
                if not bare.strip():
                    continue
                deep = len(lines[number]) - len(bare)
                if deep < (len(indent) or column + 1):
                    break
                indent, last = indent or " " * deep, number + 1
            block = _Block(intent, first, indent or " " * (column + 2), lines[first:last])
            pieces += ["".join(lines[position:first]), block]
            position = last
        return [*pieces, "".join(lines[position:])]

    def _intents(self, text: str) -> Iterator[tuple[str, int]]:
        """Each block's intent and the index of the line after its `examples: |`."""
        try:
            root = yaml.compose(text, Loader=FAST)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark is not None else ""
            raise DataError(f"{self.name}{line}：不是正确的 YAML：{getattr(error, 'problem', error)}") from error
        if root is None:
            return
        for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
            if key.value != "nlu":
                continue
            for block in node.value:
                parts = {part.value: value for part, value in block.value} if hasattr(block, "value") else {}
                place = f"{self.name}:{block.start_mark.line + 1}"
                if parts.keys() & OTHER_BLOCKS:
                    continue
                if not {"intent", "examples"} <= set(parts):
                    raise DataError(f"{place}：每段要有 intent 和 examples")
                if parts["examples"].style != "|":
                    raise DataError(f"{place}，{parts['intent'].value}：examples 后面要写“|”，每句一行")
                yield parts["intent"].value, parts["examples"].start_mark.line + 1

    def _begin(self, row: Utterance) -> None:
        """A block for an intent that the file lacks."""
        text = self._closed(self.text or HEAD.replace("\n", self._end))
        found = re.search(r"^( *)- *intent:", text, re.MULTILINE)
        dash = found[1] if found else ""
        lines = (f"{dash}- intent: {row.intent}", f"{dash}  examples: |", f"{dash}    - {row.text}", "")
        self._pieces = self._cut(text + self._end.join(lines))
        if row not in self.rows():
            raise DataError(f"{self.name}：文件末尾不在 nlu 里，加不进新的意图 {row.intent}")

    def _closed(self, line: str) -> str:
        return line if not line or line.endswith(("\n", "\r")) else line + self._end
