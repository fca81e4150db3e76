from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines import packages
from stacks import reasons, uploads
from stacks.settings import EXAMPLE, SettingsError, read_settings

if TYPE_CHECKING:
    from pathlib import Path

TEXT = EXAMPLE.joinpath("usecases", "cookie-factory.yaml").read_text(encoding="utf-8")


def test_without_use_cases_the_example_is_deployed(tmp_path: Path) -> None:
    found = read_settings({}, folder=tmp_path)
    assert [each.id for each in found.usecases] == ["cookie-factory"]
    assert found.specs == (EXAMPLE / "pipeline.yaml",)


def test_a_folder_of_use_cases_is_read(tmp_path: Path) -> None:
    tmp_path.joinpath("mine").mkdir()
    tmp_path.joinpath("mine", "cookie-factory.yaml").write_text(TEXT, encoding="utf-8")
    found = read_settings({"usecases": "mine", "specs": "a.yaml, b.yaml", "reserve": "no"}, folder=tmp_path)
    assert found.specs == (tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert (found.home.account, found.reserve) == ("123456789012", False)
    assert read_settings({"usecases": "mine"}, folder=tmp_path).specs == ()


def test_use_cases_of_two_orchestrators_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "usecases"
    folder.mkdir()
    folder.joinpath("cookie-factory.yaml").write_text(TEXT, encoding="utf-8")
    other = TEXT.replace("cookie-factory", "wafers").replace('"123456789012"', '"999999999999"')
    folder.joinpath("wafers.yaml").write_text(other, encoding="utf-8")
    with pytest.raises(SettingsError, match="several orchestrators: 123456789012/us-east-1, 999999999999"):
        read_settings({}, folder=tmp_path)


def test_another_account_than_the_use_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="asks for 1/us-east-1, but the use cases name 123456789012"):
        read_settings({"account": "1"}, folder=tmp_path)


def test_a_use_case_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = read_settings({}, folder=tmp_path)
    with pytest.raises(
        SettingsError, match="'bakery' is not registered; write it with `edgepipe usecase init"
    ):
        found.usecase("bakery", tmp_path / "x.yaml")


@pytest.mark.parametrize(("action", "resource"), [("s3:GetObject", "*"), ("s3:GetObject", "arn:aws:s3:::b*")])
def test_a_wildcard_without_a_reason_is_refused(action: str, resource: str) -> None:
    with pytest.raises(reasons.UnexplainedError, match="says why it must be so wide"):
        reasons.explain(action, resource)


def test_zips_depend_on_names_and_contents_only() -> None:
    one = packages.pack({"a.py": b"1", "b.py": b"2"})
    assert one == packages.pack({"b.py": b"2", "a.py": b"1"})
    assert one != packages.pack({"a.py": b"1", "b.py": b"3"})


def test_the_onboarding_function_carries_the_shared_component() -> None:
    files = uploads.read_onboarding()
    assert files["version.txt"].count(b".") == 2
    assert b"${component_bucket}" in files["recipe.yaml"]
