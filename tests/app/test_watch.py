"""Whoever watches a bridge: autonomous tasks, verifications, and the runs of both, in one file of metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.servers import python_server
from kit.simulator import simulator
from prometheus_client.parser import text_string_to_metric_families

from runner.app.bridge.autonomous.autonomous import run_autonomous
from runner.app.bridge.autonomous.task import AutonomousTask
from runner.app.bridge.autonomous.tools import AUTONOMOUS_TOOLS
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.request import WatchOptions
from runner.app.validator import ModelValidator
from runner.app.watch import Watch, wants_traces, watching
from runner.record.measures import Verification
from runner.words.errors import LLMConnectionError, ModelNotFoundError

SCRIPT = {"models": {"small/one": {"loaded": {"context_length": 8192}, "turns": [{"say": "Noon.", "times": 50}]}}}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))


@pytest.fixture
def studio() -> Iterator[str]:
    with simulator(SCRIPT) as url:
        yield url


def refuse(complaint: str) -> None:
    raise AssertionError(complaint)


def watched(url: str, work: Callable[[BridgeHouse], Coroutine[Any, Any, None]]) -> dict[tuple[str, ...], float]:
    """The metrics that are left when a house has done this work."""

    async def whole(watch: Watch) -> None:
        house = BridgeHouse(BridgeSettings(endpoints=(url,)), dict(os.environ), watchers=watch.listeners)
        house.task_watchers = watch.tasks
        for watcher in watch.verifications:
            house.validator.watch(watcher)
        try:
            await work(house)
        finally:
            await house.close()

    with watching(WatchOptions(metrics_file="m.prom"), {}, complain=refuse) as watch:
        asyncio.run(whole(watch))
    families = text_string_to_metric_families(Path("m.prom").read_text("utf-8"))
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_tasks_are_measured_and_so_are_their_runs(studio: str):
    async def work(house: BridgeHouse) -> None:
        tasks = [
            run_autonomous(house, AutonomousTask(task="What time is it?"), mcp_label=label)
            for label in ("clock", "clock", "files")
        ]
        await asyncio.gather(*tasks)
        with pytest.raises(ModelNotFoundError):
            await run_autonomous(house, AutonomousTask(task="x", model="big/one"), mcp_label="clock")

    shown = watched(studio, work)
    assert shown["lms_autonomous_task_rounds_sum", "clock"] == 2
    assert shown["lms_autonomous_task_rounds_count", "clock"] == 3
    assert shown["lms_autonomous_task_rounds_sum", "files"] == 1
    assert shown["lms_autonomous_task_duration_seconds_count", "clock", "success"] == 2
    assert shown["lms_autonomous_task_duration_seconds_count", "clock", "model_not_found"] == 1
    assert shown["lms_autonomous_task_duration_seconds_count", "files", "success"] == 1
    assert shown["bridge_run_runs_total", "succeeded"] == 3
    assert shown["bridge_run_answers_total", "small/one"] == 3
    assert shown["lms_model_verification_attempts_total", "small/one", "found"] == 3
    assert shown["lms_model_verification_attempts_total", "big/one", "not_found"] >= 1
    assert shown["lms_active_models",] == 0


def test_a_tool_asks_once_for_its_model(studio: str):
    async def work(house: BridgeHouse) -> None:
        (tool,) = (one for one in AUTONOMOUS_TOOLS if one.offer.name == "autonomous_with_mcp")
        await tool.work(house, {"mcp_name": "clock", "task": "What time is it?"}, _unheard)

    Path(".mcp.json").write_text(json.dumps({"mcpServers": {"clock": {"command": python_server("mcp-server-time")}}}))
    shown = watched(studio, work)
    assert shown["lms_model_verification_attempts_total", "small/one", "found"] == 1
    assert shown["lms_autonomous_task_rounds_count", "clock"] == 1


async def _unheard(done: float, total: float | None, words: str) -> None:
    """A host that asked for no progress."""


def test_a_validator_tells_what_it_found_and_whether_it_had_to_ask(studio: str):
    asked: list[Verification] = []

    async def work() -> None:
        async with ModelValidator(studio, attempts=1) as validator:
            validator.watch(asked.append)
            await validator.validate("small/one")
            await validator.validate()
            with pytest.raises(ModelNotFoundError):
                await validator.validate("big/one")

    asyncio.run(work())
    assert [(one.model, one.result, one.cached) for one in asked] == [
        ("small/one", "found", False),
        ("small/one", "found", True),
        ("big/one", "not_found", True),
    ]
    assert asked[0].seconds > 0


def test_a_validator_tells_that_nobody_answered():
    asked: list[Verification] = []

    async def work() -> None:
        async with ModelValidator("http://127.0.0.1:9", attempts=1) as validator:
            validator.watch(asked.append)
            with pytest.raises(LLMConnectionError):
                await validator.validate("small/one")

    asyncio.run(work())
    assert [(one.model, one.result, one.cached) for one in asked] == [("small/one", "error", False)]


def test_nobody_is_told_where_nobody_asks():
    with watching(WatchOptions(), {}, complain=refuse) as watch:
        assert watch == Watch()


def test_a_log_leaves_logging_as_it_was(capsys: pytest.CaptureFixture[str]):
    logger = logging.getLogger("bridge_run")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with watching(WatchOptions(log_format="json", log_level="warning"), {}, complain=refuse):
        logger.info("unheard")
        logger.warning("heard by %s", "all")
    assert (logger.level, logger.propagate, [one for one in logger.handlers if one in before[2]]) == before
    said = capsys.readouterr().err
    assert '"level":"warning","event":"log","logger":"bridge_run","message":"heard by all"' in said
    assert "unheard" not in said


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, True),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
    ],
)
def test_traces_are_wanted_where_the_environment_says_so(environment, wanted):
    assert wants_traces(environment) is wanted
