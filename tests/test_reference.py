"""The reference pages say what tools, signatures and docstrings say, and every part of those says something."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import runner
from runner.record.events import EVENTS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/reference"
PAGES = ("reference-tools.md", "reference-python.md")
NOBODY = {"model": "nobody/has-it"}
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
PICTURE = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/cat.png"}}
TASK = {"task": "Hello"}
PROVOKED: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("autonomous_with_mcp", {**TASK, **NOBODY, "mcp_name": "clock"}, "ModelNotFoundError"),
    ("autonomous_with_mcp", {**TASK, "mcp_name": "clok"}, "McpNotFoundError"),
    ("autonomous_with_mcp", {**TASK, "mcp_name": "broken"}, "CannotServeError"),
    ("autonomous_with_multiple_mcps", {**TASK, **NOBODY, "mcp_names": ["clock"]}, "ModelNotFoundError"),
    ("autonomous_with_multiple_mcps", {"task": " ", "mcp_names": ["clock"]}, "UsageError"),
    ("autonomous_discover_and_execute", {**TASK, **NOBODY}, "ModelNotFoundError"),
    ("run_workflow", {**NOBODY, "workflow": "greet"}, "ModelNotFoundError"),
    ("run_workflow", {"workflow": "gret"}, "UsageError"),
    ("run_workflow", {"workflow": "greet", "inputs": {"whom": "Ada"}}, "UsageError"),
    ("run_workflow", {"workflow": "workflows/bad.yaml"}, "WorkflowError"),
    ("run_workflow", {"workflow": "fails"}, "RunFailedError"),
    ("workflow_greet", NOBODY, "ModelNotFoundError"),
    ("check_workflow", {}, "UsageError"),
    ("start_task", {"tool": "run_workflows"}, "ToolNotFoundError"),
    ("start_task", {"tool": "list_models"}, "UsageError"),
    ("start_task", {"tool": "run_workflow", "arguments": {}}, "ArgumentsError"),
    ("task_status", {"task_id": "task-0"}, "TaskNotFoundError"),
    ("task_result", {"task_id": "task-0"}, "TaskNotFoundError"),
    ("cancel_task", {"task_id": "task-0"}, "TaskNotFoundError"),
    ("chat_completion", {**HELLO, **NOBODY}, "ModelNotFoundError"),
    ("chat_completion", {"messages": [{"role": "user", "content": "word " * 50_000}]}, "ContextError"),
    ("chat_completion", {"messages": [{"role": "user", "content": [PICTURE]}]}, "LLMValidationError"),
    ("text_completion", {**NOBODY, "prompt": "Once"}, "ModelNotFoundError"),
    ("create_response", {**NOBODY, "input": "Hello"}, "ModelNotFoundError"),
    ("create_response", {"input": "Hello", "tool_choice": "required"}, "LLMValidationError"),
    ("generate_embeddings", {**NOBODY, "input": "a"}, "ModelNotFoundError"),
    ("generate_embeddings", {"input": "a", "model": "qwen/qwen3-8b"}, "LLMValidationError"),
    ("list_models", {"endpoint": "elsewhere"}, "UsageError"),
    ("list_loaded_models", {"endpoint": "elsewhere"}, "UsageError"),
    ("list_downloaded_models", {"endpoint": "elsewhere"}, "UsageError"),
    ("server_status", {"endpoint": "elsewhere"}, "UsageError"),
    ("load_model", NOBODY, "ModelNotFoundError"),
    ("ensure_model_loaded", NOBODY, "ModelNotFoundError"),
    ("unload_model", NOBODY, "ModelNotFoundError"),
    ("download_model", {}, "UsageError"),
    ("download_model", NOBODY, "LLMValidationError"),
)
FAILS = "version: 1\nname: fails\nsteps: [{id: a, run: ['false']}]\n"
BROKEN = (
    '{"mcpServers": {"clock": {"command": "mcp-server-time"}, "broken": {"command": "x", "env": {"A": "${UNSET}"}}}}'
)


@pytest.fixture(scope="module")
def reference() -> Iterator[ModuleType]:
    """``import make`` as ``make docs`` does."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("make")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def made(reference: ModuleType) -> Mapping[str, str]:
    """The pages as they are made now."""
    return reference.pages()


