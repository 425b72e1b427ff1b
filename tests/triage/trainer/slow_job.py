"""A job's process that stands in for training: what it does is told by its job's arguments."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from triage.trainer.jobs import Jobs, Refusal

if __name__ == "__main__":
    id, root = sys.argv[1], Path(sys.argv[2])
    jobs = Jobs(root)
    with jobs.working(id) as work:
        wanted = work.job.arguments
        with work.step("labels"):
            (work.part / "half").write_text("half a model")
        with work.step("train-dialogue"):
            if wanted.get("child"):
                child = subprocess.Popen(["sleep", "300"])
                (root / "child").write_text(str(child.pid))
            time.sleep(wanted.get("seconds", 0))
            if wanted.get("refuse"):
                raise Refusal("两句话标得不一样")
            if wanted.get("fail"):
                raise RuntimeError("no space left")
        work.made("dialogue", "v1")
