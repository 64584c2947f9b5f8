"""``text_completion`` and ``create_response``: answers that are no part of a chat, or one that a server remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.asking import Asking, known, tokens_of
from runner.app.bridge.models.chat import RESPONSE_FORMAT, refuse_none, sampling_of, schema_of
from runner.app.bridge.models.desk import model_desk
from runner.app.bridge.models.messages import TOOL_NAME, calls_json, calls_text, usage_json
from runner.app.bridge.models.schema import (
    ASKED,
    EFFORT,
    FLAG,
    MAX_TOKENS,
    MODEL,
    PATIENCE,
    SAMPLING,
    TEXT,
    answer,
    given,
    talk,
)
from runner.app.bridge.tool import Tool
from runner.chat.messages import ToolCall
from runner.chat.offer import Offer, Progress
from runner.chat.tool_schema import offered_schema
from runner.edges.model_server.wire import reasoning_effort
from runner.execute.context_guard import LEAST_RESERVE, USUAL_RESERVE
from runner.execute.lease import Lease
from runner.execute.resident import Resident


async def text_completion(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001  the desk tells that it goes on
) -> Mapping[str, Any]:
    """The continuation: ``{text, finish_reason, model, endpoint, usage, seconds, warnings}``.

    Raises:
        ModelNotFoundError: no server has the model.
        LLMError: it did not answer, by class; a server without ``/v1/completions`` is an ``LLMValidationError``.
    """
    prompt: str = arguments["prompt"]
    tokens = tokens_of(prompt)
    most: int | None = arguments["max_tokens"]
    asking = Asking(model_desk(house), arguments, "chat", tokens + min(most or LEAST_RESERVE, USUAL_RESERVE))

    async def put(lease: Lease, resident: Resident) -> Any:
        bound = most if most is not None else asking.room(lease, tokens)
        body = {"prompt": prompt, **sampling_of(arguments), **known(max_tokens=bound)}
        return await asking.backend.complete(asking.request(resident, body))

    said = await asking.ask(put)
    return {
        "text": said.text,
        "finish_reason": said.finish_reason,
        "model": said.model,
        "endpoint": asking.found.endpoint,
        "usage": usage_json(said.usage, tokens, said.text),
        "seconds": asking.seconds,
        "warnings": [],
    }


async def create_response(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001  the desk tells that it goes on
) -> Mapping[str, Any]:
    """The answer, as that of ``chat_completion``, with the ``id`` by which the next one goes on from it.

    Raises:
        ModelNotFoundError: no server has the model.
        LLMError: it did not answer, by class; a server without ``/v1/responses`` is an ``LLMValidationError``.
    """
    fixed = _response_body(arguments)
    tokens = tokens_of(str(arguments["input"])) + tokens_of(arguments.get("instructions") or "")
    most: int | None = arguments["max_output_tokens"]
    asking = Asking(model_desk(house), arguments, "chat", tokens + min(most or LEAST_RESERVE, USUAL_RESERVE))
    effort = arguments.get("reasoning", {}).get("effort")

    async def put(_lease: Lease, resident: Resident) -> Any:
        options = asking.found.entry.reasoning_options
        wanted = {} if effort is None else {"reasoning": {"effort": _effort(effort, options)}}
        return await asking.backend.respond(asking.request(resident, {**fixed, **wanted}))

    said = await asking.ask(put)
    calls: tuple[ToolCall, ...] = said.tool_calls
    return {
        "id": said.id,
        "text": said.text or calls_text(calls),
        "content": said.text,
        "reasoning": said.reasoning,
        "tool_calls": calls_json(calls),
        "finish_reason": said.finish_reason,
        "model": said.model,
        "endpoint": asking.found.endpoint,
        "usage": usage_json(said.usage, tokens, said.reasoning + said.text),
        "seconds": asking.seconds,
        "warnings": [],
    }


def _response_body(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All that does not depend on the model. Tools are flat there."""
    schema = schema_of(arguments.get("response_format"))
    form = None if schema is None else {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}
    tools = [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool.get("description", ""),
            "parameters": offered_schema(tool.get("parameters") or {}),
        }
        for tool in arguments.get("tools") or ()
    ]
    if arguments.get("tool_choice") == "required":
        refuse_none(tools)
    return {
        "input": arguments["input"],
        "store": arguments["store"],
        **known(
            instructions=arguments.get("instructions"),
            previous_response_id=arguments.get("previous_response_id"),
            max_output_tokens=arguments["max_output_tokens"],
            temperature=arguments.get("temperature"),
            top_p=arguments.get("top_p"),
            tools=tools or None,
            tool_choice=arguments.get("tool_choice") if tools else None,
            text=None if form is None else {"format": form},
        ),
    }


def _effort(wanted: str, options: Sequence[str]) -> str:
    ours = {"none": "off", "minimal": "low"}.get(wanted, wanted)
    return reasoning_effort(ours, options)


_INPUT: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1, "items": {"type": "object"}}],
    "description": (
        "What is said: a text, or items as in OpenAI's `POST /v1/responses` (messages, `function_call_output`…)."
    ),
}
_FLAT_TOOLS: Final[Mapping[str, Any]] = {
    "type": ["array", "null"],
    "default": None,
    "description": "Functions that the model may ask for, flat as in OpenAI's Responses. Its calls are returned.",
    "items": {
        "type": "object",
        "required": ["type", "name"],
        "properties": {
            "type": {"const": "function"},
            "name": {"type": "string", "pattern": TOOL_NAME},
            "description": TEXT,
            "parameters": {"type": "object"},
        },
    },
}

PLAIN_TOOLS: Final = (
    Tool(
        offer=Offer(
            name="text_completion",
            title="Let a model go on with a text",
            description="What a local model writes after a prompt, without a chat template: for base models and code.",
            input_schema=given(
                {
                    "prompt": {"type": "string", "minLength": 1, "description": "The text to go on with."},
                    **ASKED,
                    **PATIENCE,
                },
                required=["prompt"],
            ),
            output_schema=answer(),
            read_only=True,
        ),
        work=text_completion,
        long=True,
    ),
    Tool(
        offer=Offer(
            name="create_response",
            title="Ask a model, and go on later",
            description=(
                "One answer of a local model that its server remembers: `previous_response_id` goes on from it "
                "without sending the conversation again. LM Studio 0.3.29 and later."
            ),
            input_schema=given(
                {
                    "input": _INPUT,
                    "model": MODEL,
                    "instructions": {"type": "string", "description": "System prompt of this answer alone."},
                    "previous_response_id": {
                        "type": ["string", "null"],
                        "minLength": 1,
                        "default": None,
                        "description": "The `id` of the answer to go on from. Left out: a new conversation.",
                    },
                    "reasoning": {
                        "type": "object",
                        "properties": {"effort": EFFORT},
                        "default": {},
                        "description": "How the model thinks before it answers.",
                    },
                    "max_output_tokens": MAX_TOKENS,
                    "temperature": SAMPLING["temperature"],
                    "top_p": SAMPLING["top_p"],
                    "response_format": RESPONSE_FORMAT,
                    "tools": _FLAT_TOOLS,
                    "tool_choice": {
                        "enum": ["none", "auto", "required"],
                        "description": "Whether it must call a tool. Left out: it may.",
                    },
                    "store": {**FLAG, "default": True, "description": "Whether the server is to remember it."},
                    **PATIENCE,
                },
                required=["input"],
            ),
            output_schema=talk(id={"type": ["string", "null"], "description": "For `previous_response_id`."}),
        ),
        work=create_response,
        long=True,
    ),
)
