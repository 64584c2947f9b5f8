"""A step of the file becomes a ``Step``, with the file's defaults merged in where they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.words.noun import noun
from runner.words.spans import Path
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import (
    ApproveWork,
    CallWork,
    Expectation,
    OnError,
    Retry,
    RunWork,
    Step,
    StepLimits,
    TaskWork,
    ToolWork,
    Work,
    Workflow,
)
from runner.workflow.reading import Reading, given
from runner.workflow.wish import name_model

Needs = Mapping[str, tuple[str, ...]]
"""The ids of the steps that a step waits for, by its own id."""


@noun
class Defaults:
    """The ``defaults`` of a file: as written, and decoded where that is needed. ``needs`` are those inferred.

    ``callees`` are the workflows that the steps call, by the index of the step; one that is at fault is left out.
    """

    written: Mapping[str, Any]
    timeout: float | None
    retry: Retry
    limits: StepLimits
    needs: Needs
    callees: Mapping[int, Workflow]


def decode_step(reading: Reading, value: Mapping[str, Any], index: int, defaults: Defaults) -> Step:
    """Decode the step at ``index`` of the list."""
    path: Path = ("steps", index)
    needs = value.get("needs", ())
    written_needs = (needs,) if isinstance(needs, str) else tuple(needs)
    retry = read_retry(reading, value["retry"], (*path, "retry")) if "retry" in value else None
    limits = read_limits(reading, value["limits"], (*path, "limits")) if "limits" in value else None
    return Step(
        id=value["id"],
        path=path,
        work=_work(reading, value, index, defaults),
        name=value.get("name"),
        needs=defaults.needs.get(value["id"], written_needs),
        written_needs=written_needs,
        when=_condition(value.get("when")),
        join=value.get("join", "all_succeeded"),
        output_schema=_output_schema(reading, value.get("output")),
        expect=_expectations(reading, value, path),
        repair=value.get("repair", 2),
        retry=replace(defaults.retry, **retry) if retry else defaults.retry,
        limits=replace(defaults.limits, **limits) if limits else defaults.limits,
        on_error=_on_error(value.get("on_error", "fail")),
        effects=value.get("effects"),
        fan_out=_fan_out(value),
        repeat=_repeat(value.get("repeat")),
        artifacts=tuple(value.get("artifacts", ())),
        reads_only=value.get("reads_only", False),
        **_timeout(reading, value, path, defaults),
    )


def read_retry(reading: Reading, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The fields of ``Retry`` that are written down."""
    return given(
        attempts=value.get("attempts"),
        wait=reading.seconds(value, "wait", path),
        max_wait=reading.seconds(value, "max_wait", path),
        on=frozenset(value["on"]) if "on" in value else None,
    )


def read_limits(reading: Reading, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The fields of ``StepLimits`` that are written down."""
    return given(**{**value, "tool_result": reading.size(value, "tool_result", path)})


def _timeout(reading: Reading, value: Mapping[str, Any], path: Path, defaults: Defaults) -> dict[str, float | None]:
    """A call takes as long as its steps, and a question as long as a person: the default of a step is not for them."""
    own = reading.seconds(value, "timeout", path)
    if "approve" in value:
        return {"timeout": None}
    if "workflow" in value:
        return {"timeout": own}
    return given(timeout=own or defaults.timeout)


def _work(reading: Reading, value: Mapping[str, Any], index: int, defaults: Defaults) -> Work:
    path: Path = ("steps", index)
    if "tool" in value:
        server, _, tool = value["tool"].partition(".")
        return ToolWork(server=server, tool=tool, arguments=value.get("arguments", {}))
    if "run" in value:
        return _run(reading, value, path)
    if "workflow" in value:
        callee = defaults.callees.get(index, _AT_FAULT)
        return CallWork(file=value["workflow"], callee=callee, given=value.get("with", {}))
    if "approve" in value:
        patience = reading.seconds(value, "timeout", path)
        choices = given(choices=tuple(value["choices"]) if "choices" in value else None)
        return ApproveWork(question=value["approve"], default=value.get("default"), patience=patience, **choices)
    return _task(reading, value, path, defaults.written)


_AT_FAULT = Workflow(name="", file="", folder="")
"""Stands for a called file that is at fault, while the rules still look at the calling one."""


def _fan_out(value: Mapping[str, Any]) -> FanOut | None:
    over: ForEach | Matrix
    if "for_each" in value:
        items = value["for_each"]
        over = ForEach(items=tuple(items) if isinstance(items, list) else items, name=value.get("as", "item"))
    elif "matrix" in value:
        over = _matrix(value["matrix"])
    else:
        return None
    return FanOut(
        over=over,
        max_parallel=value.get("max_parallel"),
        fail_fast=value.get("fail_fast", False),
        in_order=value.get("order") == "items",
    )


def _matrix(value: Mapping[str, Any]) -> Matrix:
    axes = {name: tuple(values) for name, values in value.items() if name not in ("include", "exclude")}
    return Matrix(axes=axes, include=tuple(value.get("include", ())), exclude=tuple(value.get("exclude", ())))


def _repeat(value: Mapping[str, Any] | None) -> Repeat | None:
    return None if value is None else Repeat(until=value["until"], most=value["max"])


def _task(reading: Reading, value: Mapping[str, Any], path: Path, defaults: Mapping[str, Any]) -> TaskWork:
    own_servers = "mcp_servers" in value
    servers = value["mcp_servers"] if own_servers else defaults.get("mcp_servers", ())
    # The default tools belong to the default servers: a step that chooses its servers chooses its tools as well.
    tools = value.get("tools", None if own_servers else defaults.get("tools"))
    return TaskWork(
        task=value["task"],
        system=value.get("system", defaults.get("system")),
        model=name_model(reading, value.get("model"), (*path, "model")),
        servers=tuple(servers),
        tools=None if tools is None else tuple(tools),
        sampling=value.get("sampling", {}),
        context=value.get("context", "trim"),
        images=tuple(value.get("images", ())),
    )


def _run(reading: Reading, value: Mapping[str, Any], path: Path) -> RunWork:
    shell = value.get("shell", False)
    return RunWork(
        argv=() if shell else reading.words(value, "run", path),
        shell=value["run"] if shell else None,
        stdin=value.get("stdin"),
        cwd=value.get("cwd"),
        env=reading.texts(value, "env", path),
        parse_json="output" in value,
    )


def _condition(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _output_schema(reading: Reading, value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    schema: Mapping[str, Any] | None = reading.schema(value["schema"]) if "schema" in value else value
    return schema


def _expectations(reading: Reading, value: Mapping[str, Any], path: Path) -> tuple[Expectation, ...]:
    at = (*path, "expect")
    return tuple(
        Expectation(
            path=(*at, index),
            that=check.get("that"),
            run=reading.words(check, "run", (*at, index)),
            message=check.get("message"),
        )
        for index, check in enumerate(value.get("expect", ()))
    )


def _on_error(value: Any) -> OnError:
    return OnError(do="output", output=value["output"]) if isinstance(value, Mapping) else OnError(do=value)
