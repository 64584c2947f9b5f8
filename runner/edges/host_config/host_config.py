"""The MCP servers that this machine's hosts know: which files there are, and what they say now.

Looked at are, in this order, ``MCP_JSON_PATH``, ``~/.lmstudio/mcp.json``, ``.mcp.json`` in the folder of the project,
``~/.mcp.json``, and ``.mcp.json`` in the folders above the project, up to the home folder or the root. Without merging
the first file that is there is the one. Every question looks again, which is one ``stat`` a file as long as nothing
changed, so an edited, new or vanished file counts at once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from runner.edges.host_config.client_config import CODE, Transport, is_disabled, judge_entry, read_client_server
from runner.edges.host_config.file import Content, Place, WatchedFile, places_in
from runner.edges.host_config.itself import OwnUrls, is_ourselves
from runner.edges.host_config.shown import shown_command, shown_url
from runner.words.diagnostics import Diagnostic
from runner.words.errors import CannotServeError, McpNotFoundError, WorkflowError
from runner.words.noun import noun
from runner.words.spans import point
from runner.words.suggest import did_you_mean
from runner.workflow.model import Server

VARIABLE = "MCP_JSON_PATH"
NAME = ".mcp.json"


@noun
class HostServer:
    """An entry of a host's file. ``file`` is absolute, ``line`` where the entry stands in it if that is known.

    ``command`` or ``url`` are for showing only: what may be a secret is left out of them. ``problem`` says what keeps
    the entry from being started here, such as a variable that is not set.
    """

    name: str
    file: str
    transport: Transport
    line: int | None = None
    command: str | None = None
    url: str | None = None
    disabled: bool = False
    is_self: bool = False
    problem: str | None = None

    @property
    def enabled(self) -> bool:
        """Neither disabled nor ourselves; it may still have a problem."""
        return not self.disabled and not self.is_self


@noun
class HostFile:
    """A file that was looked at, and why (``origin``). ``used``: its servers count; ``error``: why they do not.

    ``skipped``: it is left alone as if it was not there, for the reason that ``error`` gives.
    """

    path: str
    origin: str
    found: bool
    used: bool
    skipped: bool = False
    error: Diagnostic | None = None


class HostConfiguration:
    """All servers of the hosts of this machine. ``folder`` is that of the project, ``environment`` our own.

    ``mcp_json`` is the only file to look at (or several, divided as those of ``PATH``); None looks where hosts keep
    theirs. With ``merge`` the servers of all files count, of two with one name the one of the earlier file.
    ``own_urls`` are addresses at which we serve ourselves.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *,
        mcp_json: str | None = None,
        merge: bool = False,
        own_urls: Collection[str] = (),
    ) -> None:
        self._environment = environment
        self._merge = merge
        self._own = OwnUrls(own_urls)
        self._watched = _places(environment, folder, mcp_json, merge=merge)
        self._contents: tuple[Content | None, ...] | None = None
        self._servers: Mapping[str, HostServer] = MappingProxyType({})
        self._files: tuple[HostFile, ...] = ()
        self._faults: dict[str, WorkflowError] = {}

    def servers(self) -> Mapping[str, HostServer]:
        """All of them, in file order, by name: disabled ones and ourselves too; empty if there is no file.

        Raises:
            WorkflowError: files that should count are broken, and none is right; with a finding each (BR404).
        """
        self._look()
        faults = [file.error for file in self._files if file.error is not None and not file.skipped]
        if faults and not any(file.used for file in self._files):
            raise WorkflowError(faults, hint=faults[0].help or "mend the file: it is read anew at the next call")
        return self._servers

    def enabled(self) -> tuple[HostServer, ...]:
        """Those that are neither disabled nor ourselves, in file order; some may have a ``problem``.

        Raises:
            WorkflowError: as ``servers``.
        """
        return tuple(server for server in self.servers().values() if server.enabled)

    def find(self, name: str) -> HostServer:
        """The server of that name, which can be started as far as is known.

        Raises:
            McpNotFoundError: there is none, it is disabled, or it is ourselves.
            WorkflowError: its entry is at fault (BR404), CannotServeError if all it lacks are variables; or as
                ``servers``.
        """
        servers = self.servers()
        server = servers.get(name)
        if server is None or not server.enabled:
            raise self._not_found(name, server)
        if server.problem is not None:
            fault = self._faults[name]
            raise type(fault)(fault.diagnostics, hint=fault.hint)
        return server

    def ready(self, name: str) -> Server:
        """The same, ready for ``make_toolbox``: variables expanded, paths absolute.

        Raises:
            McpNotFoundError, WorkflowError: as ``find``.
        """
        return read_client_server(self.find(name).file, name, self._environment)

    @property
    def files(self) -> tuple[HostFile, ...]:
        """Every file that was looked at, in order; never raises."""
        self._look()
        return self._files

    def _look(self) -> None:
        contents: list[Content | None] = []
        for watched in self._watched:
            content = watched.look()
            contents.append(content)
            if content is not None and not content.skipped and not self._merge:
                break
        before = self._contents
        if before is None or len(before) != len(contents) or any(map(_differ, before, contents)):
            self._contents = tuple(contents)
            self._read(self._contents)

    def _read(self, contents: tuple[Content | None, ...]) -> None:
        """Anew, because something has changed."""
        servers: dict[str, HostServer] = {}
        self._faults = {}
        for watched, content in zip(self._watched, contents, strict=False):
            places = places_in(content.text) if content else {}
            for name, entry in (content.entries if content else {}).items():
                if name not in servers:
                    servers[name] = self._server(str(watched.path), name, entry, places.get(("mcpServers", name)))
        self._files = tuple(map(_file_of, self._watched, contents))
        self._servers = MappingProxyType(servers)

    def _server(self, file: str, name: str, entry: object, place: Place | None) -> HostServer:
        line = place[0] if place else None
        if not isinstance(entry, dict):
            problem = f"the entry of MCP server `{name}` is not a mapping"
            self._faults[name] = WorkflowError([_at(Diagnostic(code=CODE, message=problem, file=file), place)])
            return HostServer(name=name, file=file, transport="stdio", line=line, problem=problem)
        judged = judge_entry(file, name, entry, self._environment)
        if judged.problems:
            kind = CannotServeError if judged.lacks_variables else WorkflowError
            self._faults[name] = kind([_at(one, place) for one in judged.problems], hint=judged.problems[0].help)
        command, url, args = entry.get("command"), entry.get("url"), entry.get("args")
        told = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
        return HostServer(
            name=name,
            file=file,
            transport=judged.transport,
            line=line,
            command=shown_command(command, told) if isinstance(command, str) else None,
            url=shown_url(url) if isinstance(url, str) else None,
            disabled=is_disabled(entry),
            is_self=is_ourselves(judged.server, self._own),
            problem="; ".join(problem.message for problem in judged.problems) or None,
        )

    def _not_found(self, name: str, server: HostServer | None) -> McpNotFoundError:
        known = [one.name for one in self._servers.values() if one.enabled]
        names = ", ".join(f"`{one}`" for one in known)
        others = f"name one of {names}" if known else "no other one is enabled"
        if server is not None and server.is_self:
            message = f"MCP server `{name}` is this bridge itself, and it does not use itself"
            return McpNotFoundError(name, known, message, hint=others)
        if server is not None:
            message = f"MCP server `{name}` is disabled in {server.file}"
            return McpNotFoundError(name, known, message, hint=f"enable it there, or {others}")
        message = f"there is no MCP server named `{name}`; "
        used = [file.path for file in self._files if file.used]
        broken = [file.path for file in self._files if file.error is not None]
        if not used:
            message += "no file of MCP servers was found"
            places = " or ".join(file.path for file in self._files[:2])
            hint = f"write {places}, or name a file in {VARIABLE}"
            return McpNotFoundError(name, known, message, hint=hint)
        message += f"{', '.join(used)} {'has' if len(used) == 1 else 'have'} {names or 'none that is enabled'}"
        hint = did_you_mean(name, known) or "`list_available_mcps` lists them;"
        hint = f"{hint} {', '.join(broken)} could not be read and may have it" if broken else hint.rstrip(";")
        return McpNotFoundError(name, known, message, hint=hint)


