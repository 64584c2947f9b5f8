"""Where the tests find real MCP servers, and how they see which processes are left."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from runner.edges.process_group import Offspring
from runner.edges.toolbox import make_toolbox
from runner.workflow.model import Server

TESTS = Path(__file__).parents[1]
ODD = TESTS / "kit" / "odd_server.py"
NODE_FOLDERS = (TESTS / "servers" / "node_modules" / ".bin", TESTS.parent / "node_modules" / ".bin")


def python_server(name: str) -> str:
    """A server installed beside the interpreter: ``mcp-server-git``, ``mcp-server-time``."""
    return str(Path(sys.executable).with_name(name))


def node_server(name: str) -> str:
    """A server installed by npm; the test is skipped where node does not exist."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed here")
    for folder in NODE_FOLDERS:
        if (folder / name).exists():
            return str(folder / name)
    raise AssertionError(f"{name} is not installed: run `npm install` in tests/servers")


class Workbench:
    """Makes tool boxes as the application does, and knows what they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offspring = Offspring()

    def box(self, server: Server):
        return make_toolbox(server, folder=str(self.folder), environment=os.environ, offspring=self.offspring)

    def stdio(self, command: str, *args: str, **bounds):
        return self.box(Server(name="srv", path=("mcp_servers", "srv"), command=command, args=args, **bounds))

    def odd(self, mode: str, extra: str = "", **bounds):
        """The server with that fault."""
        return self.stdio(sys.executable, str(ODD), mode, extra, **bounds)

    def groups(self) -> tuple[int, ...]:
        """The process groups that are alive as far as the application knows."""
        return tuple(self.offspring._groups)


def members(group: int) -> list[int]:
    """The living processes of a group, as /proc has them; zombies do not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(pgrp) == group and state != "Z":
                found.append(int(entry.name))
    return found
