from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import drawing, mermaid, svg
from pipelines.compiler import compile_text
from pipelines.drawing import Arrow, Box, Drawing

GOLDEN = Path(__file__).parents[2] / "golden"
GOOD = sorted(path.parent / "pipeline.yaml" for path in GOLDEN.glob("*/asl.json"))


def draw(path: Path) -> Drawing:
    return drawing.plan(compile_text(path.read_text(encoding="utf-8"), path="x"))


@pytest.mark.parametrize("path", GOOD, ids=[path.parent.name for path in GOOD])
def test_boxes_stand_apart_and_below_what_they_come_after(path: Path) -> None:
    plan = draw(path)
    places = svg.lay_out(plan)
    assert sorted(places) == sorted(box.id for box in plan.boxes)
    for arrow in plan.arrows:
        assert places[arrow.source].bottom + svg.ROW_GAP <= places[arrow.target].y
    for one in places.values():
        for other in places.values():
            beside = one is other or abs(one.x - other.x) >= svg.BOX_WIDTH
            assert beside or one.bottom <= other.y or other.bottom <= one.y


@pytest.mark.parametrize("path", GOOD, ids=[path.parent.name for path in GOOD])
def test_the_picture_says_everything(path: Path) -> None:
    plan = draw(path)
    texts = {
        element.text for element in ET.fromstring(svg.render(plan)).iter("{http://www.w3.org/2000/svg}text")
    }
    assert {box.id for box in plan.boxes} <= texts
    assert {tag for box in plan.boxes for tag in box.tags} <= texts
    assert {arrow.label for arrow in plan.arrows if arrow.label} <= texts


NASTY = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=80
)


@given(NASTY, st.lists(NASTY, max_size=6, unique=True), NASTY)
def test_any_text_is_escaped_and_fits(fact: str, tags: list[str], title: str) -> None:
    box = Box(id="a", kind="train", fact=fact, tags=tuple(tags))
    plan = Drawing(title=title, boxes=(box,), arrows=())
    root = ET.fromstring(svg.render(plan))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == f"Pipeline {title}"
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.get("x", "0")) + float(rect.get("width", "0")) <= float(root.get("width", "0"))
    assert svg.text_width(svg.cut(fact, 13, 100), 13) <= 100


def test_mermaid_text_cannot_leave_its_box() -> None:
    box = Box(id="a", kind="label", fact='"]) --> x & <b>', tags=())
    text = mermaid.render(Drawing(title="t", boxes=(box,), arrows=(Arrow(source="a", target="a", label=""),)))
    assert text == 'flowchart TD\n    s0("a (label)<br/>#34;#93;) --#62; x #38; #60;b#62;")\n    s0 -.-> s0\n'
