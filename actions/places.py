"""How far places lie from one another, and which is nearest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt
from typing import Protocol, TypeVar

from actions.systems import Point

EARTH_KM = 6371.0
_COORDINATES = re.compile(r"(?<![\d.])(-?\d{1,2}\.\d{2,})\s*[,，]\s*(-?\d{1,3}\.\d{2,})(?![\d.])")


class Located(Protocol):
    """A hall or a station."""

    @property
    def at(self) -> Point | None:
        """(latitude, longitude) in degrees."""
        ...


P = TypeVar("P", bound=Located)


def coordinates(text: str) -> Point | None:
    """The "latitude,longitude" a message holds, as a shared location does; None if it holds none."""
    found = _COORDINATES.search(text)
    if found is None or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        return None
    return float(found[1]), float(found[2])


def kilometres(a: Point, b: Point) -> float:
    """Great-circle distance (haversine formula) in km."""
    lat_a, lon_a, lat_b, lon_b = map(radians, (*a, *b))
    half = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def nearest(places: Iterable[P], here: Point | None) -> list[tuple[P, float | None]]:
    """Each place with its distance in km, nearest first; without `here` in their own order and without distance.

    A place whose position is unknown comes last.
    """
    if here is None:
        return [(place, None) for place in places]
    measured = [(place, kilometres(here, place.at) if place.at is not None else None) for place in places]
    return sorted(measured, key=lambda pair: (pair[1] is None, pair[1] or 0.0))
