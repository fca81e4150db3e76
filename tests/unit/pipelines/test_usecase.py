"""usecase: from usecases/<id>.yaml to frozen values, and back."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import schema, spec, usecase
from pipelines.diagnostics import SpecError
from tasks.event import UseCase as HandlersUseCase

EXAMPLE = Path(__file__).parents[3] / "examples" / "cookies" / "usecases"
HERE = usecase.Orchestrator(account="123456789012", region="us-east-1")
DATA = usecase.DataAccount(
    account="012345670123",
    role_arn="arn:aws:iam::012345670123:role/reader",
    external_id="8d1f",
    origins=("https://portal.example.com", "https://localhost:8443"),
)
RULES = schema.load("usecase.schema.json")["properties"]


def drafted(external_id: str = "edgepipe-5f1c") -> usecase.UseCase:
    return usecase.draft(
        "cookies", account="210987654321", region="eu-west-1", orchestrator=HERE, external_id=external_id
    )


def codes(text: str, expected: str = "") -> list[tuple[str, int, str]]:
    with pytest.raises(SpecError) as caught:
        usecase.parse(text, path="usecases/cookies.yaml", expected=expected)
    return [(each.code, each.span.line, each.message) for each in caught.value.diagnostics]


def test_the_example_is_read() -> None:
    found = usecase.read(EXAMPLE, "cookie-factory")
    assert found.orchestrator == HERE
    assert found.markers()["usecase_results_bucket"] == "cookie-factory-results-210987654321"
    assert usecase.list_ids(EXAMPLE) == ["cookie-factory"]


@given(st.from_regex(RULES["external_id"]["pattern"].replace("$", r"\Z"), fullmatch=True))
def test_what_is_written_is_read_again(external_id: str) -> None:
    for data in (None, DATA, replace(DATA, role_arn=None, external_id=None, origins=())):
        case = replace(drafted(external_id), data=data, topic="arn:aws:sns:eu-west-1:210987654321:runs")
        assert usecase.parse(usecase.render(case), path="x", expected="cookies") == case


def test_an_optional_fact_has_no_marker() -> None:
    assert "usecase_topic" not in drafted().markers()


def test_the_orchestrator_lies_in_the_same_region_unless_it_says() -> None:
    text = usecase.render(drafted()).replace("  region: us-east-1\n", "")
    assert usecase.parse(text, path="x").orchestrator.region == "eu-west-1"


def test_handlers_get_what_every_use_case_has() -> None:
    assert {field.name for field in fields(HandlersUseCase)} == set(spec.USECASE_REQUIRED)


def test_sections_cannot_be_named_in_a_spec() -> None:
    assert not {"orchestrator", "data"} & {*spec.USECASE_FIELDS, *spec.USECASE_REQUIRED}


def test_an_unregistered_use_case_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(usecase.UnregisteredError, match=r"edgepipe usecase init bakery"):
        usecase.read(tmp_path, "bakery")


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "words"),
    [
        ('account: "210987654321"', "account: 21098765432", "P013", 3, "twelve digits"),
        ("region: eu-west-1", "region: [eu]", "P012", 4, "must be text"),
        ("external_id:", "externalid:", "P010", 7, "has no key 'externalid'"),
        ("role/edgepipe-cookies-jobs", "user/jobs", "P013", 11, "the ARN of a role"),
        ("data_bucket: ", "data_bucket: S3_", "P013", 13, "the name of a bucket"),
        ('  account: "123456789012"', "  acount: x", "P010", 19, "has no key 'acount'"),
    ],
)
def test_mistakes_are_shown_at_their_places(old: str, new: str, code: str, line: int, words: str) -> None:
    text = usecase.render(drafted())
    assert old in text
    found = codes(text.replace(old, new, 1))
    assert any(each[:2] == (code, line) and words in each[2] for each in found), found


def test_a_role_of_another_account_is_a_mistake() -> None:
    case = replace(
        drafted(), role_arn="arn:aws:iam::999999999999:role/x", data=replace(DATA, account="1" * 12)
    )
    assert [each[2] for each in codes(usecase.render(case))] == [
        "'role_arn' is a role of account 999999999999, not of 210987654321",
        "'role_arn' is a role of account 012345670123, not of 111111111111",
    ]


def test_the_file_is_named_after_its_use_case() -> None:
    found = codes(usecase.render(drafted()), expected="bakery")
    assert found == [("P013", 2, "the file is named bakery.yaml, but 'id' is 'cookies'")]


@pytest.mark.parametrize("text", ["", "  \n", "# nothing\n", "- a\n", "x", "id: [\n", "a: &a\n  b: *a\n"])
def test_no_text_is_more_than_a_mistake(text: str) -> None:
    assert codes(text)
