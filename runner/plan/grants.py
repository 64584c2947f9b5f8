"""Which tools a step may use: the servers it names, cut down by each server's ``tools`` and by the step's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from runner.plan.finding import finding
from runner.plan.plan import ToolGrant
from runner.words.diagnostics import Diagnostic, Note
from runner.words.spans import Path
from runner.words.suggest import did_you_mean
from runner.workflow.model import Server, Step, TaskWork, ToolWork, Workflow

if TYPE_CHECKING:  # a plan is made before any tool server is known
    from runner.chat.toolbox import Tool

EVERYTHING = ("*",)


def grants_for(step: Step, servers: Mapping[str, Server]) -> tuple[ToolGrant, ...]:
    """What a step may use, in the order in which it names its servers; servers of which nothing is left are out."""
    work = step.work
    if isinstance(work, ToolWork):
        return (ToolGrant(server=work.server, patterns=(work.tool,)),)
    if not isinstance(work, TaskWork):
        return ()
    grants = (ToolGrant(server=name, patterns=_patterns(name, work.tools, servers[name])) for name in work.servers)
    return tuple(grant for grant in grants if grant.patterns)


def is_granted(tool: str, grant: ToolGrant, server: Server) -> bool:
    """Whether the step may use that tool of the server: both lists admit it."""
    return admits(grant.patterns, tool) and admits(server.tools, tool)


def granted(tools: Sequence[Tool], grant: ToolGrant, server: Server) -> tuple[Tool, ...]:
    """The tools of a started server that the step may use, in the server's order."""
    return tuple(tool for tool in tools if is_granted(tool.name, grant, server))


def is_glob(pattern: str) -> bool:
    """Whether the pattern may stand for several tools."""
    return any(character in pattern for character in "*?[")


def missing_tools(workflow: Workflow, tools: Mapping[str, Sequence[Tool]]) -> tuple[Diagnostic, ...]:
    """What the steps name and no server offers (BR402), when the servers have listed their tools.

    ``tools`` maps names of servers to what they offer; a server that is not in it is not judged. A tool that a step
    names in full is an error; a pattern that matches nothing and a name in a server's allow-list that is not offered
    are warnings.
    """
    names = {server: tuple(tool.name for tool in offered) for server, offered in tools.items()}
    findings = [*_missing_in_steps(workflow, names), *_missing_in_allow_lists(workflow, names)]
    return tuple(dict.fromkeys(findings))


def offer_names(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The names under which a model sees tools: offered name -> (server, tool), sorted by offered name.

    ``<server>__<tool>`` where that is legal (``[A-Za-z0-9_-]``, at most 64 characters: what OpenAI's API and the
    servers that follow it accept) and unlike every other; else its legal beginning, ``_``, and 8 hexadecimal digits of
    the SHA-256 of the pair. The same pairs give the same names in every run.
    """
    plain: dict[str, list[tuple[str, str]]] = {}
    for server, tool in sorted(set(pairs)):
        plain.setdefault(f"{server}__{tool}", []).append((server, tool))
    names: dict[str, tuple[str, str]] = {}
    altered: list[tuple[str, tuple[str, str]]] = []
    for name, same in plain.items():
        if len(same) == 1 and _is_legal(name):
            names[name] = same[0]
        else:
            altered += [(name, pair) for pair in same]
    for name, pair in altered:
        names[_short_name(name, pair, names)] = pair
    return dict(sorted(names.items()))


def _patterns(server: str, tools: tuple[str, ...] | None, declared: Server) -> tuple[str, ...]:
    if tools is None:
        return EVERYTHING
    mine = [pattern for name, pattern in map(_split, tools) if fnmatchcase(server, name)]
    return tuple(pattern for pattern in dict.fromkeys(mine) if is_glob(pattern) or admits(declared.tools, pattern))


def _split(pattern: str) -> tuple[str, str]:
    server, dot, tool = pattern.partition(".")
    return (server, tool) if dot else (server, "*")


def admits(patterns: Iterable[str], tool: str) -> bool:
    """Whether a name is one of the patterns, or fits one that is a glob."""
    return any(fnmatchcase(tool, pattern) for pattern in patterns)


def _named(workflow: Workflow) -> Iterator[tuple[Path, str, str]]:
    """Every (place, server, tool or glob) that a step writes down, and its servers without a list as ``*``."""
    for step in workflow.steps:
        work = step.work
        if isinstance(work, ToolWork):
            yield (*step.path, "tool"), work.server, work.tool
        elif isinstance(work, TaskWork) and work.tools is None:
            yield from (((*step.path, "mcp_servers", index), name, "*") for index, name in enumerate(work.servers))
        elif isinstance(work, TaskWork):
            for index, (server, pattern) in enumerate(map(_split, work.tools or ())):
                place = (*step.path, "tools", index)
                yield from ((place, name, pattern) for name in work.servers if fnmatchcase(name, server))


def _missing_in_steps(workflow: Workflow, names: Mapping[str, Sequence[str]]) -> Iterator[Diagnostic]:
    for place, server, pattern in _named(workflow):
        if server not in names:
            continue
        admitted = [name for name in names[server] if admits(workflow.servers[server].tools, name)]
        if any(fnmatchcase(name, pattern) for name in admitted):
            continue
        if is_glob(pattern):
            message = f"server `{server}` offers no tool that matches `{pattern}` and its allow-list"
            yield finding(workflow, "BR402", place, message, level="warning", notes=_offers(server, names[server]))
        else:
            message = f"server `{server}` offers no tool `{pattern}`"
            ways = did_you_mean(pattern, admitted) or "name a tool that it offers"
            yield finding(workflow, "BR402", place, message, help=ways, notes=_offers(server, names[server]))


def _missing_in_allow_lists(workflow: Workflow, names: Mapping[str, Sequence[str]]) -> Iterator[Diagnostic]:
    for server, offered in names.items():
        for index, pattern in enumerate(workflow.servers[server].tools):
            if is_glob(pattern) or pattern in offered:
                continue
            message = f"server `{server}` offers no tool `{pattern}`, which its allow-list names"
            place = ("mcp_servers", server, "tools", index)
            yield finding(workflow, "BR402", place, message, level="warning", help=did_you_mean(pattern, offered))


def _offers(server: str, names: Sequence[str]) -> tuple[Note, ...]:
    listed = ", ".join(f"`{name}`" for name in names[:20]) or "nothing"
    rest = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (Note(message=f"`{server}` offers {listed}{rest}"),)


def _is_legal(name: str) -> bool:
    return len(name) <= 64 and name.isascii() and name.replace("-", "_").replace("_", "a").isalnum()


def _short_name(name: str, pair: tuple[str, str], taken: Mapping[str, object]) -> str:
    from hashlib import sha256

    legal = "".join(
        character if character.isascii() and (character.isalnum() or character in "_-") else "_" for character in name
    )
    salt = ""
    while True:
        digits = sha256("\0".join((*pair, salt)).encode()).hexdigest()[:8]
        short = f"{legal[:55]}_{digits}"
        if short not in taken:
            return short
        salt += "+"
