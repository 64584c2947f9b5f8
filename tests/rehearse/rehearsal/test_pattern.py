"""Texts for regular expressions: every one matches, and what is too clever gives none."""

from __future__ import annotations

import re

import pytest

from runner.rehearse.rehearsal.pattern import texts_for


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("^[a-z][a-z0-9_]*$", "aa"),
        (r"^\d{4}-\d{2}-\d{2}$", "7777-77-77"),
        ("^(feat|fix)(\\(.+\\))?: .+$", "feat(a): a"),
        ("^[^-]", "a"),
        (r"^v\d+\.\d+$", "v7.7"),
        (r"^(?:a|b){2,3}?x\Z", "aax"),
        (r"^(?P<name>\w+)@\w+$", "a@a"),
        (r"[\]x]", "]"),
        ("", ""),
    ],
)
def test_a_text_is_found_for_the_common_patterns(pattern: str, first: str) -> None:
    texts = texts_for(pattern)
    assert texts[0] == first
    assert [text for text in texts if re.search(pattern, text) is None] == []


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "[", "(a", "a)", "*", r"\p{L}", "[^\\s\\S]"])
def test_what_is_too_clever_gives_none(pattern: str) -> None:
    assert texts_for(pattern) == []
