"""Tool calls as models write them when their server does not understand them: one form a family, as text.

The forms are those quoted in LM Studio's bug tracker and documentation, or else those of the families' chat templates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.rehearse.simulator.answer import SaidCall

Written = Callable[[Sequence[SaidCall]], str]


def _each(form: Callable[[str, Mapping[str, Any]], str]) -> Written:
    """A form that writes the calls one under the other."""
    return lambda calls: "\n".join(form(call.name, arguments_of(call)) for call in calls)


def arguments_of(call: SaidCall) -> Mapping[str, Any]:
    """The arguments as data; what is no JSON object becomes none."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _call_json(name: str, arguments: Mapping[str, Any]) -> str:
    return _json({"name": name, "arguments": arguments})


def _plain(value: Any) -> str:
    """A value between tags: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else _json(value)


def _qwen_xml(name: str, arguments: Mapping[str, Any]) -> str:
    inner = "".join(f"<parameter={key}>\n{_plain(value)}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={name}>\n{inner}</function>\n</tool_call>"


def _harmony(name: str, arguments: Mapping[str, Any]) -> str:
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{_json(arguments)}<|call|>"


def _python(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _gemma4(name: str, arguments: Mapping[str, Any]) -> str:
    return f"<|tool_call>call:{name}{_gemma4_value(arguments)}<tool_call|>"


def _gemma4_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_gemma4_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_gemma4_value, value)) + "]"
    return f'<|"|>{value}<|"|>' if isinstance(value, str) else _json(value)


def _glm(name: str, arguments: Mapping[str, Any]) -> str:
    pairs = "".join(
        f"<arg_key>{key}</arg_key>\n<arg_value>{_plain(value)}</arg_value>\n" for key, value in arguments.items()
    )
    return f"<tool_call>{name}\n{pairs}</tool_call>"


def _minimax(name: str, arguments: Mapping[str, Any]) -> str:
    inner = "".join(f'<parameter name="{key}">{_plain(value)}</parameter>\n' for key, value in arguments.items())
    return f'<minimax:tool_call>\n<invoke name="{name}">\n{inner}</invoke>\n</minimax:tool_call>'


def _mistral_array(calls: Sequence[SaidCall]) -> str:
    return "[TOOL_CALLS]" + _json([{"name": call.name, "arguments": arguments_of(call)} for call in calls])


def _lfm(calls: Sequence[SaidCall]) -> str:
    inner = ", ".join(_python(call.name, arguments_of(call)) for call in calls)
    return f"<|tool_call_start|>[{inner}]<|tool_call_end|>"


FORMS: Mapping[str, Written] = {
    "qwen-json": _each(lambda name, arguments: f"<tool_call>\n{_call_json(name, arguments)}\n</tool_call>"),
    "qwen-xml": _each(_qwen_xml),
    "tools-tag": _each(lambda name, arguments: f"<tools>\n{_call_json(name, arguments)}\n</tools>"),
    "harmony": _each(_harmony),
    "tool-code": _each(lambda name, arguments: f"```tool_code\n{_python(name, arguments)}\n```"),
    "gemma4": _each(_gemma4),
    "mistral": _each(lambda name, arguments: f"[TOOL_CALLS]{name}[ARGS]{_json(arguments)}"),
    "mistral-array": _mistral_array,
    "tool-request": _each(lambda name, arguments: f"[TOOL_REQUEST]\n{_call_json(name, arguments)}\n[END_TOOL_REQUEST]"),
    "granite": _each(lambda name, arguments: f"<tool_call>{_call_json(name, arguments)}</tool_call>"),
    "glm": _each(_glm),
    "minimax": _each(_minimax),
    "lfm": _lfm,
}
"""Name of a form → how it writes calls."""
