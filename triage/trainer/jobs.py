"""Training jobs 训练任务: each a process group of its own with little CPU, one at a time, told step by step.

`models/jobs/<id>/` keeps `status.json` (replaced as a whole), `log.txt`, `group` (the number of its process group) and,
while it runs, `part/` with what is half made. `models/jobs/lock` is locked for as long as a job's process lives, by
whichever process started it; so a job that says it runs while nobody holds the lock has crashed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

import models
from bot.settings import ROOT, child_environment

STEPS = {
    "labels": "写入标注", "hygiene": "检查数据", "train-dialogue": "训练对话模型", "train-triage": "训练分类模型",
    "rehearse-dialogue": "排练对话", "report-dialogue": "评测对话模型", "report-triage": "评测分类模型",
    "compare": "和现用模型比较", "shadow": "旁听",
}  # fmt: skip
USUAL = {
    "labels": 1.0, "hygiene": 5.0, "train-dialogue": 55.0, "train-triage": 25.0, "rehearse-dialogue": 45.0,
    "report-dialogue": 25.0, "report-triage": 15.0, "compare": 1.0,
}  # fmt: skip
"""Seconds of each step on 2 cores, until this machine has its own figures."""
KINDS = ("dialogue", "triage")
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT",
        "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
    )
}  # fmt: skip
MARK = "TRAINING_JOB"
WORK = (sys.executable, "-m", "triage.trainer", "work")
STOP_WITHIN = 5.0
ENDING = 30.0
"""Seconds that a process may take to go after its last word: it gives way even then."""
REMEMBERED = 5
KEPT = 30
CRASHED = "训练进程意外结束，没有留下半成品，可以重新开始。"


class State(StrEnum):
    """REFUSED: the data must be mended first."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Busy(Exception):
    """Another job runs; the message is for the trainer."""


class NoJob(LookupError):
    """There is no such job."""


class Refusal(Exception):
    """The job cannot do its work as things are; the message says why and what to mend, in Chinese."""


@dataclass(frozen=True)
class Step:
    """`seconds` it took, once it has ended."""

    name: str
    begun: float
    seconds: float | None = None


@dataclass(frozen=True)
class Job:
    """`plan` are the names of all its steps, `steps` those begun; `made` tells each kind's version; times are Unix."""

    id: str
    author: str
    plan: Sequence[str]
    begun: float
    arguments: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.RUNNING
    steps: Sequence[Step] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    why: str = ""
    ended: float | None = None


