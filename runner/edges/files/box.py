"""The built-in files as a ``ToolBox``: ready at once, nothing to start, nothing to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.chat.toolbox import ServerFacts, Tool, ToolResult
from runner.edges.files.confine import Confined, refusal
from runner.edges.files.edit import edit, write
from runner.edges.files.read import DEPTH, list_folder, read_file
from runner.edges.files.search import MAXIMUM, MOST, search_files
from runner.words.errors import StepError, ToolServerError
from runner.words.noun import noun
from runner.workflow.model import Server

_PATH = {"type": "string", "description": "Path of the file, relative to the folder of this tool, e.g. `src/app.py`."}


def _schema(required: tuple[str, ...], **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


LIST = Tool(
    name="list",
    description="List files and folders. Folders end with `/`. Hidden folders and node_modules are left out.",
    input_schema=_schema(
        (),
        path={"type": "string", "description": "Folder to list. Default: `.`, everything this tool can see."},
        depth={"type": "integer", "minimum": 1, "description": f"Levels to show. Default: {DEPTH}, with a glob all."},
        glob={"type": "string", "description": "Only files that match, e.g. `*.py` or `src/**/*.ts`."},
    ),
    effect="none",
)
READ = Tool(
    name="read",
    description="Read a text file: the whole file, or the lines from `start` to `end`.",
    input_schema=_schema(
        ("path",),
        path=_PATH,
        start={"type": "integer", "minimum": 1, "description": "First line, counting from 1."},
        end={"type": "integer", "minimum": 1, "description": "Last line, included."},
    ),
    effect="none",
)
SEARCH = Tool(
    name="search",
    description="Find text in files. Answers with one line for each match: `file:line: text`.",
    input_schema=_schema(
        ("pattern",),
        pattern={"type": "string", "description": "Text to find, exactly; with `regex` a Python regular expression."},
        path={"type": "string", "description": "Folder or file to search. Default: `.`, everything."},
        glob={"type": "string", "description": "Only in files that match, e.g. `*.py` or `src/**/*.ts`."},
        regex={"type": "boolean", "description": "true: `pattern` is a regular expression. Default: false."},
        max={"type": "integer", "minimum": 1, "maximum": MOST, "description": f"Matches to show. Default: {MAXIMUM}."},
    ),
    effect="none",
)
WRITE = Tool(
    name="write",
    description="Create a file, or replace a whole file. To change a part of a file use edit. Answers with a diff.",
    input_schema=_schema(
        ("path", "content"), path=_PATH, content={"type": "string", "description": "The whole new content."}
    ),
    effect="idempotent",
)
EDIT = Tool(
    name="edit",
    description=(
        "Replace one piece of text in a file. `old` must stand in the file exactly once, "
        "with the same spaces and line breaks. Answers with a diff."
    ),
    input_schema=_schema(
        ("path", "old", "new"),
        path=_PATH,
        old={"type": "string", "description": "The exact text to replace, with enough lines around it to be unique."},
        new={"type": "string", "description": "The text to put in its place."},
    ),
    effect="unsafe",
)
READING = (LIST, READ, SEARCH)
EVERYTHING = (EDIT, LIST, READ, SEARCH, WRITE)  # sorted by name, as every tool box offers them


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The arguments of one call; whoever calls has judged them by the schema, but need not have."""

    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str):
            raise refusal(f"`{name}` must be given, as a string")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if self.values.get(name) is not None else None

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise refusal(f"`{name}` must be a whole number from 1 on")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool | None):
            raise refusal(f"`{name}` must be true or false")
        return bool(value)


def _list(room: Confined, given: _Arguments) -> str:
    return list_folder(room, given.optional_text("path") or ".", given.number("depth"), given.optional_text("glob"))


def _read(room: Confined, given: _Arguments) -> str:
    return read_file(room, given.text("path"), given.number("start"), given.number("end"))


def _search(room: Confined, given: _Arguments) -> str:
    return search_files(
        room,
        given.text("pattern"),
        path=given.optional_text("path") or ".",
        glob=given.optional_text("glob"),
        regex=given.flag("regex"),
        maximum=given.number("max"),
    )


def _write(room: Confined, given: _Arguments) -> str:
    return write(room, given.text("path"), given.text("content"))


def _edit(room: Confined, given: _Arguments) -> str:
    return edit(room, given.text("path"), given.text("old"), given.text("new"))


_WORK: Mapping[str, Callable[[Confined, _Arguments], str]] = {
    "list": _list, "read": _read, "search": _search, "write": _write, "edit": _edit,
}  # fmt: skip
_LONG = frozenset(("list", "search"))  # may walk a whole tree: in a thread, so that the other steps go on


@noun
class FilesBox:
    """The tools over one folder. Results are text; changes answer with a unified diff."""

    name: str
    root: Path
    tools: tuple[Tool, ...]

    @classmethod
    def of(cls, server: Server, *, folder: str) -> FilesBox:
        """The box of a server with ``builtin: files``; its root is relative to ``folder``.

        Raises:
            ToolServerError: there is no such built-in.
        """
        if server.builtin != "files":
            message = f"there is no built-in server `{server.builtin}`, only `files`"
            raise ToolServerError(server.name, message)
        root = Path(folder, Path(server.root).expanduser())
        return cls(name=server.name, root=root, tools=EVERYTHING if server.write else READING)

    async def start(self) -> ServerFacts:
        """Look whether the root is there.

        Raises:
            ToolServerError: it is not, or is no folder.
        """
        if not self.root.is_dir():
            problem = "is not a folder" if self.root.exists() else "does not exist"
            hint = f"correct `root` under `mcp_servers.{self.name}`; it is relative to where bridge-run was started"
            raise ToolServerError(self.name, f"the root of server `{self.name}` {problem}: {self.root}", hint=hint)
        return ServerFacts(name=self.name)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Do it. Whatever does not work is a result with ``is_error`` that says why and what to do."""
        import asyncio

        if all(tool != offered.name for offered in self.tools):
            offered = ", ".join(one.name for one in self.tools)
            return ToolResult(text=f"there is no tool `{tool}` here, only {offered}", is_error=True)
        try:
            if tool in _LONG:
                return ToolResult(text=await asyncio.to_thread(self._work, tool, arguments))
            return ToolResult(text=self._work(tool, arguments))
        except StepError as error:
            return ToolResult(text=error.message, is_error=True)

    def _work(self, tool: str, arguments: Mapping[str, Any]) -> str:
        return _WORK[tool](Confined(self.root.resolve()), _Arguments(arguments))

    async def restart(self) -> None:
        """Nothing runs, so only the root is looked at again.

        Raises:
            ToolServerError: as ``start``.
        """
        await self.start()

    async def close(self) -> None:
        """Nothing runs."""
