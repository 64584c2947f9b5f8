"""The schema, the nouns and the failure kinds say the same; so do the YAML blocks of the pages."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest
from kit.finding_text import shown

from runner.words.errors import FAILURE_KINDS
from runner.workflow import fan_out, model
from runner.workflow.document import parse_document, read_document
from runner.workflow.schema import shape_findings, workflow_schema

ROOT = Path(__file__).parent.parent
DEFINITIONS = workflow_schema()["$defs"]


def fields(noun) -> set[str]:
    return {field.name for field in dataclasses.fields(noun)}


def keys(definition) -> set[str]:
    return set(definition["properties"])


def test_failure_kinds():
    assert tuple(DEFINITIONS["failure_kind"]["enum"]) == FAILURE_KINDS


@pytest.mark.parametrize(("key", "literal"), [("join", model.Join), ("effects", model.Effect)])
def test_choices(key, literal):
    assert tuple(DEFINITIONS["step"]["properties"][key]["enum"]) == get_args(literal)


def test_step_kinds():
    kinds = [branch["required"][0] for branch in DEFINITIONS["step"]["oneOf"]]
    assert tuple(kinds) == get_args(model.StepKind)


def test_defaults_of_the_schema_are_those_of_the_nouns():
    step = DEFINITIONS["step"]["properties"]
    assert step["repair"]["default"] == model.Step(id="a", path=(), work=model.TaskWork(task="t")).repair
    item = fan_out.ForEach(items=())
    assert step["as"]["default"] == item.name
    assert step["fail_fast"]["default"] == fan_out.FanOut(over=item).fail_fast
    assert step["reads_only"]["default"] == model.Step(id="a", path=(), work=model.TaskWork(task="t")).reads_only
    choices = model.ApproveWork(question="q").choices
    assert step["choices"]["description"].endswith(f"Default: {' and '.join(f'`{choice}`' for choice in choices)}.")
    for name, rule in DEFINITIONS["step_limits"]["properties"].items():
        assert rule.get("default") == getattr(model.StepLimits(), name)
    run = workflow_schema()["properties"]["limits"]["properties"]
    for name, rule in run.items():
        assert rule.get("default") == getattr(model.RunLimits(), name)
    assert DEFINITIONS["retry"]["properties"]["attempts"]["default"] == model.Retry().attempts
    server = model.Server(name="s", path=())
    for name in ("root", "write", "transport", "isolate"):
        assert DEFINITIONS["server"]["properties"][name]["default"] == getattr(server, name)


@pytest.mark.parametrize(
    ("definition", "noun", "renamed"),
    [
        (DEFINITIONS["step_limits"], model.StepLimits, {}),
        (DEFINITIONS["retry"], model.Retry, {}),
        (workflow_schema()["properties"]["limits"], model.RunLimits, {}),
        (DEFINITIONS["server"], model.Server, {"from": "source", None: {"name", "path", "verbatim"}}),
        (DEFINITIONS["expectation"], model.Expectation, {None: {"path"}}),
        (DEFINITIONS["model"], model.ModelWish, {None: {"path", "alias"}}),
    ],
)
def test_keys_are_fields(definition, noun, renamed):
    assert {renamed.get(key, key) for key in keys(definition)} == fields(noun) - renamed.get(None, set())


OTHERS = (".sim.yaml", ".test.yaml")
WORKFLOWS = [file for file in sorted((ROOT / "workflows").glob("*.yaml")) if not file.name.endswith(OTHERS)]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows(file):
    assert shown(shape_findings(read_document(str(file)))) == ""


def yaml_blocks() -> list[tuple[str, str]]:
    """Blocks that are whole workflow files, of every page."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for number, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```", text, re.MULTILINE | re.DOTALL), 1):
            if re.search(r"^version:", block, re.MULTILINE):
                found.append((f"{page.relative_to(ROOT)}-{number}", block))
    return found


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in yaml_blocks()])
def test_yaml_blocks_of_pages(block):
    assert shown(shape_findings(parse_document(block, "page.md"))) == ""