class Jobs:
    """Starts, follows and cancels the jobs of one models' folder."""

    def __init__(self, root: Path = models.ROOT, command: Sequence[str] = WORK, name: str = "jobs") -> None:
        """`root` holds the registries; `command` is given a job's id and the root, and does it.

        Jobs of another `name` are kept apart: one of each may run at a time.
        """
        self._root, self._command = root, command
        self._folder = root / name

    def start(self, author: str, plan: Sequence[str], arguments: Mapping[str, Any]) -> Job:
        """Begin a job in a process of its own; raises `Busy` when one runs. The process outlives this one."""
        with self._locked(patience=3.0) as lock:
            self._bury()
            id = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
            os.truncate(lock, 0)
            os.write(lock, id.encode())
            job = Job(id, author, tuple(plan), time.time(), arguments)
            self._save(job)
            with (self._folder / id / "log.txt").open("wb") as log:
                process = subprocess.Popen(
                    [*self._command, id, str(self._root)],
                    cwd=ROOT,
                    env=child_environment({**ONE_THREAD, MARK: id}),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(lock,),  # the lock lives as long as the process
                )
            give_way(process.pid)
            (self._folder / id / "group").write_text(str(process.pid))
            threading.Thread(target=process.wait, daemon=True).start()  # no zombie is left behind
            return job

    def find(self, id: str) -> Job:
        """A job as it is now; raises `NoJob`."""
        job = self._load(id)
        if job.state == State.RUNNING and self.running() != id:
            job = self._load(id)  # it may have ended between the two looks
            if job.state == State.RUNNING:
                return replace(job, state=State.FAILED, why=CRASHED)
        return job

    def newest(self, limit: int = 20) -> list[Job]:
        """The last jobs, newest first."""
        names = sorted((one.parent.name for one in self._folder.glob("*/status.json")), reverse=True)
        return [self.find(name) for name in names[:limit]]

    def running(self) -> str | None:
        """The id of the job whose process lives."""
        try:
            with self._locked(shared=True):
                return None
        except Busy:
            return (self._folder / "lock").read_text().strip() or None

    def cancel(self, id: str) -> Job:
        """End a running job's whole process group and what it half made; raises `NoJob`. A job that ended stays so."""
        job = self.find(id)
        if job.state != State.RUNNING:
            return job
        with suppress(ProcessLookupError):
            os.killpg(self._group(id), signal.SIGTERM)
            until = time.monotonic() + STOP_WITHIN
            while self.running() == id and time.monotonic() < until:
                time.sleep(0.05)
            os.killpg(self._group(id), signal.SIGKILL)
        while self.running() == id:
            time.sleep(0.05)
        job = self._load(id)
        if job.state == State.RUNNING:
            job = replace(job, state=State.CANCELLED, ended=time.time())
            self._save(job)
        shutil.rmtree(self.part(id), ignore_errors=True)
        return job

    def log(self, id: str, characters: int = 20_000) -> str:
        """The end of what its process wrote; raises `NoJob`."""
        self._load(id)
        with (self._folder / id / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - characters))
            return file.read().decode(errors="replace")

    def part(self, id: str) -> Path:
        """Where a job keeps what is half made."""
        return self._folder / id / "part"

    def expected(self) -> dict[str, float]:
        """Seconds that each step will take: the median of its last few times here."""
        times: dict[str, list[float]] = {}
        for name in sorted((one.parent.name for one in self._folder.glob("*/status.json")), reverse=True):
            for step in self._load(name).steps:
                if step.seconds is not None and len(times.setdefault(step.name, [])) < REMEMBERED:
                    times[step.name].append(step.seconds)
        return {name: median(times.get(name) or [seconds]) for name, seconds in USUAL.items()}

    def progress(self, job: Job) -> tuple[float, float]:
        """The share that is done, 0 to 1, and the seconds left, by what steps took before."""
        if job.state != State.RUNNING:
            return float(job.state == State.DONE), 0.0
        expected = self.expected()
        done, left = 0.0, 0.0
        begun = {step.name: step for step in job.steps}
        for name in job.plan:
            step, usual = begun.get(name), max(expected.get(name, 1.0), 0.1)
            if step is None:
                left += usual
            elif step.seconds is not None:
                done += usual
            else:
                spent = max(0.0, time.time() - step.begun)
                # a step that takes longer than ever before has a little left until it ends
                done += min(spent, 0.95 * usual)
                left += max(usual - spent, 0.05 * usual)
        return done / (done + left), left

    @contextmanager
    def working(self, id: str) -> Iterator[Work]:
        """The job's own process does its work inside; what is raised there becomes the job's end."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is half made goes on the way out
        work = Work(self._load(id), self._save, self.part(id))
        state, why = State.DONE, ""
        try:
            yield work
        except Refusal as refusal:
            state, why = State.REFUSED, str(refusal)
        except Exception as failure:
            traceback.print_exc()
            state, why = State.FAILED, f"{type(failure).__name__}：{failure}"[:500]
        shutil.rmtree(self.part(id), ignore_errors=True)
        work.end(state, why)

    @contextmanager
    def _locked(self, shared: bool = False, patience: float = 0.0) -> Iterator[int]:
        """The lock, or `Busy`; those who only look share it for a moment, so who wants it alone has some patience."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + patience
        try:
            while True:
                try:
                    fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    late = time.monotonic() - until
                    if late >= 0 and (shared or late >= ENDING or not self._ended()):
                        raise Busy("已经有一个在进行，同一时间只能有一个。请等它结束或先取消。") from error
                    time.sleep(0.02)
            yield lock
        finally:
            os.close(lock)  # held on by a started process

    def _ended(self) -> bool:
        """Whether the job that holds the lock has had its last word."""
        with suppress(NoJob):
            return self._load((self._folder / "lock").read_text().strip()).state != State.RUNNING
        return False

    def _bury(self) -> None:
        """Tell crashed jobs as failed, end what is left of them, and forget the oldest; the lock must be held."""
        names = sorted(one.parent.name for one in self._folder.glob("*/status.json"))
        for name in names:
            job = self._load(name)
            if job.state == State.RUNNING:
                self._sweep(name)
                shutil.rmtree(self.part(name), ignore_errors=True)
                self._save(replace(job, state=State.FAILED, why=CRASHED, ended=time.time()))
        for name in names[:-KEPT]:
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _group(self, id: str) -> int:
        """The number of a job's process group; raises `ProcessLookupError` when it never had one."""
        try:
            return int((self._folder / id / "group").read_text())
        except (OSError, ValueError) as error:
            raise ProcessLookupError from error

    def _sweep(self, id: str) -> None:
        """Kill what a crashed job left; the mark in the environment tells its group from a later one's number."""
        mark = f"{MARK}={id}\0".encode()
        with suppress(ProcessLookupError):
            group = self._group(id)
            for entry in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if os.getpgid(int(entry.name)) == group and mark in (entry / "environ").read_bytes():
                        os.kill(int(entry.name), signal.SIGKILL)

    def _save(self, job: Job) -> None:
        folder = self._folder / job.id
        folder.mkdir(exist_ok=True)
        part = folder / "status.part"
        part.write_text(json.dumps(asdict(job), ensure_ascii=False, indent=1), "utf-8")
        part.replace(folder / "status.json")

    def _load(self, id: str) -> Job:
        file = self._folder / id / "status.json"
        if not id or Path(id).name != id or not file.exists():
            raise NoJob(f"没有训练任务 {id}")
        kept = json.loads(file.read_text("utf-8"))
        return Job(**{**kept, "state": State(kept["state"]), "steps": [Step(**one) for one in kept["steps"]]})


