"""JSON in what a model wrote."""

from __future__ import annotations

import pytest

from runner.chat.extract import extract_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("  [1, 2]\n", [1, 2]),
        ('"just text"', "just text"),
        ("17", 17),
        ('Here it is:\n```json\n{"a": 1}\n```\nHope that helps!', {"a": 1}),
        ('```\n{"a": 1}\n```', {"a": 1}),
        ('Sure! {"a": {"b": [1]}} is my answer.', {"a": {"b": [1]}}),
        ('The set {x} is no JSON, but {"a": 1} is.', {"a": 1}),
        ('if (x) { y[i] = {}; } means { \n "a": [ -1 ] }', {}),
        ('if (x) { y[i] = 1; } means {\n "a": [ -1 ] }', {"a": [-1]}),
        ("the list [ true, null ] it is", [True, None]),
        ('<think>{"a": 0} or not?</think>\n{"a": 1}', {"a": 1}),
        ('```json\nnot this\n```\n```json\n{"a": 2}\n```', {"a": 2}),
    ],
)
def test_finds_the_value(text: str, value: object) -> None:
    assert extract_json(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the answer is empty, JSON was asked for"),
        ("  \n", "the answer is empty, JSON was asked for"),
        ("I cannot do that.", "answer with the JSON value alone"),
        ('{"a": 1', "answer with the JSON value alone"),
    ],
)
def test_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        extract_json(text)


def test_a_flood_of_brackets_ends() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        extract_json("{" * 200_000)


def test_of_several_values_the_one_that_fits_is_meant() -> None:
    text = 'As [1] and {"b": 0} say:\n{"a": {"a": 1}} and that is it.'
    assert extract_json(text, lambda value: "a" in value) == {"a": {"a": 1}}
    assert extract_json(text, lambda _: False) == [1]


@pytest.mark.parametrize("text", ['{"a": NaN}', "[1e999]", "```json\n[Infinity]\n```"])
def test_what_python_would_take_for_json_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="the answer is not JSON"):
        extract_json(text)


def test_a_nest_among_words_is_given_up_but_what_stands_before_is_taken() -> None:
    nest = "[" * 5000
    with pytest.raises(ValueError, match="the answer is not JSON"):
        extract_json(f"see {nest} and {{}}")
    assert extract_json(f'{{"a": 1}} {nest}') == {"a": 1}


def test_the_search_among_words_ends_after_a_while() -> None:
    looks_like_one = '{"' + "x" * 98
    assert extract_json(looks_like_one * 900 + '"}{"a": 1}') == {"a": 1}
    with pytest.raises(ValueError, match="the answer is not JSON"):
        extract_json(looks_like_one * 1100 + '"}{"a": 1}')
