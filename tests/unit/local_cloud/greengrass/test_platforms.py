"""Which manifests fit which device."""

from __future__ import annotations

import pytest

from local_cloud.greengrass.platforms import host_attributes, matches

DEVICE = {"os": "linux", "architecture": "amd64"}

RULES: list[tuple[dict[str, str], bool]] = [
    ({}, True),
    ({"os": "linux"}, True),
    ({"os": "linux", "architecture": "amd64"}, True),
    ({"os": "linux", "architecture": "aarch64"}, False),
    ({"os": "windows"}, False),
    ({"os": "*"}, True),
    ({"runtime": "*"}, True),
    ({"runtime": "aws_nucleus_lite"}, False),
    ({"os": "/linux|darwin/"}, True),
    ({"os": "/lin/"}, False),
    ({"runtime": "/.*/"}, False),
    ({"architecture": "/(amd|x86_)64/"}, True),
    ({"os": "//"}, False),
]


@pytest.mark.parametrize(("rules", "expected"), RULES)
def test_match(rules: dict[str, str], expected: bool) -> None:
    assert matches(rules, DEVICE) is expected


def test_the_host_has_the_names_of_the_nucleus() -> None:
    assert host_attributes()["architecture"] not in ("x86_64", "arm64")
    assert host_attributes()["os"] == host_attributes()["os"].lower()
