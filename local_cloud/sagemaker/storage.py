"""Between S3 and a job's folders: inputs are downloaded as SageMaker lays them out, outputs uploaded.

In File mode SageMaker keeps, below the channel's folder, what a key has beyond the S3Prefix, or beyond the
`prefix` of a ManifestFile (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.sagemaker.errors import JobFailedError, client_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local_cloud.sagemaker.requests import S3Source

_MAX_MANIFEST_BYTES = 64 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Item:
    """One object to download and where it goes below the input's folder."""

    bucket: str
    key: str
    name: str


class Storage:
    """Downloads and uploads for one job; stops half way when `interrupted` says so."""

    def __init__(self, s3: Any, interrupted: Callable[[], bool]) -> None:  # noqa: ANN401 - boto3 clients are made at run time
        self._s3 = s3
        self._interrupted = interrupted

    def download(self, source: S3Source, folder: Path) -> None:
        """Fill `folder` with the source's objects; raises JobFailedError when there are none."""
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for item in self._items(source):
            if self._interrupted():
                return
            self._write(item, _inside(folder, item))
            count += 1
        if not count:
            message = f"no S3 objects found for {source.uri}; check that the step before has written them"
            raise client_error(message)

    def open(self, uri: str) -> Any:  # noqa: ANN401 - botocore's stream
        """Return the object's body as a stream; raises JobFailedError when it cannot be read."""
        bucket, key = _split(uri)
        return self._body(bucket, key)

    def upload(self, folder: Path, uri: str) -> None:
        """Put every file of a folder under the URI, folders kept."""
        bucket, prefix = _split(uri)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                key = "/".join(
                    part for part in (prefix.strip("/"), path.relative_to(folder).as_posix()) if part
                )
                with path.open("rb") as body:
                    self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def put(self, uri: str, body: bytes) -> None:
        """Write one object."""
        bucket, key = _split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def _items(self, source: S3Source) -> Iterator[Item]:
        if source.kind == "ManifestFile":
            body = self.open(source.uri).read(_MAX_MANIFEST_BYTES + 1)
            return parse_manifest(body, source.uri)
        return self._listed(*_split(source.uri))

    def _listed(self, bucket: str, prefix: str) -> Iterator[Item]:
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                keys = [item["Key"] for item in page.get("Contents", []) if not item["Key"].endswith("/")]
                yield from (Item(bucket=bucket, key=key, name=_beyond(prefix, key)) for key in keys)
        except ClientError as error:
            msg = f"s3://{bucket}/{prefix}"
            raise _unreadable(msg, error) from error

    def _write(self, item: Item, target: Path) -> None:
        body = self._body(item.bucket, item.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(body, file)

    def _body(self, bucket: str, key: str) -> Any:  # noqa: ANN401 - botocore's stream
        try:
            return self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            msg = f"s3://{bucket}/{key}"
            raise _unreadable(msg, error) from error


def parse_manifest(body: bytes, uri: str) -> Iterator[Item]:
    """Yield what a ManifestFile lists: `[{"prefix": "s3://bucket/"}, "key", ...]`; raises JobFailedError."""
    try:
        head, *names = json.loads(body)
        bucket, prefix = _split(head["prefix"])
    except (ValueError, TypeError, KeyError) as error:
        message = f'{uri} is no manifest file: it must be [{{"prefix": "s3://bucket/"}}, "key", ...]'
        raise client_error(message) from error
    for name in names:
        if not isinstance(name, str):
            message = f"{uri}: {name!r} is no key"
            raise client_error(message)
        yield Item(bucket=bucket, key=prefix + name, name=name)


def _beyond(prefix: str, key: str) -> str:
    """What a key has beyond a prefix; a prefix that ends inside a name counts up to its last slash."""
    rest = key.removeprefix(prefix)
    if rest.startswith("/") or prefix.endswith("/") or not prefix:
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def _inside(folder: Path, item: Item) -> Path:
    path = PurePosixPath(item.name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        message = (
            f"s3://{item.bucket}/{item.key} cannot be laid out as a file: its key leads out of the folder"
        )
        raise client_error(message)
    return folder / path


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _unreadable(uri: str, error: ClientError) -> JobFailedError:
    return client_error(f"{uri} cannot be read: {error.response['Error'].get('Message', error)}")
