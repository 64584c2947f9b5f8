"""JSON as text: strict where Python is not."""

from __future__ import annotations

import pytest

from runner.words.json_text import as_text, read_json, write_json


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), (" [1, 2.5, -1e3] ", [1, 2.5, -1000.0]), ('{"a": "\\u00fc"}', {"a": "ü"}), ("1e308", 1e308)],
)
def test_reads(text: str, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("{} x", "Extra data: line 1 column 4 (char 3)"),
        ("NaN", "NaN is no JSON number"),
        ('{"a": [-Infinity]}', "-Infinity is no JSON number"),
        ("[1e999]", "the number 1e999 is too large"),
        ("-" + "9" * 400 + ".5", f"the number -{'9' * 39} is too large"),
        ("9" * 5000, "it holds a number of more than 4,300 digits"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_refuses_what_is_no_json(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared below
        read_json(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (0, "0"), ("a\nb", "a\nb"), ({"ü": [1, None]}, '{"ü": [1, null]}'), ([], "[]")],
)
def test_a_value_inside_a_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_what_is_read_can_be_written_and_what_cannot_is_refused() -> None:
    assert read_json(write_json({"a": ["é", 1.5]}, indent=1)) == {"a": ["é", 1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(float("nan"))
