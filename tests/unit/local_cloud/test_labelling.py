"""What labels stand in an oracle, and how a person's page answers what is right and wrong."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local_cloud.labelling.oracle import Oracle, find_oracle, keep_oracle, read_oracle
from local_cloud.labelling.page import Desk, Page
from local_cloud.labelling.sheets import Answer, Image, Sheet, Sheets
from local_cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n and more"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/job"


def truth(source: str, name: str) -> str:
    return json.dumps({"source-ref": source, "label": 1, "label-metadata": {"class-name": name}})


@pytest.mark.parametrize(
    ("lines", "uri", "label"),
    [
        ([truth("s3://a-b/x/1.png", "good")], "s3://a-b/x/1.png", "good"),
        (
            [truth("s3://old/set/a/1.png", "good"), truth("s3://old/set/b/1.png", "bad")],
            "s3://new/z/b/1.png",
            "bad",
        ),
        ([truth("s3://old/set/1.png", "good")], "s3://new/y/11.png", None),
        (['{"source-ref": "1.png", "label": "good"}'], "s3://new/y/1.png", "good"),
        (['{"source-ref": "y/1.png", "label": "good"}'], "s3://new/x/1.png", None),
        (['{"source-ref": "1.png", "label": "good"}', "", truth("2.png", "bad")], "s3://new/2.png", "bad"),
        ([truth("s3://one/1.png", "good"), truth("s3://two/1.png", "bad")], "s3://one/1.png", "good"),
    ],
)
def test_an_oracle_knows_images_by_address_or_by_the_end_of_their_path(
    tmp_path: Path, lines: list[str], uri: str, label: str | None
) -> None:
    path = tmp_path / "oracle.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_oracle(path).answer(uri) == label


def test_an_oracle_is_kept_for_its_run_alone(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        keep_oracle(store, "one", Oracle(labels={"1.png": "good"}))
        assert find_oracle(store, "one") == Oracle(labels={"1.png": "good"})
        assert find_oracle(store, "two") is None


@pytest.fixture
def sheets(tmp_path: Path) -> Iterator[Sheets]:
    with closing(Store(tmp_path)) as store:
        yield Sheets(store)


@pytest.fixture
def page(tmp_path: Path, sheets: Sheets) -> Iterator[Page]:
    images = tuple(Image(number=n, uri=f"s3://a-b/{n}.png", file=f"{n}.png") for n in (0, 2))
    sheet = Sheet(
        arn=ARN, job="job", title="Look", labels=("good", "<b>"), folder="f", images=images, run="r", step="s"
    )
    sheets.put_up(sheet)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "0.png").write_bytes(PNG)
    (tmp_path / "f" / "2.png").write_bytes(b"<html>")
    with closing(Page(Desk(sheets, sheet, tmp_path))) as made:
        yield made


def ask(
    page: Page, method: str, place: str, body: Any = None, *, token: str | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    url = urlsplit(page.url)
    connection = HTTPConnection(url.netloc, timeout=120)
    path = url.path if token is None else f"/{token}/"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path + place, body=body, headers=named)
    reply = connection.getresponse()
    found = reply.status, reply.read(), {key.lower(): value for key, value in reply.getheaders()}
    connection.close()
    return found


def say(page: Page, number: Any, label: Any) -> tuple[int, Any]:
    status, body, _ = ask(page, "POST", "answers", json.dumps({"number": number, "label": label}))
    return status, json.loads(body)


def test_an_answer_is_kept_before_it_is_said_to_be(page: Page, sheets: Sheets) -> None:
    assert say(page, 2, "<b>") == (200, {"left": 1})
    assert {number: answer.label for number, answer in sheets.answers(ARN).items()} == {2: "<b>"}
    listed = json.loads(ask(page, "GET", "sheet")[1])
    assert listed == {
        "title": "Look",
        "labels": ["good", "<b>"],
        "images": [
            {"number": 0, "name": "0.png", "label": None},
            {"number": 2, "name": "2.png", "label": "<b>"},
        ],
    }
    assert say(page, 2, "good") == (200, {"left": 1})
    assert say(page, 0, "good") == (200, {"left": 0})
    assert page.desk.left() == 0


def test_an_answer_to_a_job_that_has_ended_is_not_said_to_count(page: Page, sheets: Sheets) -> None:
    sheets.take_down(ARN)
    assert say(page, 0, "good") == (409, {"error": "the labelling job has ended"})
    assert not page.desk.is_open()


@pytest.mark.parametrize(("number", "label"), [(1, "good"), (0, "bad"), ("0", "good"), ([], "good"), (0, {})])
def test_an_answer_that_fits_nothing_is_refused(page: Page, sheets: Sheets, number: Any, label: Any) -> None:
    assert say(page, number, label)[0] == 400
    assert sheets.answers(ARN) == {}


def test_what_is_no_answer_is_refused(page: Page) -> None:
    assert ask(page, "POST", "answers", "{")[0] == 400
    assert ask(page, "POST", "answers", "x" * 70_000)[0] == 400
    assert ask(page, "POST", "sheet", "{}")[0] == 400


def test_images_are_shown_and_nothing_else_is_called_one(page: Page) -> None:
    status, body, headers = ask(page, "GET", "images/0")
    assert (status, body, headers["content-type"]) == (200, PNG, "image/png")
    assert ask(page, "GET", "images/2")[2]["content-type"] == "application/octet-stream"
    for strange in ("1", "x", "../0.png", ""):
        assert ask(page, "GET", f"images/{strange}")[0] == 404


def test_the_page_loads_nothing_from_elsewhere(page: Page) -> None:
    status, body, headers = ask(page, "GET", "")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"http" not in body
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert body.count(f'nonce="{nonce}"'.encode()) == 2
    assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}],
)
def test_what_another_site_could_send_is_refused(page: Page, sheets: Sheets, headers: dict[str, str]) -> None:
    body = json.dumps({"number": 0, "label": "good"})
    assert ask(page, "POST", "answers", body, **headers)[0] == 403
    assert ask(page, "GET", "", **headers)[0] == 403
    assert sheets.answers(ARN) == {}


@pytest.mark.parametrize("token", ["", "guess", "%C3%A9"])
def test_without_the_secret_there_is_nothing(page: Page, token: str) -> None:
    assert ask(page, "GET", "sheet", token=token)[0] == 404


def test_answers_are_forgotten_with_their_job(sheets: Sheets) -> None:
    sheets.answer(ARN, {0: Answer(label="good", by="me", at=1.0), 1: Answer(label="bad", by="me", at=1.0)})
    assert sheets.count(ARN) == 2
    sheets.forget(ARN)
    assert sheets.answers(ARN) == {}
