"""Version requirements are npm ranges, as devices read them."""

from __future__ import annotations

import pytest

from local_cloud.greengrass.versions import parse_requirement, parse_version, satisfying

VERSIONS = ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.1.4"]

RANGES = [
    (["*"], ["3.1.4", "2.0.0", "1.10.0", "1.2.0", "1.0.0"]),
    ([""], ["3.1.4", "2.0.0", "1.10.0", "1.2.0", "1.0.0"]),
    (["^1.0.0"], ["1.10.0", "1.2.0", "1.0.0"]),
    (["~1.2.0"], ["1.2.0"]),
    (["1.2.0"], ["1.2.0"]),
    (["=1.2.0"], ["1.2.0"]),
    (["1.x"], ["1.10.0", "1.2.0", "1.0.0"]),
    ([">= 1.2.0 < 2.0.0"], ["1.10.0", "1.2.0"]),
    ([">=1.2.0", "<2.0.0"], ["1.10.0", "1.2.0"]),
    (["^1.0.0 || ^3.0.0"], ["3.1.4", "1.10.0", "1.2.0", "1.0.0"]),
    (["1.0.0 - 1.2.0"], ["1.2.0", "1.0.0"]),
    ([">=2.0.0-rc.0 <3.0.0"], ["2.0.0", "2.0.0-rc.1"]),
    (["^4.0.0"], []),
    (["1.0.0", "2.0.0"], []),
]


@pytest.mark.parametrize(("requirements", "expected"), RANGES)
def test_versions_that_satisfy_newest_first(requirements: list[str], expected: list[str]) -> None:
    assert satisfying(VERSIONS, requirements) == expected


@pytest.mark.parametrize("text", ["1", "1.0", "v1.0.0", "", "1.0.0 ", "01.0.0", "1.0.1000000"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="version"):
        parse_version(text)


@pytest.mark.parametrize("text", ["about 1", "^", "latest"])
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(ValueError, match="npm range"):
        parse_requirement(text)
