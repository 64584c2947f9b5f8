"""Which kind of tool box a server of the file needs."""

from __future__ import annotations

from collections.abc import Mapping

from runner.chat.toolbox import ToolBox
from runner.edges.files.box import FilesBox
from runner.edges.process_group import Offspring
from runner.workflow.model import Server


def make_toolbox(server: Server, *, folder: str, environment: Mapping[str, str], offspring: Offspring) -> ToolBox:
    """A tool box that is not started yet.

    ``server`` must be ready for use: every template in it rendered, and ``from`` already replaced by the entry that it
    names (``client_config.read_client_server``). ``folder`` is where bridge-run was started: ``cwd``, ``root`` and a
    command with a slash are relative to it. ``environment`` is our own; a server sees only a few of its variables. What
    is started is remembered in ``offspring``.

    Raises:
        ToolServerError: the file names a built-in that does not exist.
    """
    if server.builtin is not None:
        return FilesBox.of(server, folder=folder)
    # Imported here: it loads asyncio's subprocesses, which a run without MCP servers does not need.
    from runner.edges.mcp.box import McpToolBox
    from runner.edges.mcp.http import HttpLink
    from runner.edges.mcp.stdio import StdioLink

    if server.url is not None:
        return McpToolBox(server, lambda: HttpLink(server=server))
    return McpToolBox(
        server, lambda: StdioLink(server=server, folder=folder, environment=environment, offspring=offspring)
    )
