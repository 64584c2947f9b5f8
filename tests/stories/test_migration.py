"""docs/migration.md: every name in its right-hand columns is one of ours."""

from __future__ import annotations

import re

import pytest
from kit.page import DOCS
from kit.project import Project
from kit.stage import CODER, Stage, model
from kit.stdio_host import StdioHost

import runner

TEXT = (DOCS / "migration.md").read_text("utf-8")
ASKED_FOR = {
    "autonomous_with_mcp", "autonomous_with_multiple_mcps", "autonomous_discover_and_execute", "list_available_mcps",
    "health_check", "list_models", "get_current_model", "chat_completion", "text_completion", "create_response",
    "generate_embeddings", "load_model", "unload_model", "ensure_model_loaded", "list_loaded_models",
    "list_downloaded_models", "download_model", "server_status",
}  # fmt: skip
NEW = {
    "run_workflow", "check_workflow", "list_workflows", "start_task", "task_status", "task_result", "cancel_task"
}  # fmt: skip
METRICS = {
    "lms_model_load_attempts_total", "lms_model_load_duration_seconds", "lms_model_verification_attempts_total",
    "lms_model_verification_duration_seconds", "lms_active_models", "lms_circuit_breaker_state",
    "lms_autonomous_task_duration_seconds", "lms_autonomous_task_rounds",
}  # fmt: skip


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables, without heads."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines if not line[0].startswith(("there", "---"))]


def tools() -> dict[str, set[str]]:
    """Our tools on the page, each with the arguments that the page names."""
    calls = (re.match(r"`(\w+)\(([^)]*)\)`", row[1]) for row in rows(section("Tools")) if len(row) > 1)
    return {call[1]: set(re.findall(r"\w+", call[2])) for call in calls if call}


def test_every_function_of_the_bridge_is_on_the_page() -> None:
    assert set(tools()) == ASKED_FOR
    assert {name for name in NEW if f"`{name}`" not in section("Tools")} == set()


def test_every_error_on_the_page_can_be_imported() -> None:
    cells = [re.match(r"(?:\|? ?)`(\w+)`", row[1]) for row in rows(section("Results and errors")) if len(row) > 1]
    names = {cell[1] for cell in cells if cell}
    assert len(names) > 6
    assert [name for name in names if not issubclass(getattr(runner, name), runner.BridgeError)] == []


def test_every_metric_is_on_the_page() -> None:
    assert set(re.findall(r"`(lms_\w+)`", section("Metrics"))) == METRICS


@pytest.mark.unmeasured
def test_every_tool_on_the_page_is_served_with_these_arguments(project: Project, stage: Stage) -> None:
    stage.serve({CODER: model(loaded=True)})
    with StdioHost(project) as host:
        offered = {tool["name"]: tool["inputSchema"] for tool in host.ask("tools/list")["tools"]}
    assert {name for name in (*tools(), *NEW) if name not in offered} == set()
    unknown = {name: sorted(named - set(offered[name].get("properties", {}))) for name, named in tools().items()}
    assert {name: arguments for name, arguments in unknown.items() if arguments} == {}
