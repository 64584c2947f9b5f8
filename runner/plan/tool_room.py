"""What the tools of a step take of a context: counted as they are offered once their servers have listed them, before
that a guess. Token counts are estimates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from runner.chat.messages import ToolSpec
from runner.chat.tool_schema import offered_schema
from runner.chat.trim import estimate
from runner.plan.grants import admits, granted, is_glob, offer_names
from runner.plan.plan import ToolGrant
from runner.workflow.model import Server, Workflow

if TYPE_CHECKING:
    from runner.chat.toolbox import Tool

NAMED_TOOL_TOKENS: Final = 150
"""Tokens of the schema of one tool that no server has listed yet."""
EVERY_TOOL_TOKENS: Final = 1_500
"""The same for all tools behind one ``*``: ten of them, as common servers have."""
FILES_TOKENS: Final[Mapping[str, int]] = {"edit": 176, "list": 158, "read": 148, "search": 218, "write": 130}
"""Tokens of the schemas of the built-in files; a test holds them to the real ones, which live on a higher floor."""
_READING = ("list", "read", "search")

Listing = tuple[Workflow, str, Sequence["Tool"]]
"""A workflow file, the name of a server in it, and the tools that this server has listed."""


class ToolRoom:
    """``listings`` are those known by now. A server that is started in several ways, as a file is called with several
    inputs, may be in it several times: then the largest counts.
    """

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._listed: dict[tuple[str, str], list[Sequence[Tool]]] = defaultdict(list)
        for workflow, server, tools in listings:
            self._listed[workflow.file, server].append(tools)
        self._counted: dict[tuple[str, ToolGrant], int] = {}  # the steps of a file share a handful of grants

    def corrects(self, workflow: Workflow) -> bool:
        """Whether it knows of a server of the file, or of one called, what could only be guessed before."""
        files = {file.file: file.servers for file in workflow.family}
        return any(files[file][server].builtin is None for file, server in self._listed if file in files)

    def tokens(self, workflow: Workflow, grant: ToolGrant) -> int:
        """What of one server a step of the file may use."""
        server = workflow.servers[grant.server]
        if server.builtin == "files":
            return _files_tokens(grant.patterns, server.tools, write=server.write)
        listings = self._listed.get((workflow.file, grant.server))
        if not listings:
            return _guess(grant, server)
        key = workflow.file, grant
        if key not in self._counted:
            self._counted[key] = max(_offered(granted(tools, grant, server), grant) for tools in listings)
        return self._counted[key]


NOTHING_LISTED: Final = ToolRoom()
"""No server has listed its tools yet."""


def _offered(tools: Iterable[Tool], grant: ToolGrant) -> int:
    by_name = {tool.name: tool for tool in tools}
    names = offer_names((grant.server, tool) for tool in by_name)
    offered = ((name, by_name[tool]) for name, (_, tool) in names.items())
    return estimate((), (ToolSpec(name, tool.description, offered_schema(tool.input_schema)) for name, tool in offered))


def _guess(grant: ToolGrant, server: Server) -> int:
    lists = [patterns for patterns in (grant.patterns, server.tools) if "*" not in patterns]
    return min(map(_unlisted, lists), default=EVERY_TOOL_TOKENS)  # either list bounds what is offered


@lru_cache(maxsize=256)
def _files_tokens(granted: tuple[str, ...], allowed: tuple[str, ...], *, write: bool) -> int:
    from_box = FILES_TOKENS if write else {name: FILES_TOKENS[name] for name in _READING}
    return sum(tokens for name, tokens in from_box.items() if admits(granted, name) and admits(allowed, name))


def _unlisted(patterns: Sequence[str]) -> int:
    """The tokens of tools that nobody has listed yet; several globs find no more of them than ``*`` would."""
    named = [pattern for pattern in dict.fromkeys(patterns) if not is_glob(pattern)]
    return NAMED_TOOL_TOKENS * len(named) + (EVERY_TOOL_TOKENS if any(map(is_glob, patterns)) else 0)
