"""Finding the JSON in what a model wrote: bare, fenced, or with talk around it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from runner.words.json_text import DECODER, read_json

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)\n\s*```", re.DOTALL)
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_OPENING = re.compile(r"""\{(?=[ \t\r\n]*["}])|\[(?=[ \t\r\n]*[][{"\d\-tfn])""")  # in code most brackets open no JSON
_TRIED = 20
_SEARCHED = 100_000  # characters; each bracket that opens nothing costs a try


def extract_json(text: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
    """The JSON value in ``text``: the whole of it, else one in a fenced block, else an object or list among the words.

    Of several the first that ``fits``, else the first of all: a model that writes "see [1]: {...}" means the object.

    Raises:
        ValueError: there is none; the message is fit for the model that wrote the text.
    """
    text = _THINKING.sub("", text).strip()
    if not text:
        raise ValueError("the answer is empty, JSON was asked for")
    try:
        return read_json(text)
    except ValueError as error:
        reason = error
    found = []
    for value in itertools.islice(_candidates(text), _TRIED):
        if fits(value):
            return value
        found.append(value)
    if not found:
        raise ValueError(
            f"the answer is not JSON ({reason}); answer with the JSON value alone, without any other words"
        )
    return found[0]


def _candidates(text: str) -> Iterator[Any]:
    """What can be read as JSON: fenced blocks, then objects and lists that are no part of one before."""
    for block in _FENCE.findall(text):
        with contextlib.suppress(ValueError):
            yield read_json(block)
    end = 0
    for match in _OPENING.finditer(text):
        if match.start() < end:
            continue
        try:
            value, end = DECODER.raw_decode(text, match.start())
        except RecursionError:
            return  # whatever comes next is a part of the same nest
        except ValueError:
            if match.start() > _SEARCHED:
                return
            continue
        yield value
