from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.unit.examples.programs import COOKIES, load

if TYPE_CHECKING:
    from pathlib import Path

generate = load("generate", COOKIES)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def test_the_same_seed_draws_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert generate.main(["--out", str(tmp_path / name), "--count", "8"]) == 0
    assert generate.main(["--out", str(tmp_path / "other"), "--count", "8", "--seed", "8"]) == 0
    first, second, other = (contents(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())
    assert len(set(first.values())) == 8


def test_a_larger_set_contains_the_smaller_one(tmp_path: Path) -> None:
    generate.main(["--out", str(tmp_path / "small"), "--count", "3"])
    generate.main(["--out", str(tmp_path / "large"), "--count", "4"])
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    assert set(large) - set(small) == {"anomaly/anomaly-0001.jpg"}
    assert small.items() <= large.items()


def test_a_finished_folder_is_left_alone_and_any_other_is_drawn_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.main(["--out", str(tmp_path), "--count", "4"])
    whole = contents(tmp_path)
    stamp = (tmp_path / "normal" / "normal-0000.jpg").stat().st_mtime_ns
    generate.main(["--out", str(tmp_path), "--count", "4"])
    assert "already holds these 4 pictures" in capsys.readouterr().out
    assert (tmp_path / "normal" / "normal-0000.jpg").stat().st_mtime_ns == stamp
    (tmp_path / "anomaly" / "anomaly-0001.jpg").unlink()
    generate.main(["--out", str(tmp_path), "--count", "4"])
    assert contents(tmp_path) == whole
    generate.main(["--out", str(tmp_path), "--count", "2"])
    assert len(contents(tmp_path)) == 2


def test_a_cookie_is_bright_on_a_dark_tray(tmp_path: Path) -> None:
    generate.main(["--out", str(tmp_path), "--count", "2"])
    with Image.open(tmp_path / "normal" / "normal-0000.jpg") as image:
        assert (image.mode, image.size) == ("RGB", (generate.SIZE, generate.SIZE))
        pixels = np.asarray(image, np.float32)
    middle = generate.SIZE // 2
    assert pixels[middle - 20 : middle + 20, middle - 20 : middle + 20].mean() > 1.5 * pixels[:12, :12].mean()


def test_a_count_without_both_classes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        generate.main(["--out", str(tmp_path), "--count", "1"])
    assert "--count must be at least 2" in capsys.readouterr().err