def _differ(one: Content | None, other: Content | None) -> bool:
    return one is not other


def _at(problem: Diagnostic, place: Place | None) -> Diagnostic:
    return replace(problem, span=point(*place)) if place else problem


def _file_of(watched: WatchedFile, content: Content | None) -> HostFile:
    error = content.error if content else None
    if content is None and watched.named:
        error = Diagnostic(
            code=CODE,
            message=f"there is no such file, and {watched.origin} names it",
            file=str(watched.path),
            help=f"create it, or correct {watched.origin}",
        )
    return HostFile(
        path=str(watched.path),
        origin=watched.origin,
        found=content is not None,
        used=content is not None and error is None,
        skipped=content is not None and content.skipped,
        error=error,
    )


def _places(
    environment: Mapping[str, str], folder: Path, mcp_json: str | None, *, merge: bool
) -> tuple[WatchedFile, ...]:
    """Where to look, in order, each place once."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - `..` must go, and links must stay
    home = _home(environment)
    text, origin = (mcp_json, "--mcp-json") if mcp_json else (environment.get(VARIABLE, ""), VARIABLE)
    named = list(_named(text, origin, folder, home))
    # Who names a file does not want another one's servers when it is missing.
    usual = [] if mcp_json or (named and not merge) else list(_usual(folder, home))
    places: dict[Path, WatchedFile] = {}
    for watched in (*named, *usual):
        places.setdefault(watched.path, watched)
    return tuple(places.values())


def _named(text: str, origin: str, folder: Path, home: Path | None) -> Iterator[WatchedFile]:
    for one in filter(None, map(str.strip, text.split(os.pathsep))):
        path = home / one[2:] if home and one.startswith("~/") else folder / one
        yield WatchedFile(Path(os.path.abspath(path)), origin, named=True)  # noqa: PTH100 - as above


def _usual(folder: Path, home: Path | None) -> Iterator[WatchedFile]:
    if home is not None:
        yield WatchedFile(home / ".lmstudio" / "mcp.json", "LM Studio")
    yield WatchedFile(folder / NAME, "the project")
    if home is not None:
        yield WatchedFile(home / NAME, "the home folder")
    if folder == home:
        return
    for above in folder.parents:
        # A folder that all may write to, such as /tmp, must not let others start programs as us.
        yield WatchedFile(above / NAME, "a folder above the project", trusts_owner=False)
        if above == home:
            return


def _home(environment: Mapping[str, str]) -> Path | None:
    try:
        return Path(os.path.abspath(environment.get("HOME") or Path.home()))  # noqa: PTH100 - as above
    except RuntimeError:  # a user without an entry in the list of users
        return None
