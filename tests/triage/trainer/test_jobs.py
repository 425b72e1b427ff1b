"""A training job: one at a time, told step by step, cancelled and killed without a trace."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from triage.trainer.jobs import Busy, Job, Jobs, NoJob, State

pytestmark = pytest.mark.slow

PLAN = ("labels", "train-dialogue")
COMMAND = (sys.executable, "-m", "tests.triage.trainer.slow_job")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path, COMMAND)


def ended(jobs: Jobs, job: Job) -> Job:
    return until(jobs, job, lambda one: one.state != State.RUNNING)


def until(jobs: Jobs, job: Job, reached: object) -> Job:
    for _ in range(1200):
        if reached(found := jobs.find(job.id)):  # type: ignore[operator]
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found}\n{jobs.log(job.id)}")


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]
    except FileNotFoundError:
        return False


def test_a_job_ends_with_its_versions_and_times(jobs: Jobs) -> None:
    done = ended(jobs, jobs.start("zhou", PLAN, {}))
    assert (done.state, done.made, done.author) == (State.DONE, {"dialogue": "v1"}, "zhou")
    assert [step.name for step in done.steps] == list(PLAN) and all(step.seconds is not None for step in done.steps)
    assert jobs.progress(done) == (1.0, 0.0)
    assert not jobs.part(done.id).exists()
    assert "训练对话模型" in jobs.log(done.id)
    until(jobs, done, lambda _: jobs.running() is None)


def test_one_at_a_time_from_whichever_process(jobs: Jobs, tmp_path: Path) -> None:
    first = jobs.start("zhou", PLAN, {"seconds": 60})
    with pytest.raises(Busy):
        Jobs(tmp_path, COMMAND).start("li", PLAN, {})
    assert Jobs(tmp_path).running() == first.id
    jobs.cancel(first.id)
    assert ended(jobs, jobs.start("li", PLAN, {})).state == State.DONE


def test_those_who_press_at_once_start_one(jobs: Jobs) -> None:
    started, refused = list[str](), list[Busy]()

    def press() -> None:
        try:
            started.append(jobs.start("zhou", PLAN, {"seconds": 60}).id)
        except Busy as busy:
            refused.append(busy)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs.cancel(jobs.newest()[0].id)
    assert (len(started), len(refused)) == (1, 7)


def test_a_cancelled_job_takes_its_children_and_its_half_model_with_it(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.start("zhou", PLAN, {"seconds": 60, "child": True})
    until(jobs, job, lambda _: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    assert jobs.part(job.id).exists() and alive(child)
    assert jobs.cancel(job.id).state == State.CANCELLED
    assert not jobs.part(job.id).exists() and not alive(child)
    assert jobs.find(job.id).state == State.CANCELLED and jobs.running() is None


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling classes are Linux's")
def test_a_job_and_its_children_give_way_to_everybody_else(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.start("zhou", PLAN, {"seconds": 60, "child": True})
    until(jobs, job, lambda _: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    for pid in ((tmp_path / "jobs" / job.id / "group").read_text(), (tmp_path / "child").read_text()):
        process = Path("/proc") / pid
        assert os.sched_getscheduler(int(pid)) == os.SCHED_IDLE
        assert (process / "oom_score_adj").read_text().strip() == "1000"
        if (process / "autogroup").exists():  # a session of its own is a group of its own
            assert (process / "autogroup").read_text().split()[-1] == "10"
    jobs.cancel(job.id)


def test_a_killed_job_is_told_as_failed_and_swept_by_the_next(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.start("zhou", PLAN, {"seconds": 60, "child": True})
    until(jobs, job, lambda _: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    os.kill(int((tmp_path / "jobs" / job.id / "group").read_text()), signal.SIGKILL)
    failed = ended(jobs, job)
    assert failed.state == State.FAILED and "意外结束" in failed.why
    second = ended(jobs, jobs.start("zhou", PLAN, {}))
    assert second.state == State.DONE
    assert not jobs.part(job.id).exists() and not alive(child)
    assert [one.state for one in jobs.newest()] == [State.DONE, State.FAILED]


@pytest.mark.parametrize(
    "arguments, state, why",
    [({"refuse": 1}, State.REFUSED, "两句话标得不一样"), ({"fail": 1}, State.FAILED, "no space left")],
)
def test_why_it_ended_is_told(jobs: Jobs, arguments: dict[str, int], state: State, why: str) -> None:
    found = ended(jobs, jobs.start("zhou", PLAN, arguments))
    assert found.state == state and why in found.why and found.steps[-1].seconds is None


def test_time_left_follows_what_steps_took_here_before(jobs: Jobs) -> None:
    ended(jobs, jobs.start("zhou", PLAN, {"seconds": 2}))
    assert 2 <= jobs.expected()["train-dialogue"] < 20 and jobs.expected()["train-triage"] == 25
    job = jobs.start("zhou", PLAN, {"seconds": 60})
    running = until(jobs, job, lambda one: len(one.steps) == 2)
    share, left = jobs.progress(running)
    assert 0 <= share < 1 and 0 < left <= jobs.expected()["train-dialogue"]
    jobs.cancel(job.id)


def test_unknown_jobs_and_paths_are_refused(jobs: Jobs) -> None:
    for id in ("", "..", "../x", "nothing"):
        with pytest.raises(NoJob):
            jobs.find(id)
