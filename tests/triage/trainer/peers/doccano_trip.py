"""`doccano_trip.py FOLDER KIND=FILE …`, run by doccano's own Python: files go into new projects and come out again.

A KIND is doccano's project type; what came out lies in FOLDER/KIND.jsonl.
"""
# mypy: ignore-errors

import importlib.util
import os
import sys
from pathlib import Path

folder = Path(sys.argv[1])
sys.path.insert(0, str(Path(importlib.util.find_spec("backend").origin).parent))
os.environ.update(
    DJANGO_SETTINGS_MODULE="config.settings.development", DATABASE_URL=f"sqlite:///{folder / 'doccano.db'}"
)

import django  # noqa: E402

django.setup()

from data_export.celery_tasks import create_collaborative_dataset  # noqa: E402
from data_export.pipeline.factories import create_formatter, create_writer  # noqa: E402
from data_import.datasets import load_dataset  # noqa: E402
from data_import.pipeline.catalog import create_file_format  # noqa: E402
from data_import.pipeline.readers import FileName  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from projects.models import SequenceLabelingProject, TextClassificationProject  # noqa: E402

PROJECTS = {"SequenceLabeling": SequenceLabelingProject, "DocumentClassification": TextClassificationProject}

call_command("migrate", verbosity=0)
user = get_user_model().objects.create_user("trainer")
for argument in sys.argv[2:]:
    kind, file = argument.split("=", 1)
    project = PROJECTS[kind].objects.create(
        name=kind, project_type=kind, created_by=user, collaborative_annotation=True
    )
    dataset = load_dataset(kind, create_file_format("JSONL"), [FileName(file, file, file)], project)
    dataset.save(user)
    assert not dataset.errors, dataset.errors
    formatters, writer = create_formatter(project, "JSONL"), create_writer("JSONL")
    create_collaborative_dataset(project, str(folder), False, formatters, writer)
    (folder / "all.jsonl").rename(folder / f"{kind}.jsonl")
