"""The trainers' API under `/api/trainer/…`, one router a file named like the logic's in `triage.trainer`."""

from fastapi import APIRouter

from triage.desk.parts import Parts
from triage.desk.training.answers import answers
from triage.desk.training.data import data
from triage.desk.training.effect import effect
from triage.desk.training.jobs import jobs
from triage.desk.training.models import versions
from triage.desk.training.shadow import shadow


def training(parts: Parts) -> tuple[APIRouter, ...]:
    """All of them."""
    return data(parts), answers(parts), jobs(parts), versions(parts), effect(parts), shadow(parts)