def module(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_tools_and_signatures_say(page: str, made: Mapping[str, str]) -> None:
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert made[page] == written, f"docs/{page} says something else: `make docs` writes it anew"


def test_every_page_that_is_made_is_compared(made: Mapping[str, str]) -> None:
    assert tuple(made) == PAGES


def test_every_argument_of_a_tool_says_what_it_means(reference: ModuleType) -> None:
    silent = []
    for offer in asked(lambda desk: desk.offers()):
        properties = offer.input_schema["properties"]
        silent += [f"{offer.name}.{name}" for name, one in properties.items() if not one.get("description", "").strip()]
        assert offer.title, offer.name
        assert offer.description, offer.name
        assert offer.output_schema, offer.name
    assert silent == []


def test_every_tool_has_a_place_and_its_errors_and_none_that_is_gone(reference: ModuleType) -> None:
    page, errors = module("tools_page"), module("tool_errors")
    served = {offer.name for offer in asked(lambda desk: desk.offers())}
    grouped = [name for names in page.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(served)
    assert {*errors.OF_TOOL, page.OF_A_FILE} == served


def test_every_code_of_an_error_exists(reference: ModuleType) -> None:
    errors = module("tool_errors")
    assert errors.named() - {errors.BUG} <= set(errors.by_code())


def test_what_goes_wrong_is_what_the_page_says(reference: ModuleType) -> None:
    """Real calls, each with its own mistake; every tool with an argument that it does not know."""
    errors, examples = module("tool_errors"), module("tool_examples")

    async def story(desk: Any) -> list[tuple[str, str]]:
        write_what_is_at_fault()
        seen = []
        for tool, arguments, _ in PROVOKED:
            said = await examples.ask(desk, tool, arguments)
            seen.append((tool, said.structured.get("error", {}).get("code", "no error")))
        for offer in await desk.offers():
            said = await examples.ask(desk, offer.name, {"x": 1})
            assert said.structured["error"]["code"] == "ArgumentsError", offer.name
        return seen

    seen = asked(story)
    assert seen == [(tool, code) for tool, _, code in PROVOKED]
    for tool, code in seen:
        assert code in (*errors.EVERY, *errors.OF_TOOL.get(tool, errors.RUN)), (tool, code)


def test_no_model_server_is_an_error_of_model_servers(reference: ModuleType) -> None:
    errors, examples = module("tool_errors"), module("tool_examples")
    nowhere = {"BRIDGE_RUN_ENDPOINT": "http://127.0.0.1:1"}
    for tool, arguments in (("list_models", {}), ("get_current_model", {}), ("unload_model", NOBODY)):
        said = asked(lambda desk, one=(tool, arguments): examples.ask(desk, *one), **nowhere)
        assert said.structured["error"]["code"] == "LLMConnectionError"
        assert set(errors.SERVERS) <= set(errors.OF_TOOL[tool])


def test_every_public_name_has_words(reference: ModuleType) -> None:
    silent = []
    for name in runner.__all__:
        value = getattr(runner, name)
        if isinstance(value, str):
            continue
        members = vars(value).items() if inspect.isclass(value) else ()
        faces = {name: value} | {
            f"{name}.{one}": member
            for one, member in members
            if not one.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
        }
        silent += [face for face, one in faces.items() if not (one.__doc__ or "").strip()]
    silent += [event.__name__ for event in EVENTS if not (event.__doc__ or "").strip()]
    assert silent == []


def test_every_public_name_and_event_is_a_heading(made: Mapping[str, str]) -> None:
    titles = {
        line.lstrip("# ").strip("`") for line in made["reference-python.md"].splitlines() if line.startswith("###")
    }
    for name in (*runner.__all__, *(event.__name__ for event in EVENTS)):
        assert {name, f"class {name}"} & titles, name


def write_what_is_at_fault() -> None:
    Path("workflows/fails.yaml").write_text(FAILS, "utf-8")
    Path("workflows/bad.yaml").write_text("version: 1\nname: bad\n", "utf-8")
    Path(".mcp.json").write_text(BROKEN, "utf-8")


def asked(story: Any, **more: str) -> Any:
    """What the story tells of a desk in a project like that of the examples."""
    examples = module("tool_examples")
    with examples.project() as environment:

        async def whole() -> Any:
            async with examples.bridge(environment | more) as desk:
                return await story(desk)

        return asyncio.run(whole())
