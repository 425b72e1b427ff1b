"""`python -m triage.trainer <verb>`: the trainers' pages on the command line; exit code 2 for what cannot be done."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nlu_data
from bot.database import Database
from bot.settings import Settings, models_folder
from models import NoModel, Registry
from nlu_data import DataError
from nlu_data.checks import label_of
from nlu_data.names import names
from nlu_data.writing import put
from triage.audit import Audit
from triage.calendar import SHANGHAI
from triage.trainer import effect, exchange, promotion, report, shadow, steps
from triage.trainer.compare import view
from triage.trainer.hygiene import checkup
from triage.trainer.jobs import KINDS, STEPS, Busy, Jobs, NoJob, State
from triage.trainer.labels import Labels
from triage.trainer.promotion import Override, Worse
from triage.trainer.report import NoReport
from triage.trainer.review import Review, ReviewError, Wanted


def follow(jobs: Jobs, id: str) -> int:
    """Tell a job's steps until it has ended; Ctrl-C cancels it. Returns the exit code."""
    told = 0
    try:
        while True:
            job = jobs.find(id)
            for step in job.steps[told:]:
                _, left = jobs.progress(job)
                print(f"{STEPS[step.name]} …（还要约{left:.0f}秒）", flush=True)
            told = len(job.steps)
            if job.state != State.RUNNING:
                break
            time.sleep(0.5)
    except KeyboardInterrupt:
        job = jobs.cancel(id)
    for line in (*job.notes, job.why):
        if line:
            print(line)
    if job.state == State.FAILED:
        print(jobs.log(id, 3000), file=sys.stderr)
    if job.state == State.DONE:
        print(f"用了{(job.ended or 0) - job.begun:.0f}秒。上线：python -m triage.trainer promote KIND VERSION")
    return 0 if job.state == State.DONE else 2


def table(root: Path) -> None:
    """Every version of both kinds with its main scores."""
    for kind in KINDS:
        registry, current = Registry(kind, root), steps.current(kind, root)
        print(f"{steps.NAMES[kind]}：")
        for version in registry.versions():
            try:
                found = report.find(kind, version, registry).figures
                frozen, robust = (found[name]["macro_f1"]["value"] for name in ("frozen", "robust"))
                scores = f"测试集F1 {frozen:.3f}，错别字和口音 {robust:.3f}"
            except NoReport:
                scores = "还没有评测"
            print(f"  {'*' if version == current else ' '} {version}  {scores}")
        for change in registry.history()[-5:]:
            print(f"    {change.at} {change.author} {change.kind} {change.version} {change.why}")


async def misses(days: int) -> None:
    """Misses of the last days by intent, as a table."""
    database, now = Database(Settings.read().database_url), datetime.now(UTC)
    try:
        await database.migrate()
        truth = await effect.settled(database)
        rows = await effect.Effect(database).intents(now - timedelta(days=days), now, truth)
    finally:
        await database.close()
    print(f"{now.astimezone(SHANGHAI):%Y-%m-%d}之前{days}天：意图，消息，没听懂")
    for row in rows:
        print(f"  {names().intents.get(row['intent'], row['intent'])}  {row['turns']}  {row['misses']}")


async def listed(count: int, author: str) -> None:
    """What `author` can label now, most worth a look first: number, value, what was said and why it is there."""
    database = Database(Settings.read().database_url)
    try:
        await database.migrate()
        rows, _ = await Review(database).page(Wanted(reader=author), None, count)
    finally:
        await database.close()
    for row in rows:
        read = row.suggestion.get("intent") or f"{row.suggestion['category']} {row.suggestion['priority']}"
        print(f"{row.id}  {row.value:.1f}  {row.text}  [{read}]  {'；'.join(one['words'] for one in row.reasons)}")


async def label(given: argparse.Namespace) -> None:
    """Label one item; entities are given as name:start-end, in characters of what the list shows."""
    spans = [re.fullmatch(r"(\w+):(\d+)-(\d+)", one) for one in given.entity]
    if not all(spans):
        raise ValueError("an entity is name:start-end, such as month:0-3")
    entities = [{"entity": one[1], "start": int(one[2]), "end": int(one[3])} for one in spans if one]
    said = {"intent": given.intent, "entities": entities, "category": given.category, "priority": given.priority}
    database = Database(Settings.read().database_url)
    try:
        await database.migrate()
        item = await Review(database).item(given.item)
        saved = await Labels(database, lambda: datetime.now(UTC)).label(item.id, given.author, said, item.version)
    finally:
        await database.close()
    print(f"第{saved.id}条：{saved.status}")


async def decided(author: str, verb: str, detail: Mapping[str, Any], decide: Callable[[], str]) -> str:
    """What `decide` returns, written down as the page's button would be."""
    database = Database(Settings.read().database_url)
    try:
        await database.migrate()
        found = await asyncio.to_thread(decide)
        await Audit(database).add(author, verb, f"/api/trainer/{verb}", {k: str(v) for k, v in detail.items() if v})
    finally:
        await database.close()
    return found


def promote(given: argparse.Namespace, root: Path) -> None:
    """Take a version into service."""
    override = Override(*given.override) if given.override else None

    def decide() -> str:
        promotion.promote(given.kind, given.version, given.author, given.why, override, root)
        return f"{given.version} 已上线。"

    answers = {"person": override.person, "reason": override.reason} if override else None
    detail = {"kind": given.kind, "version": given.version, "why": given.why, "override": answers}
    print(asyncio.run(decided(given.author, "promote", detail, decide)))


