"""A service holds many open pages in little memory: what only a child process needs is never loaded beside them."""

import json
import subprocess
import sys

HEAVY = ("pypdf", "pypinyin.phrases_dict", "aiogram", "torch")


def test_the_service_loads_nothing_that_only_others_need() -> None:
    look = f"import bot.app, json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
