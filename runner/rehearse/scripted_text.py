"""A stub file to begin with: one entry for each step that answers, with its schema in a comment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from runner.workflow.model import ApproveWork, Step

_PLAIN = re.compile(r"[A-Za-z][\w ./-]*[\w./-]|[A-Za-z]")
_NO_TEXTS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 110


def stub_text(file: str, answers: Mapping[str, tuple[Step, Any]]) -> str:
    """The text of a stub file. ``answers`` maps units to their step and what it answers until somebody writes more."""
    lines = [f"# What the steps of {file} answer in a rehearsal: bridge-run {file} --rehearse --stubs THIS-FILE"]
    lines.append("# Always the same answer, or `{answers: [one, another]}`, or `{fail: timeout}`.")
    for unit, (step, value) in answers.items():
        lines += ["", *_comment(step), *_entry(unit, value)]
    return "\n".join(lines) + "\n"


def _comment(step: Step) -> Iterator[str]:
    work = step.work
    if isinstance(work, ApproveWork):
        said = f"{step.kind}: one of {', '.join(work.choices)}"
    elif step.output_schema is not None:
        said = f"{step.kind}: {json.dumps(dict(step.output_schema), ensure_ascii=False)}"
    else:
        said = f"{step.kind}: a text" if step.kind != "tool" else f"{step.kind}: any value"
    wrapped = textwrap.wrap(said, _WIDTH, break_long_words=False, break_on_hyphens=False)
    yield from (f"# {line}" if number == 0 else f"#   {line}" for number, line in enumerate(wrapped))


def _entry(name: str, value: Any) -> list[str]:
    """``name: value`` as YAML, with the value below the name where it has parts."""
    if isinstance(value, Mapping) and value:
        inner = [line for key, part in value.items() for line in _entry(key, part)]
        return [f"{scalar(name)}:", *(f"  {line}" for line in inner)]
    if isinstance(value, list) and value:
        return [f"{scalar(name)}:", *(f"  {line}" for part in value for line in _item(part))]
    return [f"{scalar(name)}: {scalar(value)}"]


def _item(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        first, *rest = [line for key, part in value.items() for line in _entry(key, part)]
        return [f"- {first}", *(f"  {line}" for line in rest)]
    if isinstance(value, list) and value:
        return [f"- {json.dumps(value, ensure_ascii=False)}"]
    return [f"- {scalar(value)}"]


def scalar(value: Any) -> str:
    """A value on one line of YAML: words as they are, all else as JSON, which YAML reads."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _NO_TEXTS:
        return value
    return json.dumps(value, ensure_ascii=False)
