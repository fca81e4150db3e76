"""Asks a device about images that training never saw, through the device's own HTTP API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local_cloud.context import Context

SERVER = "com.edgepipe.LocalServer"
ANSWER_SECONDS = 30


class PredictionError(Exception):
    """The device gave no answer, or one that is no prediction."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a device did on the images held back from training."""

    url: str
    engine: str
    images: int
    correct: int
    wrong: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Return the share of right answers, 0 to 1."""
        return self.correct / self.images


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a device's LocalServer answers, and what serves its models: Triton, or the stated fallback."""

    url: str
    engine: str


def read_endpoint(device_root: Path) -> Endpoint:
    """Return the endpoint that the LocalServer on a device has written down; OSError when there is none."""
    path = device_root / "work" / SERVER / "endpoint.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return Endpoint(url=document["url"], engine=document["engine"])


def predict_held_out(
    context: Context, account: str, manifest: Mapping[str, Any], *, endpoint: Endpoint, model: str
) -> Trial | None:
    """Send each image of the manifest's test split to the device; None when the split holds no images."""
    split = manifest["facts"]["splits"].get("test")
    if not split or not split["count"]:
        return None
    s3 = context.client("s3", account)
    url = f"{endpoint.url}/predict?model={quote(model)}"
    wrong, images = [], 0
    for line in _read_lines(s3, split["uri"]):
        images += 1
        answer = _predict(url, _read(s3, line["source-ref"]))
        if answer["index"] != line["anomaly-label"]:
            wrong.append(line["source-ref"])
    return Trial(
        url=url, engine=endpoint.engine, images=images, correct=images - len(wrong), wrong=tuple(wrong)
    )


def _predict(url: str, image: bytes) -> dict[str, Any]:
    request = urllib.request.Request(url, data=image, method="POST")  # noqa: S310 - the device's own http URL
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(reply)
    except urllib.error.HTTPError as error:
        msg = f"{url} answered {error.code}: {error.read().decode(errors='replace')}"
        raise PredictionError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{url} did not answer: {error}"
        raise PredictionError(msg) from error
    return answer


def _read_lines(s3: Any, uri: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a boto3 client
    return (json.loads(line) for line in _read(s3, uri).splitlines() if line.strip())


def _read(s3: Any, uri: str) -> bytes:  # noqa: ANN401 - a boto3 client
    parts = urlsplit(uri)
    body: bytes = s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"].read()
    return body
