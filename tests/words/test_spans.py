"""Places in a text, and paths as people write them."""

from __future__ import annotations

import pytest

from runner.words.spans import Path, Span, point, show_path


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("steps",), "steps"), (("steps", 3, "task"), "steps[3].task"), ((0, "a", 1, 2), "[0].a[1][2]")],
)
def test_a_path(path: Path, text: str) -> None:
    assert show_path(path) == text


def test_a_point_is_one_character_wide() -> None:
    assert point(3, 7) == Span(line=3, column=7, end_line=3, end_column=8)
