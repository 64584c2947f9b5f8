"""How a run ended: the closing words for people on stderr, the outputs on stdout, the result for machines.

All are read off the result (``record.state.result``), the same next week as tonight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.record.wire import encode_json
from runner.show.cell import fit, harmless, one_line, pad
from runner.show.ink import Ink
from runner.show.paused_view import paused_text
from runner.show.result_parts import Trouble, artifacts, troubles, warnings
from runner.show.sentence import show_items, show_tokens
from runner.words.units import show_seconds

_ALL_SHOWN = 40  # of more steps than this, only those that did not simply succeed are listed
_HEAD, _TAIL, _LINE = 5, 15, 200
"""Of an error's message so many first and last lines are shown, each at most so many cells."""
_STATUSES = ("succeeded", "recovered", "failed", "skipped", "cancelled", "waiting")
_ITEMS = 10  # of more items and called steps with an error than this, the rest is counted
_WHOLE_ERRORS = 3  # of more than this, only the first line of each error is shown
_LISTED = 20  # the same for warnings and kept files
_ADVICE: Mapping[str, str] = {
    "connection": "see whether the model server still runs and can be reached from here",
    "timeout": "give the step a longer `timeout`, or a model that answers faster",
    "rate_limit": "wait, or lower `limits.parallel` so that the server is asked less often",
    "server": "look at the log of the model server, then run again",
    "crash": "look at the log of the model server: the model was ended, often for want of memory",
    "overloaded": "free memory, load the model with a smaller context, or choose a smaller one",
    "context": "load the model with a longer context, or hand the step less text",
    "auth": "check the token for this server",
    "model_not_found": "see `bridge-run check` for the models that the servers have",
    "wrong_model": "load the model that was asked for, or name the one that answers in the workflow",
    "request": "read the message: the request itself has to change",
    "empty": "try another model, or a prompt that says what an answer looks like",
    "invalid_output": "allow more tries with `repair`, loosen the `output` schema, or choose a stronger model",
    "expectation": "read what the check said; allow more tries with `repair`, or choose a stronger model",
    "tool_server": "start the tool server by hand with the same command to see why it ends",
    "tool": "read what the tool said, and check the arguments of the step",
    "command": "run the command by hand in the same folder",
    "limit": "raise the limit in `limits` if the work needs more",
    "bug": "this is a fault of bridge-run: please report it with the record of the run",
}


def closing_text(
    result: Mapping[str, Any],
    *,
    journal: str,
    colour: bool = False,
    resume: str | None = None,
    resumable: bool = False,
) -> str:
    """Status of the run and of every step, failures with what to do, warnings, files, and where the record is.

    ``resume`` is the command that goes on with a run that paused; None: ``bridge-run resume`` and the run's id.
    ``resumable``: it also goes on with one that failed or was stopped, which is told.
    """
    ink = Ink(colour)
    command = resume or f"bridge-run resume {one_line(result['run'])}"
    paused = paused_text(result["questions"], command)
    parts = [[_headline(result, ink)], [paused] if paused else [], list(_steps(result, ink))]
    parts += [list(_warnings(result, ink)), list(_artifacts(result))]
    parts.append([ink.faint(f"record: {one_line(journal)}")])
    if resumable and result["status"] in ("failed", "cancelled"):
        parts[-1].append(f"go on with: {command}")
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def outputs_text(result: Mapping[str, Any]) -> str:
    """The outputs for stdout: one alone is its text as it is; of several, each has its name before it.

    What is not text stands as JSON. Empty without outputs, else ends with a newline.
    """
    outputs: Mapping[str, Any] = result["outputs"]
    if len(outputs) == 1:
        [only] = outputs.values()
        return _ended(_value(only))
    blocks = []
    for name, value in outputs.items():
        text = _value(value)
        blocks.append(_ended(f"{name}:\n{text}" if "\n" in text.rstrip("\n") else f"{name}: {text}"))
    return "\n".join(blocks)


def result_json(result: Mapping[str, Any]) -> str:
    """The result as ``--output json`` prints it: indented, strict JSON, ends with a newline."""
    return encode_json(result, indent=2).decode() + "\n"


def _headline(result: Mapping[str, Any], ink: Ink) -> str:
    status = _paint(result["status"], result["status"], ink)
    line = f"{one_line(result['workflow'])} {status} after {show_seconds(result['seconds'])}: "
    if result["status"] == "paused":
        count = len(result["questions"])
        line += f"waiting for {count:,} answer" + "s" * (count != 1)
        failed = sum(step["status"] == "failed" for step in result["steps"].values())
        line += f", {failed:,} failed" if failed else ""
    else:
        count = len(result["steps"])
        said = _counts(result["steps"].values())
        line += f"{count:,} step" + "s" * (count != 1) + (f", {said}" if said else "")
    error = result["error"]
    return line if error is None else f"{line}\n{_error(error, ink)}"


def _counts(steps: Iterable[Mapping[str, Any]]) -> str:
    """``3 succeeded, 1 failed``."""
    counts = Counter(step["status"] for step in steps)
    return ", ".join(f"{counts[status]:,} {status}" for status in _STATUSES if counts[status])


def _steps(result: Mapping[str, Any], ink: Ink) -> Iterator[str]:
    steps: Mapping[str, Mapping[str, Any]] = result["steps"]
    shown = {name: step for name, step in steps.items() if len(steps) <= _ALL_SHOWN or step["status"] != "succeeded"}
    names = min(max((len(name) for name in shown), default=0), 24)
    statuses = max((len(step["status"]) for step in shown.values()), default=0)
    for name, step in shown.items():
        status = _paint(step["status"], pad(step["status"], statuses), ink)
        yield f"  {status}  {pad(name, names)}  {_facts(step)}".rstrip()
        yield from _failure(step["error"], list(troubles(name, step)), ink)
    if len(shown) < len(steps):
        yield f"  and {len(steps) - len(shown):,} that succeeded"


