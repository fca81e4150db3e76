"""The files around a spec: the spec itself, the scripts it names, the archives that go along with a step.

The only module of the compiler that touches a user's files.
"""

from __future__ import annotations

import fnmatch
import io
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import source
from pipelines.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

    from pipelines.compiler import Asset

PLATFORM = Path(__file__).resolve().parents[1]
"""Where edgepipe's own files lie: some go along with a pipeline as assets."""
MAX_BYTES = 50_000_000
"""What an asset's files may have together: sources, not data."""


class AssetError(Exception):
    """An asset cannot be packed; the message names the file and the remedy."""


def read_spec(path: Path) -> str:
    """Return a spec's text. Raises SpecError where it cannot be read as text, OSError where not at all."""
    with path.open("rb") as file:
        data = file.read(source.MAX_BYTES + 1)
    if len(data) > source.MAX_BYTES:
        message = f"the spec is larger than {source.MAX_BYTES:,} bytes"
        hint = "Move data out of it: a spec only says what to do."
        raise SpecError([Diagnostic(code="P004", message=message, hint=hint)], path=path.as_posix())
    return source.decode(data, path=path.as_posix())


def exists_beside(spec: Path) -> Callable[[str], bool]:
    """Return the answer to "is there a file of that name, relative to the spec?"."""
    return lambda name: spec.parent.joinpath(name).is_file()


def read_asset(asset: Asset, *, spec_dir: Path, platform_dir: Path) -> bytes:
    """Return an asset's files as a .tar.gz whose bytes depend on their names and contents only.

    Raises AssetError where there is nothing to pack, a link leads outside, or the files are too large.
    """
    folder = (spec_dir if asset.root == "spec" else platform_dir).joinpath(asset.path)
    files = sorted(_find(asset, folder), key=lambda path: path.name)
    if not files:
        message = f"{folder}: no {' or '.join(asset.include)} there for step '{asset.step}'"
        raise AssetError(message)
    _check_size(files, folder)
    return _pack(files)


def _find(asset: Asset, folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        wanted = any(fnmatch.fnmatchcase(path.name, pattern) for pattern in asset.include)
        if wanted and path.is_file():
            _check_inside(path, folder)
            yield path


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        message = f"{path}: this link leads out of {folder}. Put a copy of the file there."
        raise AssetError(message)


def _check_size(files: list[Path], folder: Path) -> None:
    size = sum(path.stat().st_size for path in files)
    if size > MAX_BYTES:
        message = f"{folder}: {size:,} bytes of sources; at most {MAX_BYTES:,} go along. Move data to S3."
        raise AssetError(message)


def _pack(files: list[Path]) -> bytes:
    # Most commands read a spec and pack nothing; with what they import, these take as long as compiling it.
    import gzip
    import tarfile

    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files:
            data = path.read_bytes()
            archive.addfile(_entry(tarfile.TarInfo(path.name), len(data)), io.BytesIO(data))
    return packed.getvalue()


def _entry(entry: tarfile.TarInfo, size: int) -> tarfile.TarInfo:
    """Describe a file without its time, owner and mode, which differ from machine to machine."""
    entry.size = size
    entry.mode = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
    return entry
