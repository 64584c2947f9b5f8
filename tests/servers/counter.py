"""An MCP server that counts its calls in memory: who is asked first tells which process one talks to.

Its argument is a file to which each process adds a line when it starts, so that tests can count processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("counter")
calls = 0


@server.tool()
def count() -> str:
    """How often this process was asked, this time included."""
    global calls
    calls += 1
    return str(calls)


@server.tool()
def place() -> str:
    """The folder in which this process was started."""
    return str(Path.cwd())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with Path(sys.argv[1]).open("a") as log:
            log.write(f"{os.getpid()}\n")
    server.run()
