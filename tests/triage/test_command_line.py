import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KINDS = (("电费太高", "billing", "P3"), ("停电了", "outage", "P2"), ("电表坏", "metering", "P3"))
ROWS = [
    {"text": f"{word}{n}号", "category": category, "priority": priority}
    for n in range(12)
    for word, category, priority in KINDS
]


def triage(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triage")
    (folder / "data.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS))
    done = triage("train", "--data", str(folder / "data.jsonl"), "--out", str(folder / "model"))
    assert done.returncode == 0, done.stderr
    return folder / "model"


def test_each_line_gets_its_line(model: Path) -> None:
    given = '{"text": "这个月电费太高"}\n{"text": "我家停电了"}\n'
    done = triage("classify", "--model", str(model), given=given)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["category"] for row in rows] == ["billing", "outage"]
    for row in rows:
        assert abs(sum(row["probabilities"].values()) - 1) < 1e-4
        assert {"priority", "confidence", "reasons"} <= set(row)


def test_evaluate_prints_every_measure(model: Path) -> None:
    done = triage("evaluate", "--model", str(model), "--data", str(model.parent / "data.jsonl"))
    found = json.loads(done.stdout)
    assert found["accuracy"] == 1.0
    assert {"macro_f1", "classes", "ece", "coverage_at_precision_0.95", "texts_per_second"} <= set(found)


@pytest.mark.parametrize("line", ["not json", "[]", '{"text": 1}', "{}"])
def test_a_wrong_line_is_named_and_nothing_is_written(model: Path, line: str) -> None:
    done = triage("classify", "--model", str(model), given='{"text": "好"}\n' + line + "\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2" in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_example_leaves_no_model(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "好", "category": "billing"}\n{"text": "坏"}\n')
    done = triage("train", "--data", str(tmp_path / "data.jsonl"), "--out", str(tmp_path / "model"))
    assert done.returncode == 2 and "line 2" in done.stderr
    assert not (tmp_path / "model").exists()
