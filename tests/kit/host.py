"""An MCP host: the SDK's client before a real ``bridge-run serve``, over stdin and stdout or over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from kit.project import BRIDGE_RUN, Project, wait_until

WIRES = ("stdio-2025", "stdio-2026", "http-2025", "http-2026")
TOKEN = "a-token-that-nobody-can-guess"
_MODES = {"2025": "legacy", "2026": "auto"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a call gave: the object, the text, whether it is an error, and what was told meanwhile."""

    structured: dict[str, Any]
    text: str
    is_error: bool
    progress: list[tuple[float, float | None, str | None]]

    @property
    def error(self) -> dict[str, Any]:
        assert self.is_error, self.structured
        found: dict[str, Any] = self.structured["error"]
        return found


class Host:
    """``call`` as a host calls; a call without ``patience`` waits for ever."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def call(self, name: str, /, *, patience: float | None = None, **arguments: Any) -> Said:
        told: list[tuple[float, float | None, str | None]] = []

        async def hear(done: float, total: float | None, message: str | None) -> None:
            told.append((done, total, message))

        result = await self.client.call_tool(name, arguments, read_timeout_seconds=patience, progress_callback=hear)
        (content,) = result.content
        return Said(result.structured_content, content.text, bool(result.is_error), told)

    async def tools(self) -> dict[str, Any]:
        listed = await self.client.list_tools(cache_mode="refresh")
        return {tool.name: tool for tool in listed.tools}


@asynccontextmanager
async def host(
    project: Project, wire: str, *options: str, url: str | None = None, log: Any = None
) -> AsyncIterator[Host]:
    """A host on one of ``WIRES``; it starts the server itself, or for HTTP one is started beside unless there is a url.

    ``log`` is a file that gets the stderr of a server over stdio.
    """
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    kind, _, year = wire.partition("-")
    if kind == "stdio":
        with tempfile.TemporaryFile("w+") as nowhere:
            server = StdioServerParameters(
                command=BRIDGE_RUN, args=["serve", *options], cwd=project.folder, env=project.environment
            )
            async with Client(stdio_client(server, errlog=log or nowhere), mode=_MODES[year]) as client:
                yield Host(client)
        return
    with served(project, *options, at=url) as found:
        async with http_client(found) as transport, Client(transport, mode=_MODES[year]) as client:
            yield Host(client)


@asynccontextmanager
async def http_client(url: str, token: str = TOKEN) -> AsyncIterator[Any]:
    """A transport with the token."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300)) as http:
        yield streamable_http_client(url, http_client=http)


@contextmanager
def served(project: Project, *options: str, at: str | None = None) -> Iterator[str]:
    """A server over HTTP with ``TOKEN``; gives its address. ``at``: there is one already."""
    if at is not None:
        yield at
        return
    process, url = serving(project, *options)
    try:
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def serving(project: Project, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Start a server over HTTP with ``TOKEN``, and wait until it says where it listens."""
    err = project.folder.parent / f"serve-{os.urandom(4).hex()}.err"
    with err.open("w") as file:
        process = subprocess.Popen(
            [BRIDGE_RUN, "serve", "--http", "0", *options],
            cwd=project.folder,
            env={**project.environment, "BRIDGE_RUN_SERVE_TOKEN": TOKEN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    project.started.append(process)

    def said() -> bool:
        assert process.poll() is None, err.read_text()
        return "serves" in err.read_text()

    wait_until(said, "the server says where it listens")
    found = re.search(r"http://\S+/mcp", err.read_text())
    assert found is not None
    return process, found[0]
