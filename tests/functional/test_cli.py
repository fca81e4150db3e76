"""The command line as a process: what goes to stdout and stderr, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
EDGEPIPE = [sys.executable, str(ROOT / "cli.py")]
HEAD = "version: 1\nname: cookies\nusecase: cookie-factory\nsteps:\n"
LABEL = '  label: {method: folders, dataset: "s3://bucket/x/", labels: [normal, anomaly]}\n'
LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}


def edgepipe(
    *words: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*EDGEPIPE, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("good.yaml").write_text(HEAD + LABEL + "  transform: {}\n", encoding="utf-8")
    tmp_path.joinpath("bad.yaml").write_text(HEAD + LABEL + "  transfrom: {}\n", encoding="utf-8")
    return tmp_path


def test_validate_has_nothing_to_say_about_a_good_spec(folder: Path) -> None:
    done = edgepipe("validate", "good.yaml", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"good.yaml: 2 steps, no mistakes\n")
    done = edgepipe("validate", "good.yaml", "--format", "json", cwd=folder)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], b"")


def test_validate_shows_mistakes(folder: Path) -> None:
    done = edgepipe("validate", "bad.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == (
        "bad.yaml:6:3: P020 there is no kind of step called 'transfrom'. Did you mean 'transform'?\n"
        "      transfrom: {}\n"
        "      ^^^^^^^^^\n"
    )
    done = edgepipe("validate", "bad.yaml", "--output", "json", cwd=folder)
    assert (done.returncode, done.stderr) == (3, b"")
    assert [(item["code"], item["line"], item["column"]) for item in json.loads(done.stdout)] == [
        ("P020", 6, 3)
    ]


def test_compile_writes_the_definition(folder: Path) -> None:
    done = edgepipe("compile", "good.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["StartAt"] == "Start"
    assert edgepipe("compile", "good.yaml", "-o", "out.json", cwd=folder).stdout == b""
    assert folder.joinpath("out.json").read_bytes() == done.stdout
    assert edgepipe("compile", folder / "good.yaml", cwd=folder.parent).stdout == done.stdout


@pytest.mark.parametrize("verb", ["compile", "graph"])
def test_a_bad_spec_gives_no_data(folder: Path, verb: str) -> None:
    done = edgepipe(verb, "bad.yaml", "-o", "out", cwd=folder)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"bad.yaml:6:3: P020" in done.stderr
    assert not folder.joinpath("out").exists()


def test_graph_draws(folder: Path) -> None:
    done = edgepipe("graph", "good.yaml", cwd=folder)
    assert done.stdout.startswith(b"flowchart TD\n")
    assert edgepipe("graph", "good.yaml", "--format", "svg", "-o", "out.svg", cwd=folder).returncode == 0
    assert ET.parse(folder / "out.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "the following arguments are required: VERB"),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
        (["validate"], 2, "the following arguments are required: SPEC"),
        (["validate", "none.yaml"], 2, "edgepipe: cannot read none.yaml: No such file or directory"),
        (["compile", "."], 2, "edgepipe: cannot read .: Is a directory"),
        (["run", "none.yaml"], 2, "edgepipe: cannot read none.yaml"),
        (["run", "good.yaml", "--param", "x"], 2, "'x' is not NAME=VALUE"),
        (["run", "good.yaml", "--param", "x=1", "--param", "x=2"], 2, "edgepipe: a parameter is given twice"),
        (["run", "good.yaml", "--par", "x=1"], 2, "unrecognized arguments"),
        (["compile", "good.yaml", "-o", "no/where"], 5, "edgepipe: cannot write no/where"),
        (["run", "bad.yaml"], 3, "bad.yaml:6:3: P020"),
        (
            ["run", "good.yaml", "--param", "epochs=1"],
            2,
            "edgepipe: pipeline 'cookies' has no parameter 'epochs'",
        ),
    ],
)
def test_what_cannot_be_done_is_said(folder: Path, words: list[str], code: int, said: str) -> None:
    done = edgepipe(*words, cwd=folder)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfea\x00",
        b"a: \xe4",
        b"a: \x00",
        b"[" * 50_000,
        b"a: &a [*a]",
        b"- " * 500_000,
        b"{a: " * 100_000,
        b"x" * 2_000_000,
        b"a: !!python/object:os.system x",
        b"\xef\xbb\xbfversion: 1\r\n\tname: x",
        (HEAD + "".join(f"  a{n}: {{uses: label, needs: [b{n}]}}\n" for n in range(5000))).encode(),
        (HEAD + "  label: {" + ", ".join(f"dataset{n}: 1" for n in range(9000)) + "}\n").encode(),
    ],
    ids=lambda data: data[:20].hex(),
)
def test_hostile_specs_are_mistakes(folder: Path, data: bytes) -> None:
    folder.joinpath("hostile.yaml").write_bytes(data)
    done = edgepipe("validate", "hostile.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"hostile.yaml:")
    assert b"Traceback" not in done.stderr


def test_what_moto_would_do_needs_moto(folder: Path) -> None:
    folder.joinpath("moto.py").write_text(
        "raise ModuleNotFoundError('no moto', name='moto')\n", encoding="utf-8"
    )
    done = edgepipe("run", "good.yaml", cwd=folder, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 5
    assert done.stderr.decode().strip().endswith("which is not installed: pip install 'edgepipe[local,edge]'")


def test_a_bug_is_one_line_and_a_file(folder: Path) -> None:
    package = folder / "broken" / "pipelines"
    package.mkdir(parents=True)
    for name in ("__init__", "assets", "diagnostics", "parameters"):
        text = "class SpecError(Exception): ...\nclass ParameterError(Exception): ...\n"
        text += "class AssetError(Exception): ...\nclass RequestError(Exception): ...\n"
        package.joinpath(f"{name}.py").write_text(text, encoding="utf-8")
    program = f"import sys; sys.path[:0] = [{str(package.parent)!r}, {str(ROOT)!r}]; import cli; "
    run = [sys.executable, "-c", program + "sys.exit(cli.main(['compile', 'good.yaml']))"]
    env = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(run, cwd=folder, env=env, capture_output=True, check=False)
    assert done.returncode == 70
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("edgepipe has a bug: ModuleNotFoundError: ")
    (report,) = folder.glob("edgepipe-bug-*.txt")
    assert line.endswith(f"Please report it with the file {report}")
    assert report.read_text(encoding="utf-8").startswith("Traceback")
    done = subprocess.run(
        run, cwd=folder, env={**env, "EDGEPIPE_DEBUG": "1"}, capture_output=True, check=False
    )
    assert done.stderr.startswith(b"Traceback")


def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    label = LABEL.replace("{method", "{uses: label, method")
    text = HEAD + "".join(label.replace("label:", f"l{number}:", 1) for number in range(90))
    folder.joinpath("long.yaml").write_text(text, encoding="utf-8")
    child = subprocess.Popen(
        [*EDGEPIPE, "compile", "long.yaml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    with child:
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_bytes_do_not_depend_on_the_locale(folder: Path) -> None:
    text = (HEAD + LABEL).replace("normal", "größe")
    folder.joinpath("o.yaml").write_text(text, encoding="utf-8")
    plain = edgepipe("compile", "o.yaml", cwd=folder)
    assert "größe" in plain.stdout.decode("utf-8")
    assert edgepipe("compile", "o.yaml", cwd=folder, env=LOCALE).stdout == plain.stdout


def test_version_and_help() -> None:
    assert edgepipe("--version", cwd=ROOT).stdout.startswith(b"edgepipe ")
    for verb in ("validate", "compile", "graph", "run"):
        assert edgepipe(verb, "--help", cwd=ROOT).returncode == 0


def test_checking_a_spec_imports_nothing_slow(folder: Path) -> None:
    slow = {"asyncio", "boto3", "jsonschema", "lzma", "moto", "numpy", "rich", "secrets"}
    program = (
        "import sys, cli; cli.main(['compile', 'good.yaml', '-o', 'x.json']); "
        f"print(sorted({slow} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_explain_shows_a_page_and_lists_them(folder: Path) -> None:
    done = edgepipe("explain", "p020", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"P020: There is no such kind of step\n\n")
    listed = edgepipe("explain", cwd=folder).stdout.decode()
    assert "P020  There is no such kind of step\n" in listed
    page = json.loads(edgepipe("explain", "P020", "--output", "json", cwd=folder).stdout)
    assert set(page) == {"code", "title", "why", "bad", "good"}
    every = json.loads(edgepipe("explain", "--output", "json", cwd=folder).stdout)
    assert page in every
    assert len(every) == len(listed.splitlines())


def test_explain_knows_its_codes(folder: Path) -> None:
    done = edgepipe("explain", "P0200", cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"edgepipe: there is no diagnostic 'P0200'. Did you mean 'P020'?\n"


@pytest.mark.parametrize("form", ["github", "sarif"])
def test_validate_speaks_to_machines(folder: Path, form: str) -> None:
    done = edgepipe("validate", "bad.yaml", "--format", form, cwd=folder)
    assert (done.returncode, done.stderr) == (3, b"")
    assert b"P020" in done.stdout
    done = edgepipe("validate", "good.yaml", "--format", form, cwd=folder)
    assert done.returncode == 0
    assert (done.stdout == b"") == (form == "github")
