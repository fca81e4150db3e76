"""S3, kept bucket by bucket and object by object: what a put costs does not grow with the bucket."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree as ET

from moto.s3.models import FakeBucket, FakeKey, MultipartDict, S3Backend, s3_backends
from moto.s3.utils import _VersionedKeyStore

from local_cloud.durable import pickling
from local_cloud.durable.bodies import Bodies, Body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moto.s3.responses import S3Response

    from local_cloud.store import Store

_BUCKETS = "s3 buckets"


class Objects:
    """The buckets and objects of all accounts; methods are called one at a time."""

    def __init__(self, store: Store, bodies: Bodies) -> None:
        self._store = store
        self._bodies = bodies

    def keep(self, response: S3Response) -> None:
        """Keep what a call to S3 may have changed."""
        bucket = str(response.bucket_name or "")
        names = list(_object_names(response))
        if names:
            self._keep_objects(bucket, names)
        else:
            self._keep_bucket(bucket)

    def keep_all(self) -> None:
        """Keep everything: another service has used S3 from inside moto."""
        for name, bucket in _buckets().items():
            self._keep_bucket(name)
            self._keep_objects(name, list(bucket.keys))

    def restore(self) -> None:
        """Put everything that was kept into moto, and remove the bodies that nothing names."""
        digests: set[str] = set()
        for name, body in self._store.all_bytes(_BUCKETS):
            account, partition, shell = pickle.loads(body)  # noqa: S301 - the owner of the folder is checked
            backend = s3_backends[account][partition]
            bucket, tags = pickling.loads(shell, backend)
            backend.buckets[name] = bucket
            s3_backends.bucket_accounts[name] = (partition, account)
            _tag(backend, tags)
            for key, row in self._store.all_bytes(_rows(name)):
                versions, tags = _Unpickler(row, backend, self._bodies, digests).load()
                dict.__setitem__(bucket.keys, key, versions)
                _tag(backend, tags)
        self._bodies.remove_all_but(digests)

    def _keep_bucket(self, name: str) -> None:
        backend, bucket = _find(name)
        if bucket is None or backend is None:
            # The objects go first: what a killed deletion left must not be in the next bucket of this name.
            self._store.clear(_rows(name))
            self._store.delete(_BUCKETS, name)
            return
        shell = copy.copy(bucket)
        shell.keys, shell.multiparts = _VersionedKeyStore(), MultipartDict()
        body = pickling.dumps((shell, _tags(backend, [f"arn:{bucket.partition}:s3:::{name}"])), backend)
        kept = pickle.dumps((backend.account_id, backend.partition, body))
        self._store.put_bytes(_BUCKETS, name, kept)

    def _keep_objects(self, name: str, keys: Iterable[str]) -> None:
        backend, bucket = _find(name)
        if backend is not None and bucket is not None:
            self._store.change(_rows(name), {key: self._row(backend, bucket, key) for key in keys})

    def _row(self, backend: S3Backend, bucket: FakeBucket, key: str) -> bytes | None:
        versions = bucket.keys.getlist(key)
        if not versions:
            return None
        for each in versions:
            if isinstance(each, FakeKey):
                self._move_body(each)
        arns = [each.arn for each in versions if isinstance(each, FakeKey)]
        return pickling.dumps((versions, _tags(backend, arns)), backend, _Pickler)

    def _move_body(self, key: FakeKey) -> None:
        """Write an object's body to its file and let moto read it from there."""
        before: Any = key._value_buffer
        if not isinstance(before, Body):
            body = self._bodies.write(key.value)
            with key.lock:
                key._value_buffer = body  # type: ignore[assignment] # it has what moto uses of a file
            before.close()


class _Pickler(pickling.Pickler):
    """Writes objects without their bodies."""

    def persistent_id(self, obj: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - any object
        if isinstance(obj, Body):
            return ("body", obj.path.name)
        return super().persistent_id(obj)

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - as pickle has it
        if isinstance(obj, FakeKey):
            state = {name: value for name, value in vars(obj).items() if name != "lock"}
            # The parts of a completed upload would keep every body a second time.
            return _revive, ({**state, "multipart": None},)
        return super().reducer_override(obj)


class _Unpickler(pickling.Unpickler):
    """Reads objects and notes their bodies' digests."""

    def __init__(self, body: bytes, backend: S3Backend, bodies: Bodies, digests: set[str]) -> None:
        super().__init__(body, backend)
        self._bodies = bodies
        self._digests = digests

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - as above
        if pid[0] == "body":
            self._digests.add(pid[1])
            return self._bodies.find(pid[1])
        return super().persistent_load(pid)


def _revive(state: dict[str, Any]) -> FakeKey:
    key: Any = FakeKey.__new__(FakeKey)
    vars(key).update(state, lock=threading.Lock())
    return cast("FakeKey", key)


def _object_names(response: S3Response) -> Iterable[str]:
    """Yield the keys that a call names."""
    name = response.parse_key_name()
    if name:
        yield name
    elif "delete" in response.querystring:
        document = ET.fromstring(response.body)  # noqa: S314 - moto has parsed it already
        yield from (each.text or "" for each in document.iterfind("{*}Object/{*}Key"))
    elif response.method == "POST" and "key" in response.querystring:
        yield str(response.querystring["key"][0])


def _buckets() -> dict[str, FakeBucket]:
    found = {}
    for name in list(s3_backends.bucket_accounts):
        _, bucket = _find(name)
        if bucket is not None:
            found[name] = bucket
    return found


def _find(name: str) -> tuple[S3Backend | None, FakeBucket | None]:
    partition, account = s3_backends.bucket_accounts.get(name, (None, None))
    if partition is None or account is None:
        return None, None
    backend = s3_backends[account][partition]
    return backend, backend.buckets.get(name)


def _tags(backend: S3Backend, arns: Iterable[str]) -> dict[str, dict[str, str]]:
    return {arn: dict(backend.tagger.get_tag_dict_for_resource(arn)) for arn in arns}


def _tag(backend: S3Backend, tags: dict[str, dict[str, str]]) -> None:
    for arn, values in tags.items():
        backend.tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in values.items()])


def _rows(bucket: str) -> str:
    return f"s3/{bucket}"