def rollback(given: argparse.Namespace, root: Path) -> None:
    """Go back to the version before."""

    def decide() -> str:
        return f"已退回 {promotion.rollback(given.kind, given.author, root, given.why)}。"

    print(asyncio.run(decided(given.author, "rollback", {"kind": given.kind, "why": given.why}, decide)))


def hygiene() -> int:
    """Tell what is wrong with the data; 1 if it stops a training."""
    found = checkup()
    print("\n".join(map(str, found.findings)) or "数据没有发现问题。")
    return 1 if found.blocked else 0


def take(format: str, file: Path, dry: bool) -> int:
    """Read a file of another tool into the training files, or tell what would change; 2 for a file that is wrong."""
    try:
        written = put(exchange.parse(format, file.read_bytes(), file.name), datetime.now(UTC), dry=dry)
    except (OSError, DataError) as error:
        print(error, file=sys.stderr)
        return 2
    for old, new in written.changed:
        print(f"{old.place}：{label_of(old)} → {label_of(new)}：{new.text}")
    for row in written.kept_out:
        print(f"和测试句太像，不写入：{row.text}")
    done = "将" if dry else "已"
    print(f"{done}新增{len(written.added)}条，{done}改{len(written.changed)}条，{len(written.same)}条没有变化。")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The verbs."""
    parser = argparse.ArgumentParser(prog="python -m triage.trainer", description=__doc__)
    parser.add_argument("--author", default=getpass.getuser(), help="who does it, for the history")
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train", help="labels into the files, both models, their reports, the comparison")
    training.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="both unless named")
    verbs.add_parser("jobs", help="the last training jobs")
    verbs.add_parser("cancel").add_argument("job")
    verbs.add_parser("models", help="versions, scores, history")
    for verb in ("evaluate", "report", "compare", "promote"):
        one = verbs.add_parser(verb)
        one.add_argument("kind", choices=KINDS)
        one.add_argument("version")
        if verb == "promote":
            one.add_argument("--why", default="")
            one.add_argument("--override", nargs=2, metavar=("PERSON", "REASON"), help="for a version that is refused")
    back = verbs.add_parser("rollback", help="go back to the version before; a running service follows within seconds")
    back.add_argument("kind", choices=KINDS)
    back.add_argument("--why", default="", help="the reason, kept in the history")
    verbs.add_parser("review", help="what likely went wrong").add_argument("--count", type=int, default=50)
    labelling = verbs.add_parser("label", help="say what an item of the review list means")
    labelling.add_argument("item", type=int)
    labelling.add_argument("--intent")
    labelling.add_argument("--entity", action="append", default=[], metavar="NAME:START-END")
    labelling.add_argument("--category")
    labelling.add_argument("--priority")
    verbs.add_parser("hygiene", help="what is wrong with the data; exit code 1 if it stops a training")
    leaving = verbs.add_parser("export", help="training rows to the standard output, for another tool")
    leaving.add_argument("format", choices=exchange.FORMATS)
    leaving.add_argument("rows", choices=("utterances", "complaints"))
    coming = verbs.add_parser("import", help="rows of another tool into the training files")
    coming.add_argument("format", choices=exchange.FORMATS)
    coming.add_argument("file", type=Path)
    coming.add_argument("--dry", action="store_true", help="only tell what would change")
    verbs.add_parser("effect").add_argument("--days", type=int, default=30)
    for verb in ("work", "shadow-work"):  # a job's own process
        work = verbs.add_parser(verb)
        work.add_argument("job")
        work.add_argument("root", type=Path)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Do the verb; returns the exit code."""
    given, root = parse(arguments), models_folder()
    jobs = Jobs(root)
    match given.verb:
        case "work":
            steps.work(given.job, given.root)
        case "shadow-work":
            shadow.work(given.job, given.root, Database(Settings.read().database_url))
        case "train":
            return follow(jobs, jobs.start(given.author, steps.plan("train", given.kinds or KINDS), {}).id)
        case "evaluate":
            Registry(given.kind, root).path(given.version)
            versions = {"versions": {given.kind: given.version}}
            return follow(jobs, jobs.start(given.author, steps.plan("evaluate", [given.kind]), versions).id)
        case "review":
            asyncio.run(listed(given.count, given.author))
        case "label":
            asyncio.run(label(given))
        case "hygiene":
            return hygiene()
        case "export":
            rows = nlu_data.utterances() if given.rows == "utterances" else nlu_data.complaints()
            try:
                sys.stdout.buffer.write(exchange.dump(given.format, list(rows)))
            except DataError as error:
                print(error, file=sys.stderr)
                return 2
        case "import":
            return take(given.format, given.file, given.dry)
        case "jobs":
            for job in jobs.newest():
                print(f"{job.id}  {job.state}  {job.author}  {job.why or '；'.join(job.notes)}")
        case "cancel":
            print(jobs.cancel(given.job).state)
        case "models":
            table(root)
        case "report":
            found = report.find(given.kind, given.version, Registry(given.kind, root))
            passed, of = found.passed
            if of:
                print(f"对话：通过 {passed} / {of}")
            print(json.dumps({"figures": found.figures, "latency": found.latency}, ensure_ascii=False, indent=1))
        case "compare":
            told = view(promotion.compared(given.kind, given.version, root))
            print(told["verdict"] + told["passed"])
            for one in told["dialogues"]:
                print(f"  {one['name']}：第{one['turn']}句“{one['said']}”，{'；'.join(one['why'])}")
            print(json.dumps(told, ensure_ascii=False, indent=1))
        case "promote":
            promote(given, root)
        case "rollback":
            rollback(given, root)
        case _:
            asyncio.run(misses(given.days))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Busy, NoJob, NoModel, NoReport, ReviewError, Worse, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
