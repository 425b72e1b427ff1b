"""Promises and rules as data 承诺与规则: dated and sourced in policy.yml, said through the domain's responses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import yaml

POLICY = Path(__file__).with_name("policy.yml")


class PolicyError(ValueError):
    """policy.yml is wrong; the message names the rule and the field."""


@cache
def facts(file: Path = POLICY) -> Mapping[str, str]:
    """Every value by rule and field (`late_fee_per_day`), and `late_fee_source` with its date.

    Raises `PolicyError` for a rule without a source or a date.
    """
    found: dict[str, str] = {}
    for rule, fields in yaml.safe_load(file.read_text("utf-8")).items():
        since, source = fields.pop("since", None), fields.pop("source", None)
        if not isinstance(since, date) or not isinstance(source, str):
            raise PolicyError(f"{rule}: needs source (text) and since (a date)")
        for field, value in fields.items():
            if not isinstance(value, str):
                raise PolicyError(f"{rule}.{field}: must be text, got {value!r}")
            found[f"{rule}_{field}"] = value
        found[f"{rule}_source"] = f"依据{source}（{since.year}年{since.month}月起）"
    return found
