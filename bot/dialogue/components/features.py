"""What the intent classifier sees of a message: characters and sounds, with places and numbers out of the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bot.dialogue.components import text as texts
from bot.dialogue.components.patterns import Found
from bot.dialogue.components.text import Lexicon

_BETWEEN = re.compile(r"[^\w①-⑧]+")
_SIGNS = dict(
    zip(("account_no", "month", "date", "area", "city", "phone", "ticket_no", "amount"), "①②③④⑤⑥⑦⑧", strict=True)
)


def readable(text: str, found: Sequence[Found], lexicon: Lexicon) -> str:
    """A normal text with each entity as one sign, power words spelled right and dialect words as standard ones."""
    signed, position = "", 0
    for one in sorted(found, key=lambda one: one.start):
        signed += text[position : one.start] + _SIGNS[one.entity]
        position = one.end
    return _standard(_respelled(signed + text[position:], lexicon), lexicon)


def characters(text: str, lexicon: Lexicon) -> list[str]:
    """Runs of one to three characters of a readable text; ^ and $ are its ends."""
    return _runs("^" + _BETWEEN.sub(" ", text).strip() + "$", 3)


def sounds(text: str, lexicon: Lexicon) -> list[str]:
    """Runs of one to three sounds of a readable text."""
    every = ["^", *texts.sounds(_BETWEEN.sub("", text)), "$"]
    return ["_".join(every[i : i + n]) for n in (1, 2, 3) for i in range(len(every) - n + 1)]


def character_pairs(text: str, lexicon: Lexicon) -> list[str]:
    """Two characters with one to three others between them."""
    return _pairs(_BETWEEN.sub("", text))


def sound_pairs(text: str, lexicon: Lexicon) -> list[str]:
    """Two sounds with one to three others between them."""
    return _pairs(texts.sounds(_BETWEEN.sub("", text)))


def words(text: str, lexicon: Lexicon) -> list[str]:
    """The words of a readable text."""
    return lexicon.words(text)


# each with its weight beside the others; chosen on sentences in voices that were not in training, clean and mistyped:
# pairs bear a slip between two characters, words help where nothing is mistyped and hurt where something is
BLOCKS: tuple[tuple[Callable[[str, Lexicon], list[str]], float], ...] = (
    (characters, 1.0),
    (sounds, 1.0),
    (character_pairs, 0.7),
    (sound_pairs, 0.7),
    (words, 0.5),
)


def _pairs(every: Sequence[str]) -> list[str]:
    return [f"{every[i]}~{every[j]}" for i in range(len(every)) for j in range(i + 2, min(i + 5, len(every)))]


def _runs(text: str, longest: int) -> list[str]:
    return [text[i : i + n] for n in range(1, longest + 1) for i in range(len(text) - n + 1)]


def _respelled(text: str, lexicon: Lexicon) -> str:
    """Power words written by sound (点费, 停店) as they should be."""
    heard, known = texts.sounds(text), lexicon.power_by_sound
    spelled, i = "", 0
    while i < len(text):
        word = next((w for n in (4, 3, 2) if (w := known.get(tuple(heard[i : i + n]))) is not None), None)
        spelled += word or text[i]
        i += len(word or " ")
    return spelled


def _standard(text: str, lexicon: Lexicon) -> str:
    pattern, standard = lexicon.synonyms
    return pattern.sub(lambda hit: standard[hit.group()], text)
