"""Every code is explained, and every example shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.words.errors import WorkflowError
from runner.workflow.explain.explain import EXPLANATIONS
from runner.workflow.explain.flow import CALLED
from runner.workflow.load import load

SOURCE = Path(__file__).parents[3] / "runner"
OF_FILES = [code for code in EXPLANATIONS if code.startswith("BR2")]


def codes_of(path: Path, text: str) -> set[str]:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    (path.parent / "other.yaml").write_text(CALLED, encoding="utf-8")
    try:
        return {finding.code for finding in load(str(path)).warnings}
    except WorkflowError as error:
        return {finding.code for finding in error.diagnostics}


def test_every_code_of_the_source_is_explained_and_the_other_way_round() -> None:
    used = set()
    for module in SOURCE.rglob("*.py"):
        if not module.name.startswith("expla"):
            used |= set(re.findall(r'"(BR\d{3})"', module.read_text(encoding="utf-8")))
    assert used == set(EXPLANATIONS)


@pytest.mark.parametrize("code", OF_FILES)
def test_examples(code: str, tmp_path: Path) -> None:
    explanation = EXPLANATIONS[code]
    assert code in codes_of(tmp_path / "wrong" / "example.yaml", explanation.wrong)
    assert codes_of(tmp_path / "right" / "example.yaml", explanation.right) == set()


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_explanations_are_sentences(code: str) -> None:
    explanation = EXPLANATIONS[code]
    assert explanation.title[0].islower() or explanation.title.startswith(("MCP", "`"))
    assert not explanation.title.endswith(".")
    assert explanation.text.endswith(".")
    assert "  " not in explanation.text
