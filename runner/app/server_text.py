"""A tool server with the templates of its texts filled in: as it is started, and as a plan may show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.words.errors import TemplateError
from runner.words.templates import render_text
from runner.workflow.model import Server, Workflow


def rendered_server(server: Server, names: Mapping[str, Any]) -> Server:
    """The server with the templates of its texts filled in; those of a client's file are as they are.

    Raises:
        TemplateError: a template met data that it cannot render.
    """
    if server.verbatim:
        return server

    def text(source: str) -> str:
        return render_text(source, names)

    def optional(source: str | None) -> str | None:
        return None if source is None else text(source)

    return replace(
        server,
        command=optional(server.command),
        args=tuple(map(text, server.args)),
        env={key: text(value) for key, value in server.env.items()},
        cwd=optional(server.cwd),
        url=optional(server.url),
        headers={key: text(value) for key, value in server.headers.items()},
        root=text(server.root),
    )


def announced_server(server: Server, workflow: Workflow, inputs: Mapping[str, Any]) -> Server:
    """The server as it will start with these inputs; what a plan must not or cannot know stays as it was written.

    A secret is shown as ``{{ secrets.NAME }}``. A server whose texts cannot be rendered is shown as in the file.
    """
    secrets = {name: f"{{{{ secrets.{name} }}}}" for name in workflow.secrets}
    try:
        return rendered_server(server, {"inputs": inputs, "secrets": secrets, "run": {"id": "{{ run.id }}"}})
    except TemplateError:
        return server
