"""Why an answer is not accepted: for a person, and in words for the model that is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.extract import extract_json
from runner.chat.messages import ChatAnswer
from runner.words.errors import FailureKind
from runner.words.noun import noun
from runner.words.schemas import complaints, is_valid
from runner.words.spans import show_path


@noun
class Refusal:
    """``reason`` is for a person, ``words`` for the model."""

    kind: FailureKind
    reason: str
    words: str


CUT_CALL = Refusal(
    kind="limit",
    reason="a tool call was cut off by the limit of tokens",
    words=(
        "Your last answer was cut off in the middle of a tool call, so nothing was called. "
        "Make the call again with shorter arguments, in several smaller calls if need be."
    ),
)
LOOPED = Refusal(
    kind="invalid_output",
    reason="the answer repeated itself without end and was stopped",
    words="Your last answer repeated the same words over and over and was stopped. Answer again, briefly, and end.",
)
UNREAD_CALL = Refusal(
    kind="invalid_output",
    reason="it wrote a tool call as text that names no offered tool or cannot be read",
    words=(
        "Your last answer was a tool call that could not be read, so nothing was called. "
        "Call one of the tools you were given, with all of its arguments, or answer without a call."
    ),
)
NO_TOOLS = Refusal(
    kind="invalid_output",
    reason="it called tools that were not offered",
    words="There are no tools to call. Answer now with what you know.",
)


def not_fitting(answer: ChatAnswer, reason: str) -> Refusal:
    """The refusal of an answer that is not the JSON asked for."""
    if answer.finish_reason != "length":
        words = f"Your answer was not accepted: {reason}\nAnswer again."
    else:
        words = f"Your answer was cut off by the limit of tokens: {reason}\nAnswer again, much shorter."
    return Refusal(kind="invalid_output", reason=reason, words=words)


def not_expected(reason: str) -> Refusal:
    """The refusal of work that misses an expectation."""
    return Refusal(kind="expectation", reason=reason, words=f"Your work is not accepted yet: {reason}")


def read_answer(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value in ``text``, if it fits ``schema``.

    Raises:
        ValueError: no JSON, or it breaks the schema; in words for the model.
    """
    value = extract_json(text, lambda candidate: is_valid(schema, candidate))
    found = complaints(schema, value)
    if found:
        lines = [f"- {show_path(c.path) or 'the answer'}: {c.message}" for c in found[:10]]
        raise ValueError("the answer does not fit the JSON Schema asked for:\n" + "\n".join(lines))
    return value
