"""What a step asks of its model, read off the file before anything runs. Token counts are estimates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from runner.chat.messages import Message
from runner.chat.trim import CHARACTERS_A_TOKEN, estimate
from runner.plan.plan import Needs, ToolGrant
from runner.plan.tool_room import ToolRoom
from runner.words.json_text import as_text, write_json
from runner.words.plain_template import Hole, MissingError, look_up, split_template
from runner.words.templates import has_template
from runner.workflow.model import Step, TaskWork, Workflow

RESERVE: Final = 1_024
"""Tokens kept free for an answer whose length the file does not bound."""
IMAGE_TOKENS: Final = 800
"""Tokens of one picture: models spend 256 to 1,300."""
RESULT_TOKENS: Final = 1_000
"""Room for a first tool result. Longer ones are cut to a part of the context, so that is no reason to load anew."""
_MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def needs_of(
    step: Step,
    work: TaskWork,
    workflow: Workflow,
    *,
    grants: Sequence[ToolGrant],
    sampling: Mapping[str, Any],
    inputs: Mapping[str, Any],
    room: ToolRoom,
) -> Needs:
    """What the step asks of a model that is asked with this ``sampling``; ``inputs`` are those known so far.

    ``room`` says what its tools take. What steps before it will have answered counts as nothing.
    """
    prompt = _prompt_tokens(step, work, inputs)
    tools = sum(room.tokens(workflow, grant) for grant in grants)
    result = min(RESULT_TOKENS, ceil(step.limits.tool_result / CHARACTERS_A_TOKEN)) if grants else 0
    most = sampling.get("max_tokens")
    reserve = most if isinstance(most, int) and most > 0 else RESERVE
    return Needs(
        tools=bool(grants),
        vision=bool(work.images),
        schema=step.output_schema is not None,
        reasoning=sampling.get("reasoning"),
        context=prompt + tools + result + reserve,
        reserve=reserve,
        result=result,
        schemas=tools,
    )


def _prompt_tokens(step: Step, work: TaskWork, inputs: Mapping[str, Any]) -> int:
    texts = [known_text(text, inputs) for text in (work.system, work.task) if text]
    if step.output_schema is not None:  # the prompt shows it
        texts.append(write_json(step.output_schema))
    return estimate(Message("user", text) for text in texts) + IMAGE_TOKENS * len(work.images)


def known_text(text: str, inputs: Mapping[str, Any]) -> str:
    """A text with the inputs that are known in their places, and nothing where other templates stand."""
    if not has_template(text):
        return text
    pieces = split_template(text)
    if pieces is None:
        return _MARKUP.sub("", text)
    return "".join(piece if isinstance(piece, str) else _known(piece, inputs) for piece in pieces)


def _known(hole: Hole, inputs: Mapping[str, Any]) -> str:
    try:
        return as_text(look_up(hole.path, {"inputs": inputs}))
    except (MissingError, ValueError):
        return ""
