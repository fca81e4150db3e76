"""A run's parameters, as a person gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local_cloud.plan import plan_run
from pipelines.parameters import ParameterError

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """\
version: 1
name: cookies
usecase: cookie-factory
params:
  dataset: {type: s3uri, default: "s3://bucket/x/"}
  stage: {type: string, default: test}
  epochs: {type: integer, default: 3}
steps:
  label: {method: folders, dataset: "${{ params.dataset }}", labels: [normal, anomaly]}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "test", "5"):
        tmp_path.joinpath(folder).mkdir()
    path = tmp_path / "pipeline.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_only_an_address_may_be_a_folder_of_this_machine(spec: Path) -> None:
    params = {"dataset": "images", "stage": "test", "epochs": "5"}
    plan = plan_run(spec, params=params, state_dir=spec.parent / "state")
    assert [dataset.path.name for dataset in plan.datasets] == ["images"]
    assert str(plan.params["dataset"]).startswith("s3://")
    assert (plan.params["stage"], plan.params["epochs"]) == ("test", 5)


@pytest.mark.parametrize(
    ("name", "said"), [("epochs", "must be of type integer, not ''"), ("dataset", "names nothing")]
)
def test_no_value_is_not_the_folder_one_is_in(spec: Path, name: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        plan_run(spec, params={name: ""}, state_dir=spec.parent / "state")
