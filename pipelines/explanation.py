"""What a diagnostic means: a page for each code, read from explanations/ and laid out for a terminal.

A page is Markdown: a heading `# CODE: title`, the reason, and under `## Bad` and `## Good` a spec each.
A line of a spec that ends in `# and so on up to NAME` stands for the lines that it takes to count up to NAME.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.diagnostics import RequestError, did_you_mean

FOLDER = Path(__file__).resolve().parent / "explanations"

_PAGE = re.compile(
    r"# (?P<code>[PD]\d{3}): (?P<title>[^\n]+)\n\n(?P<why>.+?)\n\n"
    r"## Bad\n\n```yaml\n(?P<bad>.+?)```\n\n## Good\n\n```yaml\n(?P<good>.+?)```\n",
    re.DOTALL,
)
_SERIES = re.compile(r"(?P<line>.*\S) +# and so on up to (?P<stem>[a-z_-]+)(?P<last>\d+)")


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A page; `bad` and `good` are whole specs, `title` is a sentence without its full stop."""

    code: str
    title: str
    why: str
    bad: str
    good: str

    def as_json(self) -> dict[str, str]:
        """Return the page as JSON holds it."""
        return asdict(self)


class UnknownCodeError(RequestError):
    """There is no page of that code."""


def codes(file: str = "") -> list[str]:
    """Return every code that has a page, in order: P of pipelines, then D of devices.yaml; or one of them."""
    found = (path.stem for path in FOLDER.glob("*.md"))
    return sorted((code for code in found if code.startswith(file)), key=lambda code: (code[0] != "P", code))


@functools.cache
def read(code: str) -> Explanation:
    """Return the page of a code, however it is capitalised. Raises UnknownCodeError."""
    name = code.strip().upper()
    if name not in codes():
        near = did_you_mean(name, codes()) or "`edgepipe explain` lists all there are."
        message = f"there is no diagnostic '{code}'. {near}"
        raise UnknownCodeError(message)
    return parse(FOLDER.joinpath(f"{name}.md").read_text(encoding="utf-8"))


def parse(text: str) -> Explanation:
    """Return a page's parts. Raises ValueError for a text that is no page."""
    found = _PAGE.fullmatch(text)
    if found is None:
        message = "a page has a heading, a reason, '## Bad' and '## Good', each with a spec"
        raise ValueError(message)
    return Explanation(**found.groupdict())


def render(page: Explanation) -> str:
    """Return a page as a terminal shows it."""
    bad, good = (_indent(spec) for spec in (page.bad, page.good))
    reason = page.why.replace("`", "'")
    return f"{page.code}: {page.title}\n\n{reason}\n\nBad:\n\n{bad}\n\nGood:\n\n{good}\n"


def render_list() -> str:
    """Return one line for every code."""
    return "".join(f"{page.code}  {page.title}\n" for page in map(read, codes()))


def render_as(form: str, code: str | None) -> str:
    """Return the page of a code, or a list of all, as `text` or `json`. Raises UnknownCodeError."""
    if form == "text":
        return render(read(code)) if code else render_list()
    found = read(code).as_json() if code else [read(each).as_json() for each in codes()]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def expand(spec: str) -> str:
    """Return an example with its `and so on` lines written out."""
    return "".join(line for written in spec.splitlines(keepends=True) for line in _expand_line(written))


def _expand_line(line: str) -> list[str]:
    found = _SERIES.fullmatch(line.rstrip("\n"))
    if found is None:
        return [line]
    own = re.compile(rf"\b{re.escape(found['stem'])}(\d+)\b")
    first = own.search(found["line"])
    begin = int(first[1]) if first else 1
    numbers = range(begin, int(found["last"]) + 1)
    return [own.sub(f"{found['stem']}{number}", found["line"]) + "\n" for number in numbers]


def _indent(spec: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in spec.rstrip("\n").split("\n"))
