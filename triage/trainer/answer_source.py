"""What trainers may edit besides training rows: responses, synonyms, the power dictionary; as the files hold them.

Contents are plain values, for a change keeps the old and the new one: a response is {text, buttons: [{title,
payload}]}, synonyms {words}, a dictionary word {times}. None means there is no such entry.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import nlu_data
from bot.dialogue import responses
from bot.dialogue.responses import FOLDERS, HERE
from nlu_data import DataError, words
from nlu_data.files import Change
from triage.trainer.response_file import edited

Content = Mapping[str, Any] | None
LONGEST_SENTENCE = 80
LONGEST_TITLE = 20
NAMES = Path(__file__).with_name("variables.yml")
VARIABLES: Mapping[str, Mapping[str, str]] = yaml.safe_load(NAMES.read_text("utf-8"))
"""What each `{variable}` of a response means, with an example: for people and for previews."""


class Unfit(ValueError):
    """A content that may not be said; the message tells the trainer what to mend."""


class ResponseSource:
    """The bot's sentences: the domain's `utter_*` (common questions) and `sentences/` (said with figures)."""

    title = "回答"
    trained = False

    def __init__(self, root: Path = HERE) -> None:
        """`root`: the dialogue's folder."""
        self.root = root
        self._folders = tuple(root / folder.name for folder in FOLDERS)

    def read(self) -> dict[str, dict[str, Any]]:
        """Every response by name, in file order."""
        return {
            name: {"text": variant["text"].rstrip("\n"), "buttons": [dict(b) for b in variant.get("buttons") or ()]}
            for name, (variant, *_) in responses.read(self._files()).items()
        }

    def check(self, name: str, old: Content, new: Content, everything: Mapping[str, Content]) -> None:
        """Raise `Unfit` for a response that is lost, has other variables or buttons, or is too long a read."""
        if old is None or new is None:
            raise Unfit("回答只能改写，不能新增或删除：规则和动作要用到它")
        text, was = str(new.get("text") or ""), str(old["text"])
        if not text.strip() or text != text.strip():
            raise Unfit("回答不能是空的，前后也不要留空格")
        if not all(c.isprintable() or c in "\n\u3000\u200d" for c in text):
            raise Unfit("回答里有看不见的字符，请重新输入")
        mine, theirs = variables(text), variables(was)
        if lost := [one for one in dict.fromkeys(theirs) if one not in mine]:
            raise Unfit(f"漏了要填的内容：{'、'.join(f'{{{one}}}（{meaning(one)}）' for one in lost)}")
        if strange := [one for one in mine if one not in theirs]:
            raise Unfit(f"这句话没有这些内容可填：{'、'.join(f'{{{one}}}' for one in strange)}")
        for sentence in re.split(r"[。！？\n]", text):
            shown = filled(sentence)
            if len(shown) > LONGEST_SENTENCE:
                raise Unfit(f"一句话有{len(shown)}个字，最多{LONGEST_SENTENCE}个，请拆成两句：{shown[:20]}……")
        kept, had = [[str(b.get("payload")) for b in one.get("buttons") or ()] for one in (new, old)]
        if kept != had:
            raise Unfit("按钮不能增减或换顺序，只能改按钮上的字")
        for button in new.get("buttons") or ():
            title = str(button.get("title") or "")
            if not title.strip() or len(title) > LONGEST_TITLE or not title.isprintable():
                raise Unfit(f"按钮上的字要有1到{LONGEST_TITLE}个：{title[:LONGEST_TITLE]}")

    def write(self, change: Change, name: str, content: Content) -> None:
        """Put the content into the file that holds the response; raises `DataError`."""
        assert content is not None
        for file in self._files():
            source = change.read(file)
            if name in ((yaml.safe_load(source) or {}).get("responses") or {}):
                titles = [str(button["title"]) for button in content.get("buttons") or ()]
                change.write(file, edited(file.name, source, name, str(content["text"]), titles))
                return
        raise DataError(f"没有这句话：{name}")

    def shown(self, content: Content) -> str:
        """As one text, for a diff."""
        if content is None:
            return ""
        return "\n".join([str(content["text"]), *(f"［{button['title']}］" for button in content["buttons"])])

    def _files(self) -> list[Path]:
        return [file for folder in self._folders for file in sorted(folder.glob("*.yml"))]


