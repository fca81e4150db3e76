"""Runs whose images people label: by an oracle, on the page, and with the driver killed in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.functional.test_run import EDGEPIPE, ROOT, RUN_SECONDS, Result, draw_dataset, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = Path(__file__).parent / "pipelines" / "people" / "pipeline.yaml"
EACH = 12
WAIT_SECONDS = 240


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images of both classes in one folder, whose names say nothing."""
    drawn, folder = draw_dataset(tmp_path / "drawn", each=EACH), tmp_path / "images"
    folder.mkdir()
    for number, path in enumerate(sorted(drawn.rglob("*.*"))):
        path.rename(folder / f"{number:03}{path.suffix}")
    return folder


def truth(images: Path) -> dict[str, str]:
    names = sorted(path.name for path in images.iterdir())
    return {name: "anomaly" if number < EACH else "normal" for number, name in enumerate(names)}


def write_oracle(path: Path, labels: dict[str, str]) -> Path:
    lines = [json.dumps({"source-ref": name, "label": label}) for name, label in labels.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def check_labels(record: dict[str, Any]) -> None:
    """Check that a run made the labels that are true, and split them."""
    assert record["status"] == "SUCCEEDED", record
    label, transform = record["steps"]["label"], record["steps"]["transform"]
    facts = label["outputs"]["labels"]["facts"]
    assert (facts["count"], facts["per_class"]) == (2 * EACH, {"normal": EACH, "anomaly": EACH})
    splits = transform["outputs"]["manifest"]["facts"]["splits"]
    assert sum(split["count"] for split in splits.values()) == 2 * EACH


def labels_of(state_dir: Path) -> dict[str, str]:
    """Return what the labelling job's output manifest says, by the images' names."""
    (path,) = state_dir.glob("runs/*/artifacts/label/output/*/manifests/output/output.manifest")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["source-ref"].rpartition("/")[2]: line["label-metadata"]["class-name"] for line in lines}


def start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """Start edgepipe with its words in files, and nobody at the terminal."""
    out, err = (tmp_path / f"{words[0]}.{name}" for name in ("out", "err"))
    with out.open("w") as outs, err.open("w") as errs:
        return subprocess.Popen(
            [str(EDGEPIPE), *words], stdin=subprocess.DEVNULL, stdout=outs, stderr=errs, text=True, cwd=ROOT
        )


def until(done: Any) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


