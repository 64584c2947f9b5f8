"""What decides a branch, read off the expressions of a workflow: the values that they compare with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runner.rehearse.rehearsal.value import Hints
from runner.words.errors import BridgeError
from runner.words.templates import inspect_expression, truth
from runner.workflow.fan_out import ForEach
from runner.workflow.model import Step, Workflow

_LITERAL = re.compile(r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])(?P<number>\d+(?:\.\d+)?)\b""")
_ESCAPE = re.compile(r"\\(.)")
_LONGEST = 2_000
"""Of longer texts that stand in an expression nobody makes an answer."""


def expressions_of(step: Step) -> Iterator[str]:
    """The bare expressions of a step."""
    if step.when is not None:
        yield step.when
    if step.repeat is not None:
        yield step.repeat.until
    if step.fan_out is not None and isinstance(step.fan_out.over, ForEach) and isinstance(step.fan_out.over.items, str):
        yield step.fan_out.over.items
    yield from (one.that for one in step.expect if one.that is not None)


def hints_of(workflow: Workflow, step: Step) -> Hints:
    """What the answers of a step are compared with: in its own expressions, and where others read it."""
    own = list(expressions_of(step))
    reading = [
        text for other in workflow.steps for text in expressions_of(other) if other.id != step.id and _reads(text, step)
    ]
    values = [value for text in (*own, *reading) for value in _constants(text)]
    texts = [value for value in values if isinstance(value, str) and len(value) <= _LONGEST]
    numbers = [value for value in values if not isinstance(value, str)]
    return Hints(texts=tuple(dict.fromkeys(texts)), numbers=tuple(dict.fromkeys(numbers)))


def _reads(expression: str, step: Step) -> bool:
    paths = (reference.path for reference in inspect_expression(expression).references)
    return any(path[0] not in ("steps", "inputs") or path[:2] == ("steps", step.id) for path in paths)


def steps_read(expression: str) -> tuple[str, ...]:
    """The ids of the steps that an expression reads."""
    paths = (reference.path for reference in inspect_expression(expression).references)
    return tuple(dict.fromkeys(str(path[1]) for path in paths if len(path) > 1 and path[0] == "steps"))


def _constants(expression: str) -> Iterator[str | float]:
    """The texts and numbers that are written out: ``x == 'a'``, ``x.startswith('a')``, ``x | length > 3``."""
    for found in _LITERAL.finditer(expression):
        if found["number"] is not None:
            number = float(found["number"])
            yield int(number) if number.is_integer() else number
        else:
            yield _ESCAPE.sub(r"\1", found["text"][1:-1])


def satisfies(step: Step, value: Any) -> bool:
    """Whether a value passes the checks of its step that can be judged without a run, and ends its ``repeat``."""
    names = {"output": value, "previous": None, "inputs": {}, "steps": {}}
    texts = [one.that for one in step.expect if one.that is not None]
    if step.repeat is not None and step.kind != "workflow":
        texts.append(step.repeat.until)
    return all(_holds(text, names) for text in texts)


def _holds(expression: str, names: dict[str, Any]) -> bool:
    """Whether it holds; one that reads what is not known yet is left to the run."""
    try:
        return truth(expression, names)
    except BridgeError:
        return True
