"""The tools about workflow files: run one, check one, list them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tool import Tool
from runner.app.bridge.workflows.offered import SHARED, WorkflowFile, find_file, read_files, tool_names
from runner.app.bridge.workflows.run import RUN_SCHEMA, Wish, default_model, run_file
from runner.app.check.check import check, good_text, outside_findings
from runner.app.problem import source_reader
from runner.app.request import CheckRequest
from runner.chat.offer import Offer, Progress
from runner.show.findings.findings import finding_json
from runner.show.problems import render
from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import UsageError, WorkflowError
from runner.workflow.document import parse_document
from runner.workflow.load import load_document

_TEXT_NAME: Final = "<text>"


async def run_workflow(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Run the file that is named.

    Raises:
        BridgeError: as ``run_file``.
    """
    word = arguments["workflow"]
    wish = Wish(
        file=await asyncio.to_thread(find_file, word, house.settings.folder),
        inputs=arguments["inputs"],
        model=arguments["model"],
        models=arguments["models"],
        answers=arguments["answers"],
    )
    return await run_file(house, wish, progress)


async def check_workflow(house: BridgeHouse, arguments: Mapping[str, Any], _: Progress) -> Mapping[str, Any]:
    """``{ok, file, findings, text}``; a file that is at fault is a finding, no error of the tool.

    Raises:
        UsageError: there is no such file.
    """
    word, text = arguments["workflow"], arguments["text"]
    if (word is None) == (text is None):
        raise UsageError("give either `workflow` or `text`", hint="`workflow` names a file, `text` is one that is new")
    if text is not None:
        return await asyncio.to_thread(_check_text, text)
    file = await asyncio.to_thread(find_file, word, house.settings.folder)
    request = CheckRequest(
        paths=(file,),
        endpoints=house.settings.endpoints,
        config=house.settings.config,
        default_model=await default_model(house),
        offline=arguments["offline"],
    )
    report = await asyncio.to_thread(check, request, house.environment)
    findings = (*report.findings, *outside_findings(report))
    return _checked(file, findings, good=good_text(report), ok=not has_errors(findings))


def _check_text(text: str) -> Mapping[str, Any]:
    try:
        findings = tuple(load_document(parse_document(text, _TEXT_NAME)).warnings)
    except WorkflowError as error:
        findings = error.diagnostics
    return _checked(_TEXT_NAME, findings, good="the text is a right workflow", ok=not has_errors(findings), text=text)


def _checked(
    file: str, findings: tuple[Diagnostic, ...], *, good: str, ok: bool, text: str | None = None
) -> Mapping[str, Any]:
    source = source_reader() if text is None else lambda _: text
    said = render(findings, source).strip() if findings else good
    return {"ok": ok, "file": file, "findings": [finding_json(one) for one in findings], "text": said}


async def list_workflows(house: BridgeHouse, _: Mapping[str, Any], __: Progress) -> Mapping[str, Any]:
    """``{workflows, folder}``; a broken file is listed with its findings and without a tool."""
    files = await asyncio.to_thread(read_files, house.settings.folder)
    names = tool_names(files)
    rows = [_row(file, names.get(file.path)) for file in files]
    hint = None if rows else "there is no workflow file in `workflows/`; `bridge-run init` writes a first one"
    return {"workflows": rows, "folder": str(house.settings.folder), "hint": hint}


def _row(file: WorkflowFile, tool: str | None) -> Mapping[str, Any]:
    row: dict[str, Any] = {"file": file.path, "tool": tool, "ok": file.workflow is not None}
    if file.workflow is not None:
        inputs = file.workflow.inputs.values()
        row |= {
            "name": file.workflow.name,
            "description": file.workflow.description,
            "inputs": {one.name: {**one.schema, "required": one.required} for one in inputs},
            "models": {alias: wish.id for alias, wish in file.workflow.models.items()},
        }
    return row | {"findings": [finding_json(one) for one in file.findings]}


_FINDINGS: Final = {"type": "array", "items": {"type": "object", "required": ["code", "level", "message", "file"]}}
_NAME: Final = "Name of a workflow of `list_workflows`, or the path of its file in the folder that is served."
WORKFLOW_TOOLS: Final = (
    Tool(
        offer=Offer(
            name="run_workflow",
            title="Run a workflow",
            description=(
                "Runs a checked-in workflow: steps of local models, tools and commands, as its file says. Its models "
                "and inputs are checked before anything starts. A run that waits for an answer has `status: paused`."
            ),
            input_schema={
                "type": "object",
                "required": ["workflow"],
                "properties": {
                    "workflow": {"type": "string", "minLength": 1, "description": _NAME},
                    "inputs": {"type": "object", "default": {}, "description": "Name of each input → its value."},
                    **SHARED,
                },
                "additionalProperties": False,
            },
            output_schema=RUN_SCHEMA,
            destructive=True,
            open_world=True,
        ),
        work=run_workflow,
        long=True,
    ),
    Tool(
        offer=Offer(
            name="check_workflow",
            title="Check a workflow",
            description=(
                "Checks a workflow file, or the text of one that is not written yet, and runs nothing. Gives every "
                "finding with its line and what to do."
            ),
            input_schema={
                "type": "object",
                "properties": {
                    "workflow": {"type": ["string", "null"], "minLength": 1, "default": None, "description": _NAME},
                    "text": {
                        "type": ["string", "null"],
                        "default": None,
                        "description": "The YAML of a workflow, instead of `workflow`.",
                    },
                    "offline": {"type": "boolean", "default": False, "description": "Do not look for its models."},
                },
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "required": ["ok", "file", "findings", "text"],
                "properties": {
                    "ok": {"type": "boolean"},
                    "file": {"type": "string"},
                    "findings": _FINDINGS,
                    "text": {"type": "string"},
                },
            },
            read_only=True,
            idempotent=True,
        ),
        work=check_workflow,
    ),
    Tool(
        offer=Offer(
            name="list_workflows",
            title="List workflows",
            description="Lists the workflow files of the project, with inputs, models, and what is wrong with them.",
            input_schema={"type": "object", "properties": {}, "additionalProperties": False},
            output_schema={
                "type": "object",
                "required": ["workflows", "folder", "hint"],
                "properties": {
                    "workflows": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["file", "tool", "ok", "findings"],
                            "properties": {
                                "file": {"type": "string"},
                                "tool": {"type": ["string", "null"]},
                                "ok": {"type": "boolean"},
                                "name": {"type": "string"},
                                "description": {"type": "string"},
                                "inputs": {"type": "object"},
                                "models": {"type": "object"},
                                "findings": _FINDINGS,
                            },
                        },
                    },
                    "folder": {"type": "string"},
                    "hint": {"type": ["string", "null"]},
                },
            },
            read_only=True,
            idempotent=True,
        ),
        work=list_workflows,
    ),
)
