"""greengrass: version requirements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_version import NpmSpec
from semantic_version import Version as OtherVersion

from tasks.errors import TaskInputError
from tasks.event import parse_usecase
from tasks.fields import Fields
from tasks.greengrass import Version, component_arn, latest_version, parse_version, satisfies
from tests.unit.tasks.fakes import USECASE, Cloud

small = st.integers(min_value=0, max_value=3)
versions = st.tuples(small, small, small).map(lambda parts: Version(*parts))
comparator = st.tuples(st.sampled_from([">=", "<=", ">", "<", "=", "^", "~", ""]), versions).map(
    lambda pair: f"{pair[0]}{pair[1]}"
)


@given(versions, st.lists(st.lists(comparator, min_size=1, max_size=2), min_size=1, max_size=2))
def test_requirements_mean_what_npm_says(version: Version, alternatives: list[list[str]]) -> None:
    requirement = " || ".join(" ".join(parts) for parts in alternatives)
    assert satisfies(version, requirement) == NpmSpec(requirement.replace(" || ", "||")).match(
        OtherVersion(str(version))
    )


@pytest.mark.parametrize("requirement", ["latest", ">=1", "1.x", "$(rm -rf)"])
def test_a_requirement_of_another_form_is_refused(requirement: str) -> None:
    with pytest.raises(TaskInputError, match="cannot read"):
        satisfies(Version(1, 0, 0), requirement)


@pytest.mark.parametrize("text", ["1.0", "01.0.0", "1.0.0-rc.1", "1.0.0; rm -rf /", "1.0.1000000"])
def test_what_is_no_release_version(text: str) -> None:
    assert parse_version(text) is None


def test_the_latest_version_that_fits_is_found_over_all_pages(cloud: Cloud) -> None:
    usecase = parse_usecase(Fields(USECASE, "usecase"))
    arn = component_arn(usecase, "com.edgepipe.LocalServer")
    for version in ("0.1.0", "0.10.0", "0.9.0", "1.0.0", "2.0.0-rc.1"):
        cloud.greengrassv2.register(arn, version)
    client = cloud.client("greengrassv2")
    assert latest_version(client, usecase, "com.edgepipe.LocalServer", ">=0.1.0 <1.0.0") == Version(0, 10, 0)
    with pytest.raises(
        TaskInputError, match=r"its versions are 0\.1\.0, 0\.9\.0, 0\.10\.0, 1\.0\.0; register one"
    ):
        latest_version(client, usecase, "com.edgepipe.LocalServer", ">=3.0.0")
    with pytest.raises(TaskInputError, match="it has no version there"):
        latest_version(client, usecase, "com.example.none", "*")


def test_components_of_aws_are_looked_up_at_aws() -> None:
    usecase = parse_usecase(Fields(USECASE, "usecase"))
    assert component_arn(usecase, "aws.greengrass.Cli").split(":")[4] == "aws"
