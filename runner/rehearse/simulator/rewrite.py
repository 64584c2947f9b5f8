"""What faults make of an answer before it is sent. Each is pure: an answer in, the spoilt answer out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from runner.rehearse.simulator.answer import Answer, Manner, SaidCall
from runner.rehearse.simulator.markup import FORMS

Rewrite = Callable[[Answer], Answer]
REPEATED = "I will now check the file again. "
"""What a model in a loop says over and over."""
REPEATED_CHARACTERS = 64_000
"""As far as a loop goes without a limit: 16,000 tokens, where LM Studio is reported to stop (bug tracker 1829)."""


def in_manner(manner: Manner) -> Rewrite:
    """The same answer, told otherwise."""
    return lambda answer: replace(answer, manner=manner)


def written(form: str) -> Rewrite:
    """The calls as text of a family, and none made; ``form`` as in ``markup.FORMS``."""

    def rewrite(answer: Answer) -> Answer:
        text = "\n".join(part for part in (answer.content, FORMS[form](answer.calls)) if part)
        return replace(answer, content=text, calls=(), finish="stop")

    return rewrite


def written_in_thought(answer: Answer) -> Answer:
    """The calls as text within the thoughts that a server failed to take apart (LM Studio's bug tracker 453)."""
    text = f"<think>\nI need a tool.\n{FORMS['qwen-json'](answer.calls)}\n</think>\n\n{answer.content}"
    return replace(answer, content=text, calls=(), finish="stop")


def each_call(change: Callable[[SaidCall], SaidCall]) -> Rewrite:
    """Every call changed."""
    return lambda answer: replace(answer, calls=tuple(map(change, answer.calls)))


def truncated(answer: Answer) -> Answer:
    """The last call breaks off in its arguments, because the tokens ran out."""
    *whole, last = answer.calls
    half = last.arguments[: max(1, len(last.arguments) // 2)]
    return replace(answer, calls=(*whole, replace(last, arguments=half)), finish="length")


def without_calls(answer: Answer) -> Answer:
    """The finish says calls, and there are none."""
    return replace(answer, calls=(), finish="tool_calls")


def empty(answer: Answer) -> Answer:
    """Nothing is said."""
    return replace(answer, content="", reasoning="", calls=(), finish="stop")


def thought_only(answer: Answer) -> Answer:
    """The content stands where the reasoning belongs (LM Studio's bug tracker 1773)."""
    return replace(answer, content="", reasoning=answer.content)


def fenced(answer: Answer) -> Answer:
    """The content in a code block, with a sentence before it."""
    return replace(answer, content=f"Here is the result:\n\n```json\n{answer.content}\n```\n")


def endless(answer: Answer) -> Answer:
    """The same sentence until the tokens run out; it is cut to the allowed length afterwards."""
    times = -(-REPEATED_CHARACTERS // len(REPEATED))
    return replace(answer, content=REPEATED * times, calls=(), finish="length", chunk=len(REPEATED))


def letter_by_letter(answer: Answer) -> Answer:
    """Every delta has one character."""
    return replace(answer, chunk=1)


def broken_arguments(call: SaidCall) -> SaidCall:
    """Arguments that are no JSON: the last bracket is missing."""
    return replace(call, arguments=(call.arguments.rstrip().removesuffix("}") or "{") + ",")


def unknown_tool(call: SaidCall) -> SaidCall:
    """A call of a tool that nobody offered."""
    return replace(call, name=f"{call.name}_now")


def without_id(call: SaidCall) -> SaidCall:
    """A call with an empty id (LM Studio's bug tracker 830)."""
    return replace(call, id="")


def same_id(call: SaidCall) -> SaidCall:
    """A call with the id that every other one has as well."""
    return replace(call, id="100000000")


def cut_silently(answer: Answer) -> Answer:
    """The answer to a prompt of which the middle was dropped: fewer tokens are counted, and the task is not known."""
    counted = max(1, answer.prompt_tokens // 2)
    return replace(answer, prompt_tokens=counted, content="What shall I do?", calls=(), finish="stop")


def is_json(text: str) -> bool:
    """Whether a content is data."""
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False
