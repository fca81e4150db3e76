"""package: the zip's content, that it is always the same, and archives that are not trusted."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import zipfile
from typing import Any

import pytest

from tasks import package
from tasks.errors import TaskInputError
from tests.unit.tasks.fakes import RESULTS, Cloud, artifact, payload

RUNTIME = "s3://cookie-results/assets/runtime.tar.gz"
FILES = {"base.py": b"# base", "marshal.py": b"# marshal", "loader.py": b"# loader"}
MODEL = f"{RESULTS}/compile/x86_64-cpu/output/model.onnx"


def tar(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for info in extra:
            archive.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def call(cloud: Cloud, model: str = "cookie-defects", runtime: bytes | None = None) -> dict[str, Any]:
    digest = cloud.s3.put(MODEL, b"onnx" * 1000)
    cloud.s3.put(RUNTIME, tar(FILES) if runtime is None else runtime)
    compiled = {
        target: artifact("compiled_model", MODEL, digest, labels=["normal", "anomaly"])
        for target in ("x86_64-cpu", "arm64-cpu")
    }
    event = payload(
        "package",
        {"layout": "triton", "model": model},
        inputs={"compiled_model": compiled},
        assets={"runtime": RUNTIME},
    )
    made: dict[str, Any] = package.handler(event, None)["package"]
    return made


def test_the_zip_is_a_triton_repository_with_loader(cloud: Cloud) -> None:
    made = call(cloud)
    assert set(made) == {"x86_64-cpu", "arm64-cpu"}
    one = made["x86_64-cpu"]
    content = cloud.s3.get(f"{RESULTS}/package/x86_64-cpu.zip")
    assert one["facts"] == {"size": len(content), "model": "cookie-defects", "labels": ["normal", "anomaly"]}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "loader.py",
            "models/base_cookie-defects/1/labels.json",
            "models/base_cookie-defects/1/model.onnx",
            "models/base_cookie-defects/1/model.py",
            "models/base_cookie-defects/config.pbtxt",
            "models/cookie-defects/1/ensemble_model",
            "models/cookie-defects/config.pbtxt",
            "models/marshal_cookie-defects/1/labels.json",
            "models/marshal_cookie-defects/1/model.py",
            "models/marshal_cookie-defects/config.pbtxt",
            "package.json",
        ]
        assert archive.read("models/base_cookie-defects/1/model.onnx") == b"onnx" * 1000
        assert archive.read("models/base_cookie-defects/1/model.py") == b"# base"
        assert archive.read("loader.py") == b"# loader"
        assert json.loads(archive.read("package.json"))["target"] == "x86_64-cpu"
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_same_inputs_give_the_same_bytes(cloud: Cloud) -> None:
    assert call(cloud) == call(cloud)


@pytest.mark.parametrize("model", ["../x", "Cookie", "a b", "", "x" * 64])
def test_a_name_that_is_no_model_name_is_refused(cloud: Cloud, model: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape("event.config.model must match")):
        call(cloud, model=model)


def symlink(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("runtime", "told"),
    [
        pytest.param(b"no archive", "is no readable tar.gz", id="no archive"),
        pytest.param(tar(FILES)[:-20], "is no readable tar.gz", id="cut off"),
        pytest.param(tar({"base.py": b""}), "lacks marshal.py, loader.py", id="incomplete"),
        pytest.param(
            tar({"./base.py": b"", "../marshal.py": b"", "/loader.py": b""}),
            "lacks base.py, marshal.py",
            id="paths",
        ),
        pytest.param(
            tar({"marshal.py": b"", "loader.py": b""}, symlink("base.py")), "lacks base.py", id="a link"
        ),
        pytest.param(gzip.compress(b"\x00" * (64 << 20)), "holds more than", id="a bomb"),
    ],
)
def test_a_runtime_that_is_not_ours_is_refused(cloud: Cloud, runtime: bytes, told: str) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(cloud, runtime=runtime)


def test_other_members_of_the_archive_are_passed_over(cloud: Cloud) -> None:
    assert call(cloud, runtime=tar({**FILES, "../../evil.py": b"x"})) == call(cloud)
