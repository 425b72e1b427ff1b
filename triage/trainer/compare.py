"""A candidate against the current model, row by row: what it gains, what it loses, and whether that may go live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

from triage.trainer.rehearsal import Played
from triage.trainer.report import Report, Row

SIGNIFICANT = 0.05
SETS = {"frozen": "测试集", "robust": "错别字和口音测试集"}


@dataclass(frozen=True)
class Comparison:
    """`wins` and `losses` are rows of (set, current's, candidate's); `broken` corrected rows the candidate misreads.

    `p` is McNemar's exact p of each set; `endangered` are danger rows that the current model sees and the candidate
    does not; `dialogues` are (current's, candidate's); `refusals` say in Chinese why the candidate may not go live
    without an override.
    """

    kind: str
    current: str
    candidate: str
    wins: Sequence[tuple[str, Row, Row]]
    losses: Sequence[tuple[str, Row, Row]]
    broken: Sequence[Row]
    endangered: Sequence[tuple[str, Row, Row]]
    dialogues: Sequence[tuple[Played, Played]]
    p: Mapping[str, float]
    refusals: Sequence[str]

    @property
    def passed(self) -> str:
        """How many dialogues went as they should, of each model; empty when none were played."""
        if not self.dialogues:
            return ""
        old, new = (sum(one.fault is None for one in side) for side in zip(*self.dialogues, strict=True))
        return f"对话：通过 {new} / {len(self.dialogues)}，现用模型通过 {old} / {len(self.dialogues)}。"

    @property
    def verdict(self) -> str:
        """One sentence for a person who knows nothing of statistics."""
        if self.current == self.candidate:
            return "这就是现用模型。"
        wins, losses = len(self.wins), len(self.losses)
        if not wins and not losses:
            found = "和现用模型读得完全一样"
        elif not losses:
            found = f"比现用模型多认对{wins}句，没有少认对的"
        elif not wins:
            found = f"比现用模型少认对{losses}句，没有多认对的"
        else:
            found = f"比现用模型多认对{wins}句，少认对{losses}句"
        if (wins or losses) and min(self.p.values()) >= SIGNIFICANT:
            found += "，差别在偶然范围内"
        return f"{found}。{'不能直接上线：' + '；'.join(self.refusals) if self.refusals else '可以上线'}。"


def compare(current: Report, candidate: Report) -> Comparison:
    """Match the rows of two reports over the same sets; raises `ValueError` for reports of different sets."""
    if (current.kind, current.data) != (candidate.kind, candidate.data):
        raise ValueError("reports over different sets cannot be compared")
    wins, losses, endangered, p = [], [], [], {}
    worse = []
    for name, title in SETS.items():
        pairs = list(zip(current.rows[name], candidate.rows[name], strict=True))
        better = [(name, old, new) for old, new in pairs if new.right and not old.right]
        fallen = [(name, old, new) for old, new in pairs if old.right and not new.right]
        p[name] = mcnemar(len(better), len(fallen))
        if len(fallen) > len(better) and p[name] < SIGNIFICANT:
            worse.append(f"在{title}上明显变差（少认对{len(fallen)}句，多认对{len(better)}句）")
        endangered += [(name, old, new) for old, new in pairs if old.danger and old.kept and not new.kept]
        wins += better
        losses += fallen
    broken = [row for row in candidate.rows.get("regressions", ()) if not row.held]
    refusals = list(worse)
    if broken:
        refusals.append(f"{len(broken)}句纠正过的话又读错了")
    if endangered:
        refusals.append(f"{len(endangered)}句涉及人身安全的话不再认得")
    dialogues = list(zip(current.dialogues, candidate.dialogues, strict=True))
    if failed := sum(old.fault is None and new.fault is not None for old, new in dialogues):
        refusals.append(f"{failed}段原来能办完的对话办不完了")
    return Comparison(
        current.kind, current.version, candidate.version, wins, losses, broken, endangered, dialogues, p,
        tuple(refusals),
    )  # fmt: skip


def mcnemar(wins: int, losses: int) -> float:
    """McNemar's exact two-sided p: how likely so uneven a split of the differing rows is by chance (McNemar 1947)."""
    differing = wins + losses
    tail = sum(comb(differing, k) for k in range(min(wins, losses) + 1))
    p: float = 2 * tail / 2**differing
    return min(1.0, p)


def view(comparison: Comparison) -> dict[str, Any]:
    """As the page and the command line tell it."""
    return {
        "kind": comparison.kind, "current": comparison.current, "candidate": comparison.candidate,
        "verdict": comparison.verdict, "refusals": list(comparison.refusals), "p": dict(comparison.p),
        "wins": [_pair(*one) for one in comparison.wins], "losses": [_pair(*one) for one in comparison.losses],
        "endangered": [_pair(*one) for one in comparison.endangered],
        "broken": [
            {"text": row.text, "wanted": row.wanted, "read": row.read, "missed": _missed(row)}
            for row in comparison.broken
        ],
        "passed": comparison.passed,
        "dialogues": [
            {"name": new.name, **asdict(new.fault), "current": old.fault is None}
            for old, new in comparison.dialogues
            if new.fault is not None
        ],
    }  # fmt: skip


def _missed(row: Row) -> list[str]:
    """Entities that were not found, or the priority that was wanted."""
    wanted = row.wanted_priority
    return [*row.missed] if wanted is None or wanted == row.read_priority else [*row.missed, wanted]


def _pair(name: str, old: Row, new: Row) -> dict[str, Any]:
    return {
        "set": name, "text": old.text, "wanted": old.wanted, "danger": old.danger,
        "current": old.read, "current_confidence": round(old.confidence, 3),
        "candidate": new.read, "candidate_confidence": round(new.confidence, 3),
    }  # fmt: skip