def _failure(error: Mapping[str, str] | None, found: Sequence[Trouble], ink: Ink) -> Iterator[str]:
    """The errors of a step: its own, unless it only tells one of its parts again, and those of its parts."""
    told = "" if error is None else error.get("message", "")
    again = any(words and words in told for words in (one.error.get("message", "") for one in found))
    if error is not None and not again:
        yield _message(error, ink)
    yield from _parts(found, ink)
    if error is not None:
        yield from _advice(error, ink)


def _parts(found: Sequence[Trouble], ink: Ink) -> Iterator[str]:
    """The items and called steps that failed, each with its error."""
    for trouble in found[:_ITEMS]:
        error = trouble.error
        if len(found) > _WHOLE_ERRORS:
            error = {"kind": error.get("kind", "bug"), "message": error.get("message", "").strip().split("\n")[0]}
        status = "" if trouble.status == "failed" else f" {_paint(trouble.status, trouble.status, ink)}:"
        yield f"    {ink.bold(one_line(trouble.unit))}:{status} {_message(error, ink).lstrip()}"
    if len(found) > _ITEMS:
        yield f"    and {len(found) - _ITEMS:,} more with errors; the record has them"


def _facts(step: Mapping[str, Any]) -> str:
    if step["reason"] and not step["attempts"]:
        return one_line(step["reason"])
    tokens = step["usage"]["prompt_tokens"] + step["usage"]["completion_tokens"]
    facts = [
        f"{show_seconds(step['seconds']):>5}" if _worked(step) else "",
        show_tokens(tokens) if tokens else "",
        one_line(_models(step)) + _instead_of(step["fallbacks"]),
        f"{step['attempts']} attempts" if step["attempts"] > max(1, step["repeats"] or 0) else "",
        f"{step['repeats']} rounds" if step["repeats"] else "",
        _items(step),
        one_line(step["reason"] or ""),
    ]
    return "  ".join(filter(None, facts))


def _worked(step: Mapping[str, Any]) -> bool:
    return bool(step["attempts"] or step["seconds"]) and step["status"] != "waiting"


def _items(step: Mapping[str, Any]) -> str:
    """``10 items, 9 succeeded, 1 failed``; of a called workflow how many of its steps came to what."""
    if step["items"]:
        return f"{show_items(len(step['items']))}, {_counts(step['items'])}"
    if step["items"] is not None:
        return show_items(0)
    steps = step["steps"]
    return "" if not steps else f"{len(steps)} step{'s' * (len(steps) != 1)}, {_counts(steps.values())}"


def _models(step: Mapping[str, Any]) -> str:
    """The model of a step, or those that its items had."""
    several = dict.fromkeys(item["model"] for item in step["items"] or () if item["model"])
    return step["model"] or ", ".join(several)


def _instead_of(fallbacks: Sequence[Mapping[str, str]]) -> str:
    """`` instead of qwen/qwen3-8b (crash)``: the models that failed before the one that answered."""
    failed = [f"{one_line(fallback['model'])} ({fallback['kind']})" for fallback in fallbacks]
    return f" instead of {', '.join(failed)}" if failed else ""


def _error(error: Mapping[str, str], ink: Ink) -> str:
    """The message, its further lines below it, and what to do."""
    return "\n".join([_message(error, ink), *_advice(error, ink)])


def _advice(error: Mapping[str, str], ink: Ink) -> Iterator[str]:
    advice = error.get("hint") or _ADVICE.get(error.get("kind", "bug"))
    if advice:
        yield f"    {ink.bold('help')}: {one_line(advice)}"


def _message(error: Mapping[str, str], ink: Ink) -> str:
    first, *rest = _bounded(harmless(error.get("message", "")).rstrip().split("\n"))
    rows = [f"    {ink.error(error.get('kind', 'bug'))}: {first}", *(f"      {row}" for row in rest)]
    return "\n".join(row.rstrip() for row in rows)


def _bounded(lines: list[str]) -> list[str]:
    """A message as far as a person reads it on the way: its beginning and, of a command's output, the end."""
    left = len(lines) - _HEAD - _TAIL
    if left > 1:
        lines = [*lines[:_HEAD], f"… {left:,} lines left out; the record has them …", *lines[-_TAIL:]]
    return [fit(line, _LINE) for line in lines]


def _warnings(result: Mapping[str, Any], ink: Ink) -> Iterator[str]:
    for warning in result["warnings"]:
        yield f"{ink.warning('warning')}: {one_line(warning)}"
    found = list(warnings(result["steps"]))
    for unit, warning in found[:_LISTED]:
        yield f"{ink.warning('warning')}: {one_line(unit)}: {one_line(warning)}"
    if len(found) > _LISTED:
        yield f"and {len(found) - _LISTED:,} more warnings; the record has them"


def _artifacts(result: Mapping[str, Any]) -> Iterator[str]:
    """The files that the steps kept, once each."""
    kept = list(artifacts(result["steps"]))
    for unit, path in kept[:_LISTED]:
        yield f"kept by {one_line(unit)}: {one_line(path)}"
    if len(kept) > _LISTED:
        yield f"and {len(kept) - _LISTED:,} more files"


def _paint(status: str, text: str, ink: Ink) -> str:
    if status == "succeeded":
        return ink.good(text)
    if status in ("failed", "cancelled"):
        return ink.error(text)
    return ink.warning(text)


def _value(value: Any) -> str:
    """Text as it is, but without halves of surrogate pairs, which no stream can encode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return encode_json(value, indent=2).decode()


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