def give_way(pid: int) -> None:
    """Let a new process, and all that it starts, have the processors only while nobody else wants them.

    Its reads and writes wait likewise (ioprio_set(2)), and when memory runs short it is the first to end. Linux weighs
    the processes of a session as one group, within which alone priorities count (sched(7), autogroup): so the group
    steps back too, to about a tenth of a contested processor, for the job shall end some day and hold no lock for long.
    """
    with suppress(ProcessLookupError):  # it may have ended already
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        if sys.platform == "linux":
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
            for file, value in (("autogroup", "10"), ("oom_score_adj", "1000")):
                with suppress(OSError):  # kernels without groups, and containers that forbid it
                    Path(f"/proc/{pid}/{file}").write_text(value)


class Work:
    """What a job's process tells of itself."""

    def __init__(self, job: Job, save: Callable[[Job], None], part: Path) -> None:
        """`save` keeps the status; `part` is a folder for what is half made."""
        self.job = job
        self.part = part
        self._save = save
        part.mkdir(parents=True, exist_ok=True)
        save(job)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step of the plan; its time helps to tell the time left of later jobs."""
        print(f"[{datetime.now(UTC):%H:%M:%S}] {STEPS[name]}", flush=True)
        begun, before = time.time(), tuple(self.job.steps)
        self._change(steps=(*before, Step(name, begun)))
        yield
        self._change(steps=(*before, Step(name, begun, round(time.time() - begun, 2))))

    def made(self, kind: str, version: str) -> None:
        """A version is complete and in its registry."""
        self._change(made={**self.job.made, kind: version})

    def note(self, line: str) -> None:
        """Something the trainer should read beside the result."""
        print(line, flush=True)
        self._change(notes=(*self.job.notes, line))

    def end(self, state: State, why: str = "") -> None:
        """The last word."""
        if why:
            print(why, flush=True)
        self._change(state=state, why=why, ended=time.time())

    def _change(self, **changes: Any) -> None:
        self.job = replace(self.job, **changes)
        self._save(self.job)
