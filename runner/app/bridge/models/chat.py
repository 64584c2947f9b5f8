"""``chat_completion``: one answer, asked as a run asks: loaded once, in its slots, repeated where that helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import ModelDesk, model_desk
from runner.app.bridge.models.find import Wish
from runner.app.bridge.models.messages import (
    MESSAGES,
    TOOLS,
    calls_json,
    calls_text,
    read_messages,
    read_tools,
    usage_json,
)
from runner.app.bridge.models.schema import ASKED, EFFORT, PATIENCE, SAMPLING, TEXT, given, talk
from runner.app.bridge.tool import Tool
from runner.chat.extract import extract_json
from runner.chat.form import FULL, Form, describe, shaped, simpler
from runner.chat.messages import ChatAnswer, ChatRequest, ToolSpec
from runner.chat.offer import Offer, Progress
from runner.execute.context_guard import LEAST_RESERVE, USUAL_RESERVE, ContextGuard
from runner.execute.lease import Lease
from runner.plan.lookup import Found
from runner.words.errors import ContextError, LLMError, LLMValidationError
from runner.words.schemas import check_schema, is_valid

REASONING: Final[Mapping[str, str]] = {"none": "off", "minimal": "low"}
"""OpenAI's words for what we call otherwise."""
_TOOL_CHOICE: Final[Mapping[str, Any]] = {
    "anyOf": [
        {"enum": ["none", "auto", "required"]},
        {
            "type": "object",
            "required": ["function"],
            "properties": {
                "type": {"const": "function"},
                "function": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
            },
        },
    ],
    "description": "Whether it must call a tool; an object names the only one that it is offered.",
}
RESPONSE_FORMAT: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["text", "json_object", "json_schema"]},
        "json_schema": {
            "type": "object",
            "required": ["schema"],
            "properties": {"name": TEXT, "strict": {"type": "boolean"}, "schema": {"type": "object"}},
        },
    },
    "description": "The form of the answer. With `json_object` or `json_schema` it comes as `parsed`, too.",
}


async def chat_completion(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001  the desk tells that it goes on
) -> Mapping[str, Any]:
    """The answer: ``{text, content, reasoning, tool_calls, finish_reason, model, endpoint, usage, seconds, warnings}``.

    Raises:
        ModelNotFoundError: no server has the model.
        LLMError: it did not answer, by class.
    """
    desk = model_desk(house)
    chat = _Chat(desk, arguments)
    began = desk.clock.monotonic()
    found = await desk.find(arguments.get("model"), "chat")
    answer = await desk.tried(
        f"`{found.model}` on {found.endpoint}", float(arguments["timeout"]), lambda: chat.ask(found)
    )
    return {
        "text": answer.content or calls_text(answer.tool_calls),
        "content": answer.content,
        "reasoning": answer.reasoning,
        "tool_calls": calls_json(answer.tool_calls),
        **chat.parsed(answer),
        "finish_reason": answer.finish_reason,
        "model": answer.model,
        "endpoint": found.endpoint,
        "usage": usage_json(answer.usage, chat.tokens, answer.reasoning + answer.content),
        "seconds": round(desk.clock.monotonic() - began, 3),
        "warnings": chat.warnings(answer),
    }


