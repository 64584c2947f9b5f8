"""The values of a workflow's inputs: from ``-i name=value``, ``--inputs FILE`` and the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.words.errors import UsageError
from runner.words.json_text import read_json
from runner.words.schemas import complaints, is_valid
from runner.words.spans import show_path
from runner.words.suggest import did_you_mean
from runner.workflow.model import Input, Json, Workflow

ReadFile = Callable[[str], str]
"""The text of a file; raises OSError, or UnicodeDecodeError if it is no text."""


def bind_inputs(
    workflow: Workflow, given: Sequence[str], from_file: Mapping[str, Json] | None, read_file: ReadFile
) -> dict[str, Json]:
    """Every input with its value, in the order of the file.

    ``given`` are the texts ``name=value`` or ``name=@file`` of the command line, the last one of a name wins;
    they beat ``from_file``, the content of ``--inputs``, and that beats the defaults.

    Raises:
        UsageError: unknown names, values that do not fit, required inputs without a value; all of them at once.
    """
    values: dict[str, Json] = {}
    wrong: list[UsageError] = []
    for name, value in (from_file or {}).items():
        try:
            values[name] = _from_file(_declared(workflow, name), value)
        except UsageError as error:
            wrong.append(error)
    for text in given:
        try:
            name, raw = _split(text)
            values[name] = _from_option(_declared(workflow, name), raw, read_file)
        except UsageError as error:
            wrong.append(error)
    tried = {*values, *(from_file or {}), *(text.partition("=")[0].strip() for text in given)}
    missing = [one for one in workflow.inputs.values() if one.required and one.name not in tried]
    if missing:
        wrong.append(_missing(missing))
    if wrong:
        raise _all_of(wrong)
    return {name: values.get(name, declared.default) for name, declared in workflow.inputs.items()}


def _from_file(declared: Input, value: Json) -> Json:
    return _fitting(declared, value, hint=_in_file(declared, value))


def _from_option(declared: Input, raw: str, read_file: ReadFile) -> Json:
    return _fitting(declared, _parsed(declared, _content(declared.name, raw, read_file)), hint=_how(declared))


def _all_of(errors: Sequence[UsageError]) -> UsageError:
    """One error that says them all, each once and with its own advice."""
    if len(errors) == 1:
        return errors[0]
    said = dict.fromkeys(f"{error.message}; {error.hint}" if error.hint else error.message for error in errors)
    return UsageError(f"{len(said)} complaints about the inputs:\n" + "\n".join(said))


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"`{text}` is no input", hint="write `-i name=value`, or `-i name=@file`")
    return name.strip(), value


def _declared(workflow: Workflow, name: str) -> Input:
    if name in workflow.inputs:
        return workflow.inputs[name]
    known = ", ".join(f"`{known}`" for known in workflow.inputs)
    near = did_you_mean(name, workflow.inputs)
    hint = near or (f"its inputs are {known}" if known else "it has no inputs")
    raise UsageError(f"the workflow `{workflow.name}` has no input `{name}`", hint=hint)


def _content(name: str, raw: str, read_file: ReadFile) -> str:
    if not raw.startswith("@"):
        return raw
    file = raw[1:]
    try:
        text = read_file(file)
    except UnicodeDecodeError as error:
        message = f"the input `{name}` cannot be read: `{file}` is not written in UTF-8"
        raise UsageError(message, hint="save it as UTF-8") from error
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "after `@` stands the path of a file, from where you are"
        raise UsageError(f"the input `{name}` cannot be read from `{file}`: {reason}", hint=hint) from error
    return text.removesuffix("\n").removesuffix("\r")


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    said = schema.get("type", ())
    return (said,) if isinstance(said, str) else tuple(said)


def _parsed(declared: Input, text: str) -> Json:
    """The text read as the declared type; where a text is allowed too, what is nothing else is a text."""
    kinds = _types(declared.schema) or _types_of_choices(declared.schema)
    for kind in kinds:
        if kind != "string":
            parsed = _read_as(kind, text)
            if parsed is not _NOT_ONE:
                return parsed
    if "string" in kinds or not kinds:
        return text
    shown = text if len(text) <= 60 else text[:60] + "…"
    nouns = " or ".join(_NOUNS.get(kind, kind) for kind in kinds)
    raise UsageError(f"the input `{declared.name}` must be {nouns}, not `{shown}`", hint=_how(declared))


_NOT_ONE = object()
_NOUNS: Mapping[str, str] = {
    "boolean": "`true` or `false`",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "`null`",
    "string": "a text",
}
_EXAMPLES: Mapping[str, Sequence[Json]] = {
    "boolean": (True,),
    "integer": (3,),
    "number": (0.5,),
    "array": (["a", "b"], [1, 2]),
    "object": ({"key": "value"},),
    "null": (None,),
}
_CLASSES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _types_of_choices(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that an ``enum`` without ``type`` lets in; nothing known = a text."""
    kinds = {kind for value in schema.get("enum", ()) for kind, classes in _CLASSES.items() if type(value) in classes}
    kinds |= {"string" for value in schema.get("enum", ()) if isinstance(value, str)}
    return tuple(sorted(kinds))


def _read_as(kind: str, text: str) -> Any:
    try:
        value = read_json(text)
    except ValueError:
        return _NOT_ONE
    if isinstance(value, bool) and kind != "boolean":
        return _NOT_ONE
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, _CLASSES.get(kind, ())) else _NOT_ONE


def _fitting(declared: Input, value: Json, *, hint: str) -> Json:
    found = complaints(declared.schema, value)
    if found:
        where = f" at `{show_path(found[0].path)}`" if found[0].path else ""
        raise UsageError(f"the input `{declared.name}` does not fit{where}: {found[0].message}", hint=hint)
    return value


def _example(declared: Input) -> str:
    """A value that fits, as text: JSON unless it is a text itself."""
    schema = declared.schema
    kind = next(iter(_types(schema)), "string")
    choices = [*schema.get("enum", ()), *schema.get("examples", ()), *_EXAMPLES.get(kind, ())]
    choices += [schema[key] for key in ("minimum", "maximum") if key in schema]
    for value in choices if declared.required else (*choices, declared.default):
        if is_valid(schema, value):
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "…"


def _option(declared: Input) -> str:
    """The option that gives the example, as one types it in a shell."""
    text = _example(declared)
    quoted = text if re.fullmatch(r"[\w./:@%+,=…-]+", text) else "'" + text.replace("'", "'\\''") + "'"
    return f"-i {declared.name}={quoted}"


def _how(declared: Input) -> str:
    return f"write it like this: `{_option(declared)}`"


def _in_file(declared: Input, value: Json) -> str:
    """What to do about a value in the file of ``--inputs``."""
    if "string" in _types(declared.schema) and isinstance(value, int | float):
        return "put it in quotes in the file of `--inputs`"
    return f"write it like this in the file of `--inputs`: `{declared.name}: {_example(declared)}`"


def _missing(needed: Sequence[Input]) -> UsageError:
    names = ", ".join(f"`{one.name}`" for one in needed)
    options = " ".join(map(_option, needed))
    message = f"the input {names} has no value" if len(needed) == 1 else f"these inputs have no value: {names}"
    return UsageError(message, hint=f"give {'it' if len(needed) == 1 else 'them'}: `{options}`")
