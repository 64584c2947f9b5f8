"""Endless repetition is noticed early, and honest repetition is not taken for it."""

from __future__ import annotations

import base64
import itertools
import json
import random

import pytest

from runner.chat.repetition import RepetitionWatch, without_repetition

PROSE = "".join(f"Line {n} says something of its own, {n * n}. " for n in range(400))


def watch(text, size):
    """How many characters were read before it was stopped, and what is kept; None if it never was."""
    watching = RepetitionWatch()
    for start in range(0, len(text), size):
        if watching.feed(text[start : start + size]):
            return start + size, watching.cut(text[: start + size])
    return None


@pytest.mark.parametrize("size", [1, 7, 300, 5_000])
@pytest.mark.parametrize(
    ("unit", "needed"),
    [
        ("I will try again. ", 3_000), ("so ", 3_000), ("漢字", 3_000), ("x" * 300 + "yz", 9_060), ("a", 12_000),
        ("0, ", 12_000), ("-", 12_000), ("null, ", 12_000), (" ", 2_000), ("\n", 2_000),
    ],
)  # fmt: skip
def test_endless_repetition_is_noticed_soon_and_kept_twice(unit, needed, size):
    read, kept = watch(PROSE + unit * (40_000 // len(unit)), size)
    assert needed <= read - len(PROSE) + len(unit) <= needed + 600 + size + len(unit)
    assert kept.startswith(PROSE)
    assert kept.count(unit, len(PROSE) - 1) <= 3
    assert len(kept) <= len(PROSE) + 2 * len(unit)


@pytest.mark.parametrize(
    "text",
    [
        PROSE * 20,
        "\n".join("| " + " | ".join("-" * 20 for _ in range(9)) + " |" for _ in range(50)),
        "-" * 2_900,
        base64.b64encode(random.Random(1).randbytes(60_000)).decode(),
        base64.b64encode(bytes(8_000)).decode(),
        json.dumps([0] * 3_500),
        json.dumps([[0.0, 0.0, 0.0]] * 700),
        json.dumps([None] * 1_500),
        json.dumps([False] * 1_500),
        "\n".join(
            f"- /usr/share/lib/python/site-packages/module_{n}.py: no findings in this file" for n in range(2_000)
        ),
        json.dumps([{"id": n, "status": "open", "comment": "", "owner": None} for n in range(2_000)], indent=4),
        "".join(f"x{n} = value\n" for n in range(5_000)),
        "    " * 400,
        "I will try again. " * 160,
        "abc " * 700,
        ("The same long paragraph, word for word, of some two hundred characters, which an eager model repeats. " * 2)
        * 10,
    ],
)
@pytest.mark.parametrize("size", [5, 4_000])
def test_honest_repetition_is_left_alone(text, size):
    assert watch(text, size) is None


@pytest.mark.parametrize("size", [3, 100_000])
def test_what_follows_in_the_same_piece_does_no_harm(size):
    text = "Well. " + "again and " * 2_000 + PROSE
    assert watch(text, size)[1] == "Well. again and again and"  # the first begins with the space


def test_it_keeps_little():
    watching = RepetitionWatch()
    for piece in itertools.islice(itertools.cycle(PROSE.split()), 100_000):
        assert not watching.feed(piece)
    assert len(watching._tail) <= 12_400
    assert sum(map(len, watching._pieces)) < 600


def test_once_noticed_it_stays_so():
    watching = RepetitionWatch()
    assert watching.feed("so " * 2_000)
    assert watching.feed("but then it went on")


@pytest.mark.parametrize(
    ("text", "unit", "kept"),
    [("abcabcabcabc", 3, "abcabc"), ("xabcabcabca", 3, "xabcabc"), ("aaaa", 1, "aa"), ("ab", 2, "ab"), ("", 1, "")],
)
def test_up_to_the_second(text, unit, kept):
    assert without_repetition(text, unit) == kept
