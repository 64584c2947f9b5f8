"""The picture: well-formed, self-contained, readable to those who see it and to those who do not."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given, settings
from kit.graphs import WORDS, Graphed, call, graphed, task, workflow

from runner.show.graph.card import PAD_X, sheet
from runner.show.graph.colour import OTHERS, PALETTE, model_legend, tint, tints
from runner.show.graph.dot import graph_dot
from runner.show.graph.graph import Diagram, diagram
from runner.show.graph.measure import flow, is_certain, text_width
from runner.show.graph.mermaid import graph_mermaid
from runner.show.graph.svg import graph_svg
from runner.workflow.load import load

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"
MANY = [f"maker/model-{number}" for number in range(9)]


def texts(svg: str, look: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text") if text.get("class") == look]


@pytest.mark.parametrize("name", ["hello", "refactor", "review"])
@pytest.mark.parametrize("write", [graph_mermaid, graph_dot, graph_svg])
def test_our_own_workflows(name, write, monkeypatch, snapshot):
    monkeypatch.chdir(ROOT)
    assert write(diagram(load(f"workflows/{name}.yaml").workflow)) == snapshot


def test_the_picture_needs_nothing_from_outside():
    svg = graph_svg(diagram(workflow(task("a"), task("b", "a"))))
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|image|use|foreignObject|link)\b|@import|url\(", svg)
    assert "prefers-color-scheme:dark" in svg


def test_the_picture_says_in_words_what_it_shows():
    svg = graph_svg(
        diagram(workflow(task("a"), task("b"), task("c", "a", "b"), call("d", workflow(task("x"), name="leaf"))))
    )
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert [root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")] == [
        "w", "A graph of 5 steps. c waits for a and b.",
    ]  # fmt: skip


def test_the_legend_names_what_is_used_and_nothing_else():
    assert texts(graph_svg(diagram(workflow(task("a", model=None)))), "key") == ["default model"]
    assert texts(graph_svg(diagram(workflow(task("a"), task("b", "a", needs=["a"])))), "key") == [
        "coder = qwen/qwen3-coder-30b", "needs it",
    ]  # fmt: skip


def test_there_are_colours_for_a_few_models_and_one_for_all_others():
    view = diagram(workflow(*(task(f"t{number}", model=model) for number, model in enumerate(MANY))))
    assert list(tints(view).values()) == [0, 1, 2, 3, 4, 5, 6, 6, 6]
    assert model_legend(view)[5:] == [(5, "maker/model-5"), (6, "3 other models")]
    assert (tint(0), tint(6)) == (PALETTE[0], OTHERS)
    seven = diagram(workflow(*(task(f"t{number}", model=model) for number, model in enumerate(MANY[:7]))))
    assert model_legend(seven)[6:] == [(6, "maker/model-6")]


def words_and_room(view: Diagram):
    for card in sheet(view).cards.values():
        for word in card.words:
            yield word, card.size.width - PAD_X / 2
        if card.inside is not None:
            yield from words_and_room(card.inside.view)


@given(case=graphed())
@settings(deadline=None, max_examples=60)
def test_text_stays_within_its_box(case: Graphed):
    sizes = {"kind": 10.5, "id": 14.0, "title": 12.5, "subject": 12.0, "model": 12.0, "note": 11.0}
    for word, room in words_and_room(diagram(case.workflow)):
        bold = word.style in ("kind", "id")
        assert word.x + text_width(word.text, sizes[word.style], bold=bold) <= room


@given(text=WORDS)
def test_flowing_text_loses_nothing_but_what_is_cut(text):
    lines = flow(text, 12, 120, 99)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, 12) <= 120 for line in lines)


def test_what_does_not_fit_ends_in_dots():
    assert flow("one two three four five six", 12, 60, 2) == ["one two", "three…"]
    assert flow("", 12, 60, 2) == [""]


def test_of_other_scripts_nobody_knows_the_width():
    assert is_certain("a-Z (0) …")
    assert not is_certain("設計")
    assert text_width("e\u0301", 10) == text_width("e", 10)
    assert text_width("🚀", 10) > text_width("設", 10) > text_width("é", 10)
