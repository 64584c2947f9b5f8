"""Requests to ``/v1/responses`` as the server understands them, and the answers that it remembers for the next one.

The fields are those of LM Studio's documentation (0.3.29 and later), and those that its recorded answers repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.answer import Answer, as_dict
from runner.rehearse.simulator.ask import Ask, check_tool_choice, count, mappings, model_name, text
from runner.rehearse.simulator.match import read_conversation

Messages = tuple[Mapping[str, Any], ...]


class Remembered:
    """What was said up to each answer, by the id of the answer."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[str, Messages] = {}

    def upto(self, response: str) -> Messages:
        """The conversation that ends with that answer.

        Raises:
            Refusal: nobody was given such an answer, or it was not to be stored.
        """
        if response not in self._said:
            raise refusal.unknown_response(response)
        return self._said[response]

    def add(self, response: str, asked: Messages, answer: Answer) -> None:
        """Remember the answer to what was asked."""
        said = {"role": "assistant", "content": answer.content}
        calls = {"tool_calls": [as_dict(call, answer.manner) for call in answer.calls]} if answer.calls else {}
        self._said[response] = (*asked, {**said, **calls})


def read_response(body: Mapping[str, Any], remembered: Remembered) -> Ask:
    """The body of ``/v1/responses``: an ``Ask`` whose ``echo`` is what the answer repeats, and whose ``asked`` is the
    conversation without the ``instructions``, which count for one answer only. A ``ttl`` counts for nothing here.

    Raises:
        Refusal: no input, a tool in the shape of ``/v1/chat/completions``, an answer before it that is not known.
    """
    before = text(body.get("previous_response_id"))
    asked = (*(remembered.upto(before) if before else ()), *_messages(body.get("input")))
    instructions = text(body.get("instructions"))
    system = ({"role": "system", "content": instructions},) if instructions else ()
    check_tool_choice(body.get("tool_choice"))
    tools, wanted = _tools(body.get("tools")), _format(body.get("text"))
    spoken = {"messages": [*system, *asked], "tools": tools, "response_format": wanted}
    return Ask(
        model=model_name(body),
        conversation=read_conversation(spoken),
        stream=body.get("stream") is True,
        max_tokens=count(body.get("max_output_tokens")),
        images=any(part.get("type") == "input_image" for item in asked for part in mappings(item.get("content"))),
        store=body.get("store") is not False,
        shape=(body.get("tools"), wanted),
        echo=body,
        asked=asked,
    )


def _messages(given: Any) -> Messages:
    """Text is what the user says; of a list each item is a message, a call, or the result of one."""
    if isinstance(given, str):
        return ({"role": "user", "content": given},)
    if not isinstance(given, list) or not given or len(mappings(given)) != len(given):
        raise refusal.openai("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    messages: list[dict[str, Any]] = []
    for item in given:
        kind = item.get("type", "message")
        if kind == "function_call":
            _add_call(messages, item)
        elif kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": str(item.get("output"))})
        elif kind == "message":
            messages.append({"role": item.get("role", "user"), "content": _content(item.get("content"))})
    return tuple(messages)


def _add_call(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    """Calls that follow one another are of one answer."""
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call = {"type": "function", "id": item.get("call_id"), "function": function}
    if messages and messages[-1]["role"] == "assistant":
        messages[-1].setdefault("tool_calls", []).append(call)
    else:
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})


def _content(given: Any) -> Any:
    """Parts as ``/v1/chat/completions`` names them, as far as they are text; a picture stays what it is."""
    if not isinstance(given, list):
        return given or ""
    parts = mappings(given)
    return [{"type": "text", "text": part.get("text", "")} if "text" in part else part for part in parts]


def _tools(given: Any) -> Sequence[Mapping[str, Any]]:
    """The functions on offer, as a conversation has them. Tools of remote MCP servers are not played."""
    tools = [tool for tool in mappings(given) if tool.get("type", "function") == "function"]
    for index, tool in enumerate(tools):
        if not text(tool.get("name")):
            raise refusal.nested_tool(index)
    return [{"type": "function", "function": tool} for tool in tools]


def _format(given: Any) -> Any:
    """``text.format`` as a ``response_format``; text without a form counts as none."""
    wanted = given.get("format") if isinstance(given, dict) else None
    if wanted is None or (isinstance(wanted, dict) and wanted.get("type") == "text"):
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise refusal.plain("'text.format.type' must be 'json_schema' or 'text'")
    return {"type": "json_schema", "json_schema": {"schema": wanted.get("schema")}}
