"""Copies of training sentences as people type and dictate them: no punctuation, a sound-alike, a slip."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from bot.dialogue.components import text as texts
from bot.dialogue.components.features import readable
from bot.dialogue.components.patterns import Found
from bot.dialogue.components.text import Lexicon

T = TypeVar("T")
_PUNCTUATION = re.compile(r"[，。！？、；：,.!?;:~…\s]+")


def copies(
    sentences: Sequence[tuple[str, Sequence[Found]]], intents: Sequence[str], seed: int, lexicon: Lexicon
) -> tuple[list[str], list[str]]:
    """Readable texts and their intents: each sentence, and one that was changed."""
    dice = random.Random(seed)
    sound_alike = alike([text for text, _ in sentences])
    read: list[str] = []
    labels: list[str] = []
    for (text, found), intent in zip(sentences, intents, strict=True):
        clean = readable(text, found, lexicon)
        bare = readable(text, [one for one in found if one.entity not in ("area", "city")], lexicon)
        read += [clean, "".join(sign for sign, _ in slip(dice, [(sign, None) for sign in bare], sound_alike))]
        labels += [intent, intent]
    return read, labels


def slip(dice: random.Random, signs: list[tuple[str, T]], alike: dict[str, list[str]]) -> list[tuple[str, T]]:
    """Characters, each with its mark, with one slip in about twelve and often no punctuation; marks stay in order."""
    if dice.random() < 0.5:
        signs = [one for one in signs if not _PUNCTUATION.fullmatch(one[0])]
    signs = list(signs)
    for _ in range(max(1, len(signs) // 12)):
        if len(signs) < 4:
            break
        at = dice.randrange(len(signs))
        chance, (sign, mark) = dice.random(), signs[at]
        if chance < 0.6 and (others := alike.get(texts.sounds(sign)[0])):
            signs[at] = dice.choice(others), mark
        elif chance < 0.75:
            del signs[at]
        elif chance < 0.85:
            signs.insert(at, signs[at])
        elif at + 1 < len(signs) and signs[at + 1][1] == mark:
            signs[at], signs[at + 1] = signs[at + 1], signs[at]
    return signs


def alike(sentences: Sequence[str]) -> dict[str, list[str]]:
    """Characters of the sentences by their sound, where several share one."""
    by_sound: dict[str, set[str]] = defaultdict(set)
    for character in {c for text in sentences for c in text if "一" <= c <= "鿿"}:
        by_sound[texts.sounds(character)[0]].add(character)
    return {sound: sorted(group) for sound, group in by_sound.items() if len(group) > 1}