class _Chat:
    """One question, however often it is put."""

    def __init__(self, desk: ModelDesk, arguments: Mapping[str, Any]) -> None:
        self._desk = desk
        self._ttl = arguments["ttl"]
        self._max_tokens: int | None = arguments["max_tokens"]
        self._messages = read_messages(arguments["messages"])
        tools, choice = _chosen(read_tools(arguments["tools"]), arguments.get("tool_choice"))
        self._tools = tools
        self._sampling = sampling_of(arguments) | ({"tool_choice": choice} if choice and tools else {})
        if self._max_tokens is not None:
            self._sampling["max_tokens"] = self._max_tokens
        self._schema = schema_of(arguments.get("response_format"))
        self._form: Form = FULL
        self._guard = ContextGuard(self._max_tokens)
        self.tokens = self._guard.tokens(self._messages, tools)
        """An estimate of the prompt."""

    async def ask(self, found: Found) -> ChatAnswer:
        """Put it, in the form that the server takes.

        Raises:
            LLMError: it was not answered, by class.
        """
        need = self.tokens + min(self._max_tokens or LEAST_RESERVE, USUAL_RESERVE)
        wish = Wish(context=need, tools=bool(self._tools), ttl=self._ttl)
        request = ChatRequest(
            model=found.model,
            messages=self._messages,
            answers_as=frozenset(found.entry.names),
            tools=self._tools,
            schema=self._schema,
            sampling=self._sampling,
        )
        async with self._desk.hold(found, wish) as lease:
            alone = False
            while True:
                try:
                    return await self._put(lease, request, alone=alone)
                except ContextError as error:
                    if not error.pool or alone or not lease.shares_context:
                        raise
                    alone = True  # others filled the context that all share
                except LLMError as error:
                    form = simpler(self._form, error, request)
                    if form is None:
                        raise
                    self._form = form

    async def _put(self, lease: Lease, request: ChatRequest, *, alone: bool) -> ChatAnswer:
        context = lease.context_length
        reserve = self._guard.reserve(context)
        if self._max_tokens is None and lease.shares_context and context is not None:
            most = max(context - self.tokens, reserve)  # else the server forgets the beginning to write on
            request = replace(request, sampling={**request.sampling, "max_tokens": most})
        answer = await lease.ask(
            shaped(request, self._form), lambda _: None, prompt_tokens=self.tokens, reserve=reserve, alone=alone
        )
        self._guard.answered(self._messages, self._tools, answer, context, may_cut=lease.shares_context)
        return answer

    def parsed(self, answer: ChatAnswer) -> dict[str, Any]:
        """``{parsed}`` if data was asked for, and came."""
        if self._schema is None or answer.tool_calls:
            return {}
        schema = self._schema
        try:
            value = extract_json(answer.content, lambda one: is_valid(schema, one))
        except ValueError:
            return {}
        return {"parsed": value} if is_valid(schema, value) else {}

    def warnings(self, answer: ChatAnswer) -> list[str]:
        """What is worth knowing about an answer that came."""
        found = []
        if self._form != FULL:
            found.append(f"the server refuses the request as it is; it was sent {describe(self._form)}")
        if answer.looped:
            found.append("the answer repeated itself without end, and was stopped")
        if answer.cut_call:
            found.append("a tool call was cut off by the limit of tokens, and is left out")
        if answer.recovered is not None:
            found.append(f"the tool calls stood in the text, in the form of {answer.recovered}")
        if self._schema is not None and not answer.tool_calls and not self.parsed(answer):
            found.append("the answer does not fit the schema that was asked for")
        return found


def sampling_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments is sampling, by the names that requests use."""
    found = {name: arguments[name] for name in SAMPLING if arguments.get(name) is not None}
    effort = arguments.get("reasoning_effort")
    return found if effort is None else {**found, "reasoning": REASONING.get(effort, effort)}


def schema_of(wanted: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The schema that a ``response_format`` asks for; any object, where it is ``json_object``, which LM Studio refuses.

    Raises:
        LLMValidationError: it is no JSON Schema, or missing.
    """
    kind = "text" if wanted is None else wanted["type"]
    if wanted is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    schema = wanted.get("json_schema", {}).get("schema")
    if schema is None:
        raise LLMValidationError("`response_format`: `json_schema` needs a `json_schema` with a `schema`")
    problems = check_schema(schema)
    if problems:
        raise LLMValidationError(f"`response_format.json_schema.schema`: {problems[0].message}")
    found: Mapping[str, Any] = schema
    return found


def _chosen(tools: tuple[ToolSpec, ...], choice: Any) -> tuple[tuple[ToolSpec, ...], str | None]:
    """The tools to offer, and whether one must be called: LM Studio takes only words."""
    if choice == "none":
        return (), None
    if isinstance(choice, Mapping):
        return _only(tools, choice["function"]["name"]), "required"
    if choice == "required":
        refuse_none(tools)
    return tools, choice


def refuse_none(tools: Sequence[Any]) -> None:
    """Raises: LLMValidationError: a tool must be called, and there is none."""
    if not tools:
        hint = "give `tools`, or leave `tool_choice` out"
        raise LLMValidationError("`tool_choice`: it says `required`, and there are no `tools`", hint=hint)


def _only(tools: Sequence[ToolSpec], name: str) -> tuple[ToolSpec, ...]:
    found = tuple(tool for tool in tools if tool.name == name)
    if not found:
        offered = ", ".join(tool.name for tool in tools) or "none"
        raise LLMValidationError(f"`tool_choice`: there is no tool `{name}` among `tools`", hint=f"there are {offered}")
    return found


CHAT_COMPLETION: Final = Tool(
    offer=Offer(
        name="chat_completion",
        title="Ask a model",
        description=(
            "One answer of a local model to a conversation, like OpenAI's chat completions. The model is loaded if "
            "need be. Tools may be offered; their calls are returned, not made: use `autonomous_with_mcp` for that."
        ),
        input_schema=given(
            {
                "messages": MESSAGES,
                **ASKED,
                "reasoning_effort": EFFORT,
                "response_format": RESPONSE_FORMAT,
                "tools": TOOLS,
                "tool_choice": _TOOL_CHOICE,
                **PATIENCE,
            },
            required=["messages"],
        ),
        output_schema=talk(),
        read_only=True,
    ),
    work=chat_completion,
    long=True,
)