class Person:
    """Somebody at the page, who says what is true."""

    def __init__(self, url: str, labels: dict[str, str]) -> None:
        self.url, self.labels = urlsplit(url), labels

    def ask(
        self, method: str, place: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = HTTPConnection(self.url.netloc, timeout=120)
        text = None if body is None else json.dumps(body)
        connection.request(method, self.url.path + place, body=text, headers=headers)
        reply = connection.getresponse()
        found = reply.status, reply.read(), {key.lower(): value for key, value in reply.getheaders()}
        connection.close()
        return found

    def sheet(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.ask("GET", "sheet")[1])["images"]
        return listed

    def label(self, count: int) -> int:
        """Label so many images more, and return how many are left."""
        left = -1
        for image in [each for each in self.sheet() if each["label"] is None][:count]:
            said = {"number": image["number"], "label": self.labels[image["name"]]}
            status, body, _ = self.ask("POST", "answers", said)
            assert status == 200
            left = json.loads(body)["left"]
        return left


@contextmanager
def labelling(tmp_path: Path, labels: dict[str, str]) -> Iterator[tuple[Person, subprocess.Popen[str]]]:
    """Open the page of the only step that waits; Ctrl-C ends it if it has not ended."""
    process = subprocess.Popen(
        [str(EDGEPIPE), "label", "last", "--state-dir", str(tmp_path / "state")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield Person(process.stdout.readline().strip(), labels), process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_SECONDS)
    finally:
        process.kill()
        process.communicate()


def waits(tmp_path: Path) -> str:
    done = subprocess.run(
        [str(EDGEPIPE), "status", "last", "--state-dir", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    return next((line for line in done.stdout.splitlines() if "images are left" in line), "")


def test_an_oracle_labels_in_peoples_place(tmp_path: Path, images: Path) -> None:
    oracle = write_oracle(tmp_path / "oracle.jsonl", truth(images))
    result: Result = run(tmp_path, "--param", f"dataset={images}", "--oracle", str(oracle), spec=SPEC)
    assert result.code == 0, result.err
    check_labels(result.record())
    assert labels_of(result.state_dir) == truth(images)


@pytest.mark.soak
def test_a_killed_run_goes_on_with_the_labels_that_people_gave(tmp_path: Path, images: Path) -> None:
    state = ["--state-dir", str(tmp_path / "state")]
    driver = start(tmp_path, "run", str(SPEC), "--param", f"dataset={images}", *state)
    running = [driver]
    try:
        line = until(lambda: waits(tmp_path))
        assert f"{2 * EACH} of {2 * EACH} images are left (edgepipe label " in line
        with labelling(tmp_path, truth(images)) as (person, _):
            assert person.label(5) == 2 * EACH - 5
            driver.kill()  # while somebody labels
            driver.wait()
            assert person.label(5) == 2 * EACH - 10
        resumed = start(tmp_path, "resume", "last", *state, "--output", "json")
        running.append(resumed)
        until(lambda: f"{2 * EACH - 10} of" in waits(tmp_path))
        with labelling(tmp_path, truth(images)) as (person, page):
            assert person.label(2 * EACH) == 0
            assert page.wait(WAIT_SECONDS) == 0
        assert resumed.wait(RUN_SECONDS) == 0, (tmp_path / "resume.err").read_text()
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert (
        f"images wait for their labels. To label: edgepipe label {state[0]}"
        in (tmp_path / "run.err").read_text()
    )
    check_labels(json.loads((tmp_path / "resume.out").read_text()))
    assert labels_of(tmp_path / "state") == truth(images)


def test_what_an_oracle_does_not_know_waits_for_a_person_who_may_stop(tmp_path: Path, images: Path) -> None:
    known = dict(list(truth(images).items())[:20])
    oracle = write_oracle(tmp_path / "oracle.jsonl", known)
    state = ["--state-dir", str(tmp_path / "state")]
    words = ["--param", f"dataset={images}", "--oracle", str(oracle), *state]
    driver = start(tmp_path, "run", str(SPEC), *words)
    try:
        until(lambda: f"4 of {2 * EACH}" in waits(tmp_path))
        driver.send_signal(signal.SIGINT)
        assert driver.wait(RUN_SECONDS) == 130
    finally:
        driver.kill()
        driver.wait()
    done = subprocess.run(
        [str(EDGEPIPE), "label", "last", *state], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "has not one step that waits for labels now" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("{", "oracle.jsonl:1 is not JSON"),
        ('{"source-ref": "a"}', "oracle.jsonl:1 should name an image and its one class"),
        ('{"source-ref": "a", "label": "x"}\n{"source-ref": "a", "label": "y"}', "gives a two labels"),
    ],
)
def test_a_wrong_oracle_is_one_line_and_nothing_begins(
    tmp_path: Path, images: Path, text: str, told: str
) -> None:
    oracle = tmp_path / "oracle.jsonl"
    oracle.write_text(text, encoding="utf-8")
    result = run(tmp_path, "--param", f"dataset={images}", "--oracle", str(oracle), spec=SPEC)
    assert result.code == 2
    assert told in result.err
    assert not os.path.lexists(tmp_path / "state" / "runs")


def test_an_oracle_that_nobody_asks_is_refused(tmp_path: Path, images: Path) -> None:
    spec = Path(__file__).parent / "pipelines" / "brightness" / "pipeline.yaml"
    oracle = write_oracle(tmp_path / "oracle.jsonl", truth(images))
    result = run(tmp_path, "--param", f"dataset={images}", "--oracle", str(oracle), spec=spec)
    assert result.code == 2
    assert "no step of the pipeline has `method: ground-truth`" in result.err
