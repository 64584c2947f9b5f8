"""Where the tests find real MCP servers, and how they see which processes are left."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Everything:
    """server-everything on a port, until it is killed."""

    def __init__(self, wire: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [node_server("mcp-server-everything"), wire],
            env={**os.environ, "PORT": str(self.port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("server-everything does not listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


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


def left_of(group: int) -> list[int]:
    """What is left of a group that was ended; what was killed may take a moment to be gone."""
    deadline = time.monotonic() + 3
    while (left := members(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
