"""The trainers' API under `/api/trainer/…`, one router a file named like the logic's in `triage.trainer`."""

from fastapi import APIRouter

from triage.desk.parts import Parts
from triage.desk.training.answers import answers
from triage.desk.training.data import data
from triage.desk.training.effect import effect
from triage.desk.training.jobs import jobs
from triage.desk.training.labels import labels
from triage.desk.training.models import versions
from triage.desk.training.review import review
from triage.desk.training.shadow import shadow


def training(parts: Parts) -> tuple[APIRouter, ...]:
    """All of them."""
    logic = (review, labels, data, answers, jobs, versions, effect, shadow)
    return tuple(router(parts) for router in logic)
