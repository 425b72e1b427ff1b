"""Danger to life: decided before and without Rasa."""

from __future__ import annotations

from bot.message import Turn


def check(text: str) -> Turn | None:
    """The advice for a message that tells of present danger, with a handoff; None for every other message."""
    return None