class WordSource:
    """Synonyms or the power dictionary: a word and what the file says of it."""

    trained = True

    def __init__(
        self,
        title: str,
        field: str,
        read: Callable[[Path], Mapping[str, Any]],
        put: Callable[[Change, str, Any], None],
        root: Path = nlu_data.HERE,
    ) -> None:
        """`read` and `put` are `nlu_data.words`' for this file; `field` names the content's one value."""
        self.title = title
        self.root = root
        self._field, self._read, self._put = field, read, put

    def read(self) -> dict[str, dict[str, Any]]:
        """Every word's content, in file order."""
        return {word: {self._field: value} for word, value in self._read(self.root).items()}

    def check(self, name: str, old: Content, new: Content, everything: Mapping[str, Content]) -> None:
        """Raise `Unfit` for what is no word or number, or stands for two words at once."""
        value = None if new is None else new.get(self._field)
        try:
            words.check_word(name)
            if self._field == "times":
                if new is not None and not (isinstance(value, int) and 1 <= value <= words.MOST):
                    raise Unfit(f"词频要是1到{words.MOST}之间的整数")
                return
            if new is None:
                return
            if not isinstance(value, list) or not value or len(set(value)) != len(value) or name in value:
                raise Unfit("同义词至少写一个，不能重复，也不能是标准词自己")
            for word in value:
                words.check_word(word)
        except DataError as error:
            raise Unfit(str(error)) from error
        added = set(value) - set((old or {}).get(self._field) or ())
        for other, content in everything.items():
            if other != name and content is not None and (both := added & {other, *content[self._field]}):
                raise Unfit(f"“{sorted(both)[0]}”已经归在“{other}”下面，一个词只能有一个标准词")

    def write(self, change: Change, name: str, content: Content) -> None:
        """Put or remove the word's line; raises `DataError`."""
        self._put(change, name, None if content is None else content[self._field])

    def shown(self, content: Content) -> str:
        """As one text, for a diff."""
        if content is None:
            return ""
        value = content[self._field]
        return " ".join(value) if isinstance(value, list) else str(value)


Source = ResponseSource | WordSource


def sources(dialogue: Path = HERE, nlu: Path = nlu_data.HERE) -> dict[str, Source]:
    """What can be edited, by the kind of a change."""
    return {
        "response": ResponseSource(dialogue),
        "synonym": WordSource("同义词", "words", words.synonyms, words.put_synonyms, nlu),
        "word": WordSource("电力词典", "times", words.power, words.put_power, nlu),
    }


def variables(text: str) -> list[str]:
    """The `{names}` of a text in reading order; raises `Unfit` for braces that do not pair."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        raise Unfit("花括号没有配对：要填的内容写成 {名字}") from None
    if wrong := [name for name in names if not re.fullmatch(r"[a-z_]\w*", name, re.ASCII)]:
        raise Unfit(f"花括号里只能是要填的内容的名字：{{{wrong[0]}}}")
    return names


def meaning(variable: str) -> str:
    """What a variable stands for, in Chinese."""
    return VARIABLES.get(variable, {}).get("means", variable)


def filled(text: str) -> str:
    """A text with examples in place of its variables."""
    return re.sub(r"\{(\w+)\}", lambda found: VARIABLES.get(found[1], {}).get("example", found[1]), text)


def fields(text: str) -> Sequence[Mapping[str, str]]:
    """The variables of a text: name, meaning, example."""
    return [
        {"name": one, "means": meaning(one), "example": filled(f"{{{one}}}")} for one in dict.fromkeys(variables(text))
    ]
