"""Repairs of files with slips in them, many at random: no file gets worse, and no second repair finds anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.app.check.check import check
from runner.app.check.fix import fix_files
from runner.app.request import CheckRequest
from runner.words.exits import Exit
from runner.workflow.explain.explain import EXPLANATIONS

WORKFLOWS = Path(__file__).parents[3] / "workflows"
ENVIRONMENT = {"PATH": os.defpath}
TEXTS = [(WORKFLOWS / f"{name}.yaml").read_text("utf-8") for name in ("hello", "refactor", "review")]
TEXTS += [one.wrong for one in EXPLANATIONS.values() if one.wrong.startswith("version")]


@st.composite
def slipped(draw: st.DrawFn) -> str:
    """A text in which letters are missing, changed places, or came from nowhere."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text) - 1))
        slip = draw(st.sampled_from(("gone", "gone", "swapped", "new")))
        if slip == "gone":
            text = text[:at] + text[at + 1 :]
        elif slip == "swapped":
            text = text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
        else:
            text = text[:at] + draw(st.sampled_from("ay \n\"'{}[]:*&-")) + text[at:]
    return text


def is_wrong(request: CheckRequest) -> bool:
    return check(request, ENVIRONMENT).exit_code == Exit.FILE


@pytest.mark.parametrize("unsafe", [False, True])
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=slipped())
def test_no_file_gets_worse_and_no_second_repair_finds_anything(
    tmp_path: Path, unsafe: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "w.yaml"
    file.write_text(text, encoding="utf-8", newline="\n")
    request = CheckRequest(paths=("w.yaml",), offline=True, fix=True, unsafe_fixes=unsafe)
    wrong = is_wrong(request)
    written = fix_files(check(request, ENVIRONMENT), request)
    once = file.read_text("utf-8")
    assert written == (once != text)
    assert is_wrong(request) <= wrong
    assert not fix_files(check(request, ENVIRONMENT), request)
    assert file.read_text("utf-8") == once
