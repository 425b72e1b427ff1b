"""`label_studio_trip.py CONFIG TASKS OUT`, run by label-studio-sdk's own Python.

Every task and region is checked against the labelling interface, read into the SDK's objects and written again.
"""
# mypy: ignore-errors

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import TaskValue

config, tasks, out = map(Path, sys.argv[1:])
interface = LabelInterface(config.read_text("utf-8"))
interface.validate()
read = []
for task in json.loads(tasks.read_text("utf-8")):
    assert interface.validate_task({"data": task["data"]}), task
    for annotation in task["annotations"]:
        assert interface.validate_annotation(annotation), annotation
        annotation["completed_by"] = 1  # the server's part: who answered
    read.append(TaskValue(**task).model_dump())
out.write_text(json.dumps(read), "utf-8")
