"""The simplest host: lines of JSON to ``bridge-run serve`` and back, one question at a time."""

from __future__ import annotations

import json
import subprocess
from types import TracebackType
from typing import Any, Self

from kit.project import BRIDGE_RUN, Project

_CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class StdioHost:
    """``with StdioHost(project) as host: host.ask("tools/list")``; at the end the server has to end by itself."""

    def __init__(self, project: Project, *options: str) -> None:
        self._last = 0
        self._server = subprocess.Popen(
            [BRIDGE_RUN, "serve", *options], cwd=project.folder, env=project.environment, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self.ask("initialize", _CLIENT)
        self._send({"method": "notifications/initialized"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._server:
            assert self._server.stdin is not None
            self._server.stdin.close()
            try:
                self._server.wait(timeout=30)
            finally:
                self._server.kill()
        assert kind is not None or self._server.returncode == 0

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result of a request."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params or {}})
        assert self._server.stdout is not None
        for line in self._server.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._last:
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError("the server has ended")

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._server.stdin.flush()
