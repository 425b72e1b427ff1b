"""Which places a customer's words may mean."""

import pytest

from actions.areas import match
from actions.systems import Area

PLACES = [
    Area(str(i), name, "", "")
    for i, name in enumerate(("云溪区锦绣江南", "临港区锦绣江南", "云溪区望江楼小区", "望江区阳光花园"))
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("锦绣江南", ["云溪区锦绣江南", "临港区锦绣江南"]),
        ("临港区的锦绣江南", ["临港区锦绣江南"]),
        ("望江楼小区", ["云溪区望江楼小区"]),
        ("望江区阳光花园", ["望江区阳光花园"]),
        # the district is no part of the name
        ("望江区滨江花园", []),
    ],
)
def test_a_district_tells_equals_apart_and_finds_nothing_alone(said: str, meant: list[str]) -> None:
    assert [area.name for area in match(said, PLACES)] == meant
