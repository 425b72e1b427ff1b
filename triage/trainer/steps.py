"""What a training job does, step by step: labels into the files, checks, both models, their reports, the comparison."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import nlu_data
from bot import dialogue_model
from bot.database import Database
from bot.settings import Settings
from models import NoModel, Registry
from nlu_data import Complaint, DataError, Utterance, writing
from triage.trainer import report
from triage.trainer.hygiene import checkup
from triage.trainer.jobs import KINDS, Jobs, Refusal, Work
from triage.trainer.labels import Accepted, accepted, settle
from triage.trainer.promotion import compared
from triage.trainer.rehearsal import Played, rehearse
from triage.trainer.report import NoReport

NAMES = {"dialogue": "对话模型", "triage": "分类模型"}


def plan(verb: str, kinds: Sequence[str] = KINDS) -> tuple[str, ...]:
    """The names of a job's steps: `train`, or `evaluate` for versions that are there."""
    reports = [*("rehearse-dialogue" for kind in kinds if kind == "dialogue"), *(f"report-{kind}" for kind in kinds)]
    if verb == "evaluate":
        return (*reports, "compare")
    return ("labels", "hygiene", *(f"train-{kind}" for kind in kinds), *reports, "compare")


def work(id: str, root: Path) -> None:
    """Do the job `id`; how it ended is in its status."""
    with Jobs(root).working(id) as job:
        versions = dict(job.job.arguments.get("versions", {}))
        dialogues: dict[str, list[Played]] = {}
        for name in job.job.plan:
            with job.step(name):
                match name.split("-"):
                    case ["labels"]:
                        asyncio.run(_labels(job))
                    case ["hygiene"]:
                        hygiene()
                    case ["train", kind]:
                        versions[kind] = train(job, kind, root)
                    case ["rehearse", kind]:
                        wanted = unmeasured(kind, versions[kind], root)
                        dialogues = rehearse([Registry(kind, root).path(version) for version in wanted], job.part)
                    case ["report", kind]:
                        for version in unmeasured(kind, versions[kind], root):
                            report.make(kind, version, Registry(kind, root), dialogues.get(version, ()))
                    case _:
                        for kind, version in versions.items():
                            tell(job, kind, version, root)


async def _labels(job: Work) -> None:
    database = Database(Settings.read().database_url)
    try:
        await database.migrate()
        await labels(job, database)
    finally:
        await database.close()


async def labels(job: Work, database: Database, data: Path = nlu_data.HERE) -> None:
    """Write the settled labels into the files under `data`; what does not fit is told and stays on the list.

    What was corrected also becomes a regression test. A text too near to a frozen one is settled but not learnt.
    """
    async with database.survey() as session:
        ready = await accepted(session)
    rows = {one.item: _row(one) for one in ready}
    written = []
    try:
        written, kept_out = ready, _put(ready, rows, data)
    except DataError:
        kept_out = 0
        for one in ready:
            try:
                kept_out += _put([one], rows, data)
                written.append(one)
            except DataError as error:
                job.note(f"没有写入：{error}")
    async with database.write() as session:
        await settle(session, written, job.job.author, datetime.now(UTC))
    if written:
        job.note(f"写入了{len(written)}条标注。")
    if kept_out:
        job.note(f"其中{kept_out}条和测试句太像，没有学，免得评测不准。")


def _put(ready: Sequence[Accepted], rows: dict[int, Utterance | Complaint], data: Path) -> int:
    """Write rows all or none; how many were too near to a frozen sentence."""
    now, wanted = datetime.now(UTC), [rows[one.item] for one in ready]
    out = {id(row) for row in writing.put(wanted, now, root=data, dry=True).kept_out}
    corrected = {rows[one.item]: one.before for one in ready if one.corrected and id(rows[one.item]) not in out}
    writing.put(wanted, now, corrected, data)
    return len(out)


def _row(one: Accepted) -> Utterance | Complaint:
    if one.intent is not None:
        return Utterance(one.intent, one.marked.strip())
    return writing.from_desk(one.text, one.category or "", one.priority or "", one.at)


def hygiene() -> None:
    """Raises `Refusal` with what must be mended before the data can be learnt."""
    wrong = [finding for finding in checkup().findings if finding.blocks]
    if wrong:
        more = f"……共{len(wrong)}处" if len(wrong) > 5 else ""
        raise Refusal(f"数据有问题，先改好再训练：{'；'.join(str(one) for one in wrong[:5])}{more}")


def train(job: Work, kind: str, root: Path) -> str:
    """A version of the data as they are: one that is there, or a new one."""
    from triage import training  # with scikit-learn, in the job's process alone

    source = dialogue_model.source() if kind == "dialogue" else training.source()
    made = version_of(Registry(kind, root), source)
    if made is not None:
        job.note(f"{NAMES[kind]}：数据没有变化，沿用版本{made}。")
    elif kind == "dialogue":
        made = dialogue_model.train(job.job.author, root, sys.stdout)
    else:
        made = training.candidate(job.job.author, root)
    job.made(kind, made)
    return made


def version_of(registry: Registry, source: str) -> str | None:
    """The newest version made from exactly this."""
    found = [version for version in registry.versions() if registry.card(version).get("source") == source]
    return found[-1] if found else None


def unmeasured(kind: str, version: str, root: Path) -> list[str]:
    """Which of a version and the current one have no report on the sets as they are."""
    found = []
    for one in sorted({version, current(kind, root) or version}):
        try:
            report.find(kind, one, Registry(kind, root))
        except NoReport:
            found.append(one)
    return found


def tell(job: Work, kind: str, version: str, root: Path) -> None:
    """Note in one sentence how a version stands beside the current one."""
    if current(kind, root) is None:
        return job.note(f"{NAMES[kind]}：还没有现用模型。")
    found = compared(kind, version, root)
    job.note(f"{NAMES[kind]}：{found.verdict}{found.passed}")


def current(kind: str, root: Path) -> str | None:
    """The version in use, if any."""
    try:
        return Registry(kind, root).current().name
    except NoModel:
        return None
