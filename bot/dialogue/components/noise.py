"""Copies of training sentences as people type and dictate them: no punctuation, a sound-alike, a slip."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from bot.dialogue.components import text as texts
from bot.dialogue.components.features import readable
from bot.dialogue.components.patterns import Found
from bot.dialogue.components.text import Lexicon

_PUNCTUATION = re.compile(r"[，。！？、；：,.!?;:~…\s]+")


def copies(
    sentences: Sequence[tuple[str, Sequence[Found]]], intents: Sequence[str], seed: int, lexicon: Lexicon
) -> tuple[list[str], list[str]]:
    """Readable texts and their intents: each sentence, and one that was changed."""
    dice = random.Random(seed)
    alike = _alike([text for text, _ in sentences])
    read: list[str] = []
    labels: list[str] = []
    for (text, found), intent in zip(sentences, intents, strict=True):
        clean = readable(text, found, lexicon)
        bare = readable(text, [one for one in found if one.entity not in ("area", "city")], lexicon)
        read += [clean, _slip(dice, bare, alike)]
        labels += [intent, intent]
    return read, labels


def _slip(dice: random.Random, text: str, alike: dict[str, list[str]]) -> str:
    if dice.random() < 0.5:
        text = _PUNCTUATION.sub("", text)
    signs = list(text)
    for _ in range(max(1, len(signs) // 12)):
        if len(signs) < 4:
            break
        at = dice.randrange(len(signs))
        chance = dice.random()
        if chance < 0.6 and (others := alike.get(texts.sounds(signs[at])[0])):
            signs[at] = dice.choice(others)
        elif chance < 0.75:
            del signs[at]
        elif chance < 0.85:
            signs.insert(at, signs[at])
        elif at + 1 < len(signs):
            signs[at], signs[at + 1] = signs[at + 1], signs[at]
    return "".join(signs)


def _alike(sentences: Sequence[str]) -> dict[str, list[str]]:
    """Characters of the sentences by their sound, where several share one."""
    by_sound: dict[str, set[str]] = defaultdict(set)
    for character in {c for text in sentences for c in text if "一" <= c <= "鿿"}:
        by_sound[texts.sounds(character)[0]].add(character)
    return {sound: sorted(group) for sound, group in by_sound.items() if len(group) > 1}
