"""Servers out of the files of other MCP clients: Claude Code and Desktop, VS Code, Cursor, LM Studio.

All of them are JSON with comments: a mapping of servers under ``mcpServers``, or under ``servers`` in VS Code's. Of
such a file only the one entry that a workflow names is read, and its variables are expanded once: ``${VAR}`` and
``${VAR:-default}`` (Claude Code), ``${env:VAR}``, ``${workspaceFolder}``, ``${userHome}`` (VS Code, Cursor). Keys that
mean nothing here are ignored, those whose loss would be dangerous or puzzling are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runner.edges.host_config.jsonc import parse_jsonc
from runner.words.diagnostics import Diagnostic
from runner.words.errors import CannotServeError, WorkflowError
from runner.words.noun import noun
from runner.words.spans import point
from runner.words.suggest import did_you_mean
from runner.workflow.model import Server

CODE = "BR404"
SIZE_LIMIT = 5 * 1024 * 1024  # bytes, as for a workflow file
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_HTTP = re.compile(r"https?://.", re.IGNORECASE)
Transport = Literal["stdio", "http", "sse"]
_TRANSPORTS: Mapping[str, Transport] = {
    "stdio": "stdio", "http": "http", "streamable-http": "http", "streamablehttp": "http", "streamable_http": "http",
    "sse": "sse",
}  # fmt: skip
_BOUND = "write the entry without it into a file of its own, and say by `tools` which of its tools may be used"
_REFUSED = {
    "envFile": "write what it holds under `env`, as `${VAR}` if it is secret",
    "sandboxEnabled": "bridge-run has no sandbox for it; start it inside one, or remove the key",
    "headersHelper": "write the headers under `headers`, with `${VAR}` for what is secret",
    **dict.fromkeys(("disabledTools", "excludeTools", "includeTools"), _BOUND),
}


def read_client_server(file: str, name: str, environment: Mapping[str, str]) -> Server:
    """The server ``name`` of the client file ``file``, ready for use: no templates, no variables, absolute paths.

    Its ``path`` is ``("mcp_servers", name)``; the bounds (``tools``, timeouts) are the defaults.

    Raises:
        WorkflowError: the file cannot be read, is no such file, or its entry is at fault; each finding is BR404.
        CannotServeError: nothing but variables is missing, so another environment would do.
    """
    entry = _entry(file, name)
    reader = _Entry(file=file, name=name, entry=entry, environment=environment)
    reader.refuse_disabled()
    server = reader.server()
    if reader.problems:
        kind = CannotServeError if reader.lacks_variables else WorkflowError
        raise kind(reader.problems)
    return server


@noun
class Judged:
    """An entry that nobody has asked for yet. ``server`` is as far as it is right, and may hold secrets.

    ``problems`` are what keeps it from being started here; ``lacks_variables``: another environment would do.
    """

    transport: Transport
    server: Server
    problems: tuple[Diagnostic, ...]
    lacks_variables: bool


def judge_entry(file: str, name: str, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Judged:
    """What ``read_client_server`` would make of an entry; whether it is disabled is not looked at."""
    reader = _Entry(file=file, name=name, entry=entry, environment=environment)
    server = reader.server()
    return Judged(
        transport="stdio" if server.url is None else server.transport,
        server=server,
        problems=tuple(reader.problems),
        lacks_variables=reader.lacks_variables,
    )


def servers_in(data: Any) -> dict[str, Any]:
    """The entries of a parsed file, in its order; ``mcpServers`` wins over VS Code's ``servers``."""
    servers: dict[str, Any] = {}
    for key in ("servers", "mcpServers"):
        found = data.get(key) if isinstance(data, dict) else None
        servers |= found if isinstance(found, dict) else {}
    return servers


