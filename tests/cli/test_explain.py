"""``bridge-run explain``."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from runner.app.explanations import explanation_text
from runner.cli.explain import command
from runner.words.errors import UsageError
from runner.workflow.explain.explain import EXPLANATIONS


def said(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False).stdout


@pytest.mark.parametrize("code", ["BR301", "br301", " 301 "])
def test_a_code_is_explained_whatever_its_case(code: str) -> None:
    text = said(code)
    assert text.startswith(f"BR301: {EXPLANATIONS['BR301'].title}\n\n{EXPLANATIONS['BR301'].text}")
    assert "\nWrong:\n\n    " in text
    assert "\nRight:\n\n    " in text


def test_without_a_code_all_are_listed() -> None:
    lines = said().splitlines()
    assert [line.split()[0] for line in lines[:-2]] == sorted(EXPLANATIONS)
    assert lines[-1] == "bridge-run explain CODE says more about one of them."


def test_an_unknown_code_offers_near_ones() -> None:
    with pytest.raises(UsageError) as caught:
        explanation_text("BR30")
    assert caught.value.message == "there is no code `BR30`"
    assert caught.value.hint == "near: BR320, BR310, BR309; `bridge-run explain` lists them all"
