"""Rules about servers and the tools a step may use: BR213, BR214."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.suggest import did_you_mean
from runner.words.templates import has_template
from runner.workflow.rules.view import StepView, View

FILE_TOOLS = ("list", "read", "search", "write", "edit")
"""The tools of ``builtin: files``."""
_WRITING = frozenset(("write", "edit"))


def br213_unknown_server(view: View) -> Iterable[Diagnostic]:
    """A server that ``mcp_servers`` at the top does not define."""
    servers = view.section("mcp_servers")
    for name, path in _named_servers(view):
        if name not in servers and not has_template(name):  # that is BR228
            hint = did_you_mean(name, servers) or "define it under `mcp_servers` at the top of the file"
            yield view.finding("BR213", f"there is no MCP server `{name}`", view.value_span(path), help=hint)


def _named_servers(view: View) -> Iterator[tuple[str, Path]]:
    """Every server that the file names, and where."""
    servers = view.section("mcp_servers")
    for holder, path in _holders(view):
        for index, name in enumerate(holder.get("mcp_servers") or ()):
            yield name, (*path, "mcp_servers", index)
        for index, pattern in enumerate(holder.get("tools") or ()):
            name = _split(pattern)[0]
            if not _excludes(pattern) and (not _is_glob(name) or name in servers):
                yield name, (*path, "tools", index)
    for step in view.steps:
        if isinstance(step.data.get("tool"), str):
            yield _split(step.data["tool"])[0], (*step.path, "tool")


def _holders(view: View) -> Iterator[tuple[Mapping[str, Any], Path]]:
    yield view.section("defaults"), ("defaults",)
    for step in view.steps:
        yield step.data, step.path


def _split(pattern: str) -> tuple[str, str]:
    """``files.read`` as server and tool; a bare server means all of its tools."""
    server, _, tool = pattern.partition(".")
    return server, tool or "*"


def _excludes(pattern: str) -> bool:
    """Whether it begins, or its tool, as other programs exclude something."""
    return "!" in (pattern[:1], _split(pattern)[1][:1])


def _is_glob(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def br214_tool_never_matches(view: View) -> Iterable[Diagnostic]:
    """A tool, or a pattern of tools, that no server of the step can ever offer."""
    yield from _excluding(view)
    yield from _allow_lists(view)
    yield from _patterns(view, view.section("defaults"), ("defaults",), None)
    for step in view.steps:
        if isinstance(step.data.get("tool"), str):
            yield from _judge(view, step.data["tool"], (*step.path, "tool"), None)
        yield from _patterns(view, step.data, step.path, _servers_of(view, step))


def _excluding(view: View) -> Iterable[Diagnostic]:
    """``!git_push``: whoever writes it believes that the tool cannot be used."""
    declared = ((server, ("mcp_servers", name)) for name, server in view.section("mcp_servers").items())
    for holder, path in (*declared, *_holders(view)):
        for index, pattern in enumerate(holder.get("tools") or ()):
            if _excludes(pattern):
                message = f"`{pattern}` excludes nothing: `tools` are those that may be used"
                ways = "name them; a glob such as `git_diff*` stands for several"
                yield view.finding("BR214", message, view.value_span((*path, "tools", index)), help=ways)


def _servers_of(view: View, step: StepView) -> tuple[str, ...]:
    named = step.data.get("mcp_servers", view.section("defaults").get("mcp_servers"))
    return tuple(named or ())


def _allow_lists(view: View) -> Iterable[Diagnostic]:
    """A built-in server's own ``tools``: all of them are known."""
    for name, server in view.section("mcp_servers").items():
        if server.get("builtin") != "files":
            continue
        for index, pattern in enumerate(server.get("tools") or ()):
            if not _excludes(pattern) and not any(fnmatchcase(tool, pattern) for tool in FILE_TOOLS):
                span = view.value_span(("mcp_servers", name, "tools", index))
                yield view.finding(
                    "BR214", f"the built-in files have no tool `{pattern}`", span, help=_file_tool(pattern)
                )


def _patterns(view: View, holder: Mapping[str, Any], path: Path, used: tuple[str, ...] | None) -> Iterable[Diagnostic]:
    for index, pattern in enumerate(holder.get("tools") or ()):
        yield from _judge(view, pattern, (*path, "tools", index), used)


def _judge(view: View, pattern: str, path: Path, used: tuple[str, ...] | None) -> Iterable[Diagnostic]:
    server, tool = _split(pattern)
    servers = view.section("mcp_servers")
    if _excludes(pattern):
        return
    if _is_glob(server):
        if used is not None and not any(fnmatchcase(name, server) for name in used):
            hint = "its servers are " + ", ".join(f"`{name}`" for name in used) if used else "it has no `mcp_servers`"
            yield view.finding("BR214", f"no server of this step matches `{pattern}`", view.value_span(path), help=hint)
        return
    if server not in servers:
        return  # BR213
    if used is not None and server not in used:
        message = f"this step does not use the server `{server}`"
        hint = f"add it: `mcp_servers: [{', '.join((*used, server))}]`"
        yield view.finding("BR214", message, view.value_span(path), help=hint)
        return
    complaint = _impossible(server, servers[server], tool)
    if complaint is not None:
        yield view.finding("BR214", complaint[0], view.value_span(path), help=complaint[1])


def _impossible(name: str, server: Mapping[str, Any], tool: str) -> tuple[str, str | None] | None:
    """Message and hint, if this server cannot offer any tool that the pattern names."""
    allowed = server.get("tools") or ["*"]
    if server.get("builtin") == "files":
        return _impossible_file_tool(name, server, tool, allowed)
    names = allowed if _is_glob(tool) else [tool]
    if any(map(_is_glob, names)):
        return None  # two patterns may meet in a tool that only the server knows
    if any(fnmatchcase(one, tool) and any(fnmatchcase(one, pattern) for pattern in allowed) for one in names):
        return None
    listed = ", ".join(f"`{pattern}`" for pattern in allowed)
    return f"the server `{name}` does not let `{tool}` be used", f"its `tools` are {listed}"


def _impossible_file_tool(
    name: str, server: Mapping[str, Any], tool: str, allowed: list[str]
) -> tuple[str, str | None] | None:
    meant = [one for one in FILE_TOOLS if fnmatchcase(one, tool)]
    if not meant:
        return f"the built-in files have no tool `{tool}`", _file_tool(tool)
    open_to_all = [one for one in meant if any(fnmatchcase(one, pattern) for pattern in allowed)]
    if not open_to_all:
        listed = ", ".join(f"`{pattern}`" for pattern in allowed)
        return f"the server `{name}` does not let `{tool}` be used", f"its `tools` are {listed}"
    if not server.get("write") and all(one in _WRITING for one in open_to_all):
        return (
            f"`{name}.{tool}` changes files, and the server `{name}` is read-only",
            f"give `{name}` the key `write: true`",
        )
    return None


def _file_tool(tool: str) -> str:
    return did_you_mean(tool, FILE_TOOLS) or "they have " + ", ".join(f"`{name}`" for name in FILE_TOOLS)
