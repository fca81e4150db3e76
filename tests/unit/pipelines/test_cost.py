"""What a run would cost: sums that one can do by hand from the table."""

from __future__ import annotations

import pytest

from pipelines import cost, machine
from pipelines.cost import MinutesError
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, build

HOURLY = cost.prices()["sagemaker"]["instance_hour"]
TRAIN = MODEL.replace('version: "1"}}', 'version: "1"}, instance: %s}')


def estimate(steps: str, params: str = "", minutes: dict[str, float] | None = None) -> cost.Estimate:
    return cost.estimate(machine.parse(build(steps, params).definition), minutes or {})


def line(found: cost.Estimate, what: str) -> cost.Item:
    (item,) = (item for item in found.items if item.what == what)
    return item


def test_the_table_says_where_and_when() -> None:
    table = cost.prices()
    assert table["region"] == cost.REGION
    assert table["date"].startswith("202")
    assert all(source.startswith("https://aws.amazon.com/") for source in table["sources"].values())
    assert {item.service for item in estimate(MODEL).items} <= set(table["sources"])
    assert all(price > 0 for price in HOURLY.values())


def test_a_job_costs_its_hours() -> None:
    found = estimate(MODEL, minutes={"train": 90})
    assert line(found, "train: ml.m5.xlarge").cost == pytest.approx(1.5 * HOURLY["ml.m5.xlarge"])
    assert line(found, "train: disk").cost == pytest.approx(30 * 0.14 * 1.5 / 730)
    assert "train: a job takes 90 minutes (given)" in found.assumptions


def test_a_job_for_each_target_is_paid() -> None:
    found = estimate(MODEL + COMPILE, minutes={"compile": 30})
    assert line(found, "compile: ml.m5.xlarge").cost == pytest.approx(HOURLY["ml.m5.xlarge"])
    assert line(found, "compile: ml.m5.xlarge").quantity == "2 jobs x 30 min"


def test_a_step_wins_over_its_kind() -> None:
    steps = MODEL.replace("  train: {", "  fast: {uses: train, ")
    assert (
        line(estimate(steps, minutes={"train": 60, "fast": 6}), "fast: ml.m5.xlarge").quantity
        == "1 job x 6 min"
    )


def test_an_instance_from_a_parameter_is_its_default() -> None:
    params = "  kind: {type: string, default: ml.g4dn.xlarge}\n"
    found = estimate(TRAIN % '"${{ params.kind }}"', params, {"train": 60})
    assert line(found, "train: ml.g4dn.xlarge").cost == pytest.approx(HOURLY["ml.g4dn.xlarge"])


def test_what_has_no_price_is_said_and_left_out() -> None:
    found = estimate(TRAIN % '"${{ params.kind }}"', "  kind: {type: string, default: ml.m4.xlarge}\n")
    assert line(found, "train: ml.m4.xlarge").cost is None
    assert [each for each in found.assumptions if "ml.m4.xlarge has no price here and is left out" in each]
    assert found.total == pytest.approx(sum(item.cost or 0 for item in found.items))


def test_a_pipeline_without_jobs_costs_its_calls() -> None:
    found = estimate(LABEL)
    assert [item.service for item in found.items] == ["lambda", "step_functions", "s3"]
    assert line(found, "handlers").cost == pytest.approx(0.0000002 + 60 * 0.0000133334)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        ({"label": 3}, "'label' starts no job; those that do: train"),
        ({"trian": 3}, "'trian' starts no job"),
        ({"train": 0}, "more than 0 minutes"),
        ({"train": float("nan")}, "more than 0 minutes"),
        ({"train": 1e9}, "less than 28 days"),
    ],
)
def test_wrong_minutes_are_refused(minutes: dict[str, float], said: str) -> None:
    with pytest.raises(MinutesError, match=said):
        estimate(MODEL, minutes=minutes)


def test_minutes_are_read_from_words() -> None:
    assert cost.read_minutes(["train=30", "compile=1.5"]) == {"train": 30, "compile": 1.5}
    for word in ("train", "train=", "train=long", "=3x"):
        with pytest.raises(MinutesError, match="NAME=MINUTES"):
            cost.read_minutes([word])
