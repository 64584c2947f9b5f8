"""One code explained."""

from __future__ import annotations

from runner.words.noun import noun


@noun
class Explanation:
    """``title`` is a line, ``text`` a paragraph; the examples are empty where a file could not show anything."""

    title: str
    text: str
    wrong: str = ""
    right: str = ""


def example(body: str) -> str:
    """A whole small file: the two lines that every file begins with, and the body."""
    return f"version: 1\nname: example\n{body.strip()}\n"
