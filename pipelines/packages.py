"""What this installation brings to an account, packed: the handlers, and the component that devices need.

Same files, same bytes, so that what has not changed is not deployed again.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.assets import PLATFORM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SharedComponent:
    """The LocalServer, which serves models on devices; `program` is the zip that its recipe names."""

    name: str
    version: str
    recipe: str
    program: bytes

    @property
    def key(self) -> str:
        """Return where the program lies in the use case's bucket for components."""
        return f"components/{self.name}/{self.version}/local_server.zip"

    def arn(self, *, region: str, account: str) -> str:
        """Return the ARN of this version of the component in an account."""
        return f"arn:aws:greengrass:{region}:{account}:components:{self.name}:versions:{self.version}"

    def recipe_for(self, bucket: str) -> bytes:
        """Return the recipe as an account takes it whose bucket for components this is."""
        return self.recipe.replace("${component_bucket}", bucket).encode()


def read_handlers() -> dict[str, bytes]:
    """Return name → content of every file of a handler of the platform: tasks/, nothing else."""
    return read_package(PLATFORM, "tasks")


def read_package(root: Path, name: str) -> dict[str, bytes]:
    """Return name → content of a package's modules; the names begin with the package's."""
    found = root.joinpath(name).rglob("*.py")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def read_local_server() -> SharedComponent:
    """Return the component with the name and version that its recipe says."""
    root = PLATFORM / "edge_components"
    recipe = root.joinpath("local_server", "recipe.yaml").read_text(encoding="utf-8")
    found = [path for path in root.joinpath("local_server").rglob("*") if path.suffix in {".py", ".txt"}]
    return SharedComponent(
        name=_said(recipe, "ComponentName"),
        version=_said(recipe, "ComponentVersion"),
        recipe=recipe,
        program=pack({path.relative_to(root).as_posix(): path.read_bytes() for path in found}),
    )


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return name → content of the files of one of our own .tar.gz assets; nothing is written anywhere."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {entry.name: file.read() for entry in files if (file := files.extractfile(entry))}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on names and contents only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16  # Lambda runs as another user, who must be able to read it
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _said(recipe: str, field: str) -> str:
    found = re.search(rf"^{field}: *(\S+)$", recipe, re.MULTILINE)
    if found is None:
        message = f"the recipe of the LocalServer has no {field}: install edgepipe again"
        raise ValueError(message)
    return found[1]
