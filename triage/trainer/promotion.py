"""Taking a version into service and back: never a worse one without somebody who answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import NoModel, Registry
from triage.trainer import report
from triage.trainer.compare import Comparison, compare
from triage.trainer.report import NoReport

SHORTEST = 5


@dataclass(frozen=True)
class Override:
    """Who answers for a promotion that the comparison refuses, and why it is right all the same."""

    person: str
    reason: str


class Worse(Exception):
    """The comparison refuses the version; the message is for the trainer, `refusals` are its reasons."""

    def __init__(self, refusals: tuple[str, ...]) -> None:
        """`refusals` in Chinese, at least one."""
        super().__init__(f"不能上线：{'；'.join(refusals)}。确要上线，请写明责任人和理由。")
        self.refusals = refusals


def compared(kind: str, version: str, root: Path, against: str | None = None) -> Comparison:
    """A version beside another (the current one); raises `NoReport` unless both were evaluated, or `NoModel`."""
    registry = Registry(kind, root)
    other = against or registry.current().name
    for name in (version, other):
        if name not in registry.versions():
            raise NoModel(f"没有版本 {name}")
    return compare(report.find(kind, other, registry), report.find(kind, version, registry))


def promote(kind: str, version: str, author: str, why: str, override: Override | None, root: Path) -> Comparison | None:
    """Take a version into service; the comparison it went by, None for the first version of all.

    Raises `Worse` for one that is refused, unless there is an `override` with a person and a reason; `NoReport` for one
    that was not evaluated; `NoModel`; `ValueError` for an override without a name or with too short a reason.
    """
    registry = Registry(kind, root)
    if override is not None and (not override.person.strip() or len(override.reason.strip()) < SHORTEST):
        raise ValueError(f"越过限制要写明责任人，理由至少{SHORTEST}个字。")
    try:
        registry.current()
    except NoModel:
        registry.promote(version, author, why)
        return None
    found = compared(kind, version, root)
    if found.refusals and override is None:
        raise Worse(tuple(found.refusals))
    if found.refusals and override is not None:
        answers = f"责任人：{override.person.strip()}，理由：{override.reason.strip()}"
        why = f"{why}（越过限制：{'；'.join(found.refusals)}。{answers}）"
    registry.promote(version, author, why)
    return found


def rollback(kind: str, author: str, root: Path, why: str = "") -> str:
    """Go back to the version before the current one and return its name; raises `NoModel` when there is none."""
    registry = Registry(kind, root)
    if registry.before() is None:
        raise NoModel("之前没有别的版本，不能退回。")
    return registry.rollback(author, why).version


__all__ = ["NoReport", "Override", "Worse", "compared", "promote", "rollback"]
