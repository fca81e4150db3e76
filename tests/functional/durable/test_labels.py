"""Labelling jobs over the lives of a cloud, and people who label while no process drives it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from local_cloud.labelling.sheets import Answer, Sheets
from local_cloud.store import Store
from tests.functional.durable.lives import live
from tests.functional.test_labeling import CATEGORIES, REQUEST

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = f"""
import time
sagemaker, s3 = at("sagemaker"), at("s3")
REQUEST, CATEGORIES = json.loads({json.dumps(REQUEST)!r}), {json.dumps(CATEGORIES)!r}

def begin():
    s3.create_bucket(Bucket="data")
    lines = [json.dumps({{"source-ref": f"s3://data/{{name}}.png"}}) for name in ("a", "b", "c")]
    for key, body in (("in.manifest", "\\n".join(lines)), ("categories.json", CATEGORIES)):
        s3.put_object(Bucket="data", Key=key, Body=body)
    for name in ("a", "b", "c"):
        s3.put_object(Bucket="data", Key=f"{{name}}.png", Body=name)
    sagemaker.create_labeling_job(LabelingJobName="job", **REQUEST)

def shown():
    return sagemaker.describe_labeling_job(LabelingJobName="job")

def until(done):
    deadline = time.monotonic() + 240
    while not done():
        assert time.monotonic() < deadline, shown()
        time.sleep(0.02)

def labelled():
    return shown()["LabelCounters"]["TotalLabeled"]
"""


def label(state: Path, labels: dict[int, str]) -> None:
    """Answer as another process does."""
    with closing(Store(state)) as store:
        sheets = Sheets(store)
        (sheet,) = sheets.open_sheets()
        assert all((state / sheet.folder / image.file).is_file() for image in sheet.images)
        answers = {number: Answer(label=each, by="me", at=1.7e9) for number, each in labels.items()}
        sheets.answer(sheet.arn, answers)


def test_a_labelling_job_goes_on_with_the_next_process(tmp_path: Path) -> None:
    state = tmp_path / "state"
    waits = 'until(lambda: shown()["LabelingJobStatus"] == "InProgress" and labelled() == {})'
    live(state, f"{_TOOLS}\nbegin()\n{waits.format(0)}\ndie()")
    label(state, {0: "anomaly"})
    live(state, f"{_TOOLS}\n{waits.format(1)}")  # ends as a command does: the job is only let go
    label(state, {1: "normal", 2: "anomaly"})
    told = live(
        state,
        _TOOLS
        + """
until(lambda: shown()["LabelingJobStatus"] == "Completed")
uri = shown()["LabelingJobOutput"]["OutputDatasetS3Uri"]
print(s3.get_object(Bucket="data", Key=uri.removeprefix("s3://data/"))["Body"].read().decode())
""",
    )
    assert [json.loads(line)["label"] for line in told.splitlines() if line] == [1, 0, 1]
    after = live(state, f'{_TOOLS}\nprint(shown()["LabelingJobStatus"], labelled())')
    assert after.split() == ["Completed", "3"]
