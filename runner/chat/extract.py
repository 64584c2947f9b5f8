"""Finding the JSON in what a model wrote: bare, fenced, or with talk around it."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)\n\s*```", re.DOTALL)
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_DECODER = json.JSONDecoder()


def extract_json(text: str) -> Any:
    """The JSON value in ``text``: the whole of it, else its first fenced block, else its first object or list.

    Raises:
        ValueError: there is none; the message is fit for the model that wrote the text.
    """
    text = _THINKING.sub("", text).strip()
    if not text:
        raise ValueError("the answer is empty, JSON was asked for")
    reason: Exception
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: about a thousand brackets deep
        reason = error
    for candidate in _FENCE.findall(text):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    found = _first_container(text)
    if found is None:
        raise ValueError(
            f"the answer is not JSON ({reason}); answer with the JSON value alone, without any other words"
        )
    return found


def _first_container(text: str) -> Any:
    """The first object or list that can be read."""
    for match in re.finditer(r"[{\[]", text):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except RecursionError:
            return None  # whatever comes next is a part of the same nest
        except ValueError:
            if match.start() > 100_000:
                return None
            continue
        return value
    return None
