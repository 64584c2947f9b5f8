"""Tool servers with their templates filled in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.server_text import announced_server, rendered_server
from runner.app.surroundings import imported
from runner.words.errors import TemplateError
from runner.workflow.model import Server, Workflow

SERVER = Server(
    name="far",
    path=(),
    url="https://example.org/{{ inputs.path }}?run={{ run.id }}",
    headers={"Authorization": "Bearer {{ secrets.TOKEN }}"},
)
WORKFLOW = Workflow(name="demo", file="demo.yaml", folder=".", secrets=("TOKEN",))


def test_a_server_as_it_is_started() -> None:
    names = {"inputs": {"path": "src"}, "secrets": {"TOKEN": "s3cret"}, "run": {"id": "r1"}}
    started = rendered_server(SERVER, names)
    assert (started.url, started.headers) == ("https://example.org/src?run=r1", {"Authorization": "Bearer s3cret"})
    with pytest.raises(TemplateError):
        rendered_server(SERVER, {"inputs": {}})


def test_a_server_as_a_plan_shows_it() -> None:
    shown = announced_server(SERVER, WORKFLOW, {"path": "src"})
    assert shown.url == "https://example.org/src?run={{ run.id }}"
    assert shown.headers == SERVER.headers
    assert announced_server(SERVER, WORKFLOW, {}) == SERVER


def test_braces_out_of_a_clients_file_are_no_templates(tmp_path: Path) -> None:
    """Its author means them for the server: ``docker ps --format {{.Names}}``."""
    (tmp_path / "mcp.json").write_text(
        json.dumps({"mcpServers": {"far": {"command": "{{ x }}", "args": ["{{.Names}}"], "env": {"A": "{% if %}"}}}})
    )
    workflow = replace(WORKFLOW, folder=str(tmp_path))
    found = imported(Server(name="far", path=(), source="mcp.json"), workflow, {})
    assert rendered_server(found, {"inputs": {}}) == found
    assert (found.command, found.args, dict(found.env)) == ("{{ x }}", ("{{.Names}}",), {"A": "{% if %}"})