def is_disabled(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is switched off: ``disabled: true``, or ``enabled: false``."""
    return entry.get("disabled") is True or entry.get("enabled") is False


def _entry(file: str, name: str) -> Mapping[str, Any]:
    """What the file says of that server."""
    servers = servers_in(_parsed(file, name))
    entry = servers.get(name)
    if entry is None:
        near = did_you_mean(name, servers)
        known = f"it has {', '.join(f'`{key}`' for key in servers)}" if servers else "it has none"
        raise _error(file, f"there is no MCP server `{name}` in this file; {known}", help_=near or _RENAME)
    if not isinstance(entry, dict):
        raise _error(file, f"the entry of MCP server `{name}` is not a mapping")
    return entry


_RENAME = "the entry must have the name that the workflow gives the server"


def _parsed(file: str, name: str) -> Any:
    try:
        path = Path(file)
        if path.stat().st_size > SIZE_LIMIT:
            raise _error(file, f"MCP server `{name}` comes from this file, and it is larger than 5 MB")
        return parse_jsonc(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise _error(file, f"MCP server `{name}` comes from this file, and it cannot be read: {reason}") from error
    except json.JSONDecodeError as error:
        finding = _finding(file, f"not valid JSON: {error.msg}")
        place = point(error.lineno, error.colno)
        raise WorkflowError([_at(finding, place.line, place.column)]) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or a number beyond all measure
        raise _error(file, f"MCP server `{name}` comes from this file, and it is not valid JSON") from error


def _at(finding: Diagnostic, line: int, column: int) -> Diagnostic:
    return Diagnostic(code=finding.code, message=finding.message, file=finding.file, span=point(line, column))


def _finding(file: str, message: str, *, help_: str | None = None) -> Diagnostic:
    return Diagnostic(code=CODE, message=message, file=file, help=help_)


def _error(file: str, message: str, *, help_: str | None = None) -> WorkflowError:
    return WorkflowError([_finding(file, message, help_=help_)])


@dataclass(slots=True, kw_only=True)
class _Entry:
    """One entry while it is read; problems are collected, so that all of them are told at once."""

    file: str
    name: str
    entry: Mapping[str, Any]
    environment: Mapping[str, str]
    problems: list[Diagnostic] = field(default_factory=list)
    unset: list[Diagnostic] = field(default_factory=list)

    @property
    def lacks_variables(self) -> bool:
        """Whether there are problems, and all of them are variables that are not set."""
        return bool(self.problems) and all(problem in self.unset for problem in self.problems)

    def server(self) -> Server:
        """The server, as far as the entry is right."""
        self._refuse()
        transport = self._transport()
        if transport == "stdio":
            return self._stdio()
        return Server(
            name=self.name,
            path=("mcp_servers", self.name),
            url=self._url(),
            headers=self._texts("headers"),
            transport="sse" if transport == "sse" else "http",
        )

    def _stdio(self) -> Server:
        command = self._command()
        # A bare name is looked up in PATH; with a slash it is a path, relative to the file that names it.
        command = str(self._folder / Path(command).expanduser()) if "/" in command else command
        cwd = self._text("cwd")
        return Server(
            name=self.name,
            path=("mcp_servers", self.name),
            command=command,
            args=self._list("args"),
            env=self._texts("env"),
            cwd=str(self._folder / Path(cwd).expanduser()) if cwd else None,
        )

    @property
    def _folder(self) -> Path:
        return Path(self.file).absolute().parent

    def refuse_disabled(self) -> None:
        """Who is asked for must be switched on."""
        if is_disabled(self.entry):
            key = "disabled" if self.entry.get("disabled") is True else "enabled"
            self._problem(
                f"MCP server `{self.name}` is disabled in this file", f"remove `{key}`, or name another server"
            )

    def _refuse(self) -> None:
        for key, advice in _REFUSED.items():
            if self.entry.get(key):
                self._problem(f"MCP server `{self.name}`: `{key}` is not supported", advice)
        tools = self.entry.get("tools")
        if tools and not (isinstance(tools, list) and "*" in tools):  # all of them is what we offer, too
            self._problem(f"MCP server `{self.name}`: `tools` is not supported", _BOUND)
        for key in ("disabled", "enabled"):
            if not isinstance(self.entry.get(key), bool | None):  # who writes "yes" must not be taken for who says no
                self._problem(f"MCP server `{self.name}`: `{key}` must be true or false")

    def _transport(self) -> Transport:
        """What ``type`` says, else what the keys tell."""
        said = self.entry.get("type")
        has_command, has_url = "command" in self.entry, "url" in self.entry
        if has_command == has_url:
            both = "both `command` and `url`" if has_command else "neither `command` nor `url`"
            self._problem(f"MCP server `{self.name}` has {both}", "write exactly one of them")
            return "stdio"
        inferred: Literal["stdio", "http"] = "stdio" if has_command else "http"
        if said is None:
            return inferred
        transport = _TRANSPORTS.get(said.casefold()) if isinstance(said, str) else None
        if transport is None:
            self._problem(f"MCP server `{self.name}`: unknown `type` {said!r}", "known are stdio, http and sse")
        elif (transport == "stdio") != has_command:
            self._problem(
                f"MCP server `{self.name}`: `type` {said!r} does not go with `{'command' if has_command else 'url'}`"
            )
        return transport or inferred

    def _problem(self, message: str, advice: str | None = None) -> Diagnostic:
        self.problems.append(_finding(self.file, message, help_=advice))
        return self.problems[-1]

    def _text(self, key: str) -> str | None:
        return self._expanded(self.entry[key], key) if key in self.entry else None

    def _command(self) -> str:
        written = self.entry.get("command", "x")  # that it is missing is told elsewhere
        if not isinstance(written, str) or not written.strip():
            self._problem(f"MCP server `{self.name}`: `command` must be the name or the path of a program")
            return ""
        return self._expanded(written, "command") if "command" in self.entry else ""

    def _url(self) -> str | None:
        before = len(self.problems)
        url = self._text("url")
        if len(self.problems) == before and url is not None and not _HTTP.match(url):
            self._problem(f"MCP server `{self.name}`: `url` must begin with http:// or https://")
        return url

    def _list(self, key: str) -> tuple[str, ...]:
        values = self.entry.get(key, [])
        if not isinstance(values, list):
            self._problem(f"MCP server `{self.name}`: `{key}` must be a list")
            return ()
        return tuple(self._expanded(value, f"{key}[{index}]") for index, value in enumerate(values))

    def _texts(self, key: str) -> dict[str, str]:
        values = self.entry.get(key) or {}
        if not isinstance(values, dict):
            self._problem(f"MCP server `{self.name}`: `{key}` must be a mapping")
            return {}
        return {inner: self._expanded(value, f"{key}.{inner}") for inner, value in values.items()}

    def _expanded(self, value: object, where: str) -> str:
        """The text with its variables replaced, once: a value that looks like a variable stays as it is."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._problem(f"MCP server `{self.name}`: `{where}` must be a string")
            return ""
        return _VARIABLE.sub(lambda found: self._value(found[1], where), str(value))

    def _value(self, variable: str, where: str) -> str:
        places = {"workspaceFolder": self._workspace, "userHome": self._home, "pathSeparator": "/", "/": "/"}
        if variable in places:
            return places[variable]
        match = _NAME.fullmatch(variable)
        if match is None:
            self._unknown(variable, where)
            return ""
        value, default = self.environment.get(match[1]), match[2]
        if value or (value is not None and default is None):
            return value
        if default is None:
            message = f"MCP server `{self.name}`: `{where}` needs the variable `{match[1]}`, and it is not set"
            self.unset.append(
                self._problem(message, f"set it: export {match[1]}=…, or give a default: ${{{match[1]}:-…}}")
            )
        return default or ""

    def _unknown(self, variable: str, where: str) -> None:
        asks = variable.startswith("input:")
        reason = "asks a person, and bridge-run runs without one" if asks else "is not a variable that is known here"
        self._problem(
            f"MCP server `{self.name}`: `${{{variable}}}` in `{where}` {reason}",
            "put the value into an environment variable and write `${env:NAME}`",
        )

    @property
    def _workspace(self) -> str:
        """The folder that an editor has open: the one that holds ``.vscode`` or ``.cursor``, else that of the file."""
        folder = self._folder
        return str(folder.parent if folder.name in (".vscode", ".cursor") else folder)

    @property
    def _home(self) -> str:
        return self.environment.get("HOME") or str(Path.home())
