"""A file of MCP servers that is looked at again and again: one ``stat`` while it stays, read anew when it changed."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.edges.host_config.client_config import CODE, SIZE_LIMIT, servers_in
from runner.edges.host_config.jsonc import parse_jsonc
from runner.words.diagnostics import Diagnostic
from runner.words.noun import noun
from runner.words.spans import point
from runner.words.suggest import did_you_mean

_SETTLED = 2_000_000_000
"""Nanoseconds. A clock of files may stand still for so long (FAT): what is younger can change and look the same."""
_TOKEN = re.compile(
    r"""(?P<key>"(?:[^"\\\n]|\\.)*")(?=\s*:)|"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|(?P<open>[{\[])|(?P<close>[}\]])""",
    re.DOTALL,
)
Place = tuple[int, int]
"""Line and column, from 1."""
_Signature = tuple[int, int, int, int, int]


@noun
class Content:
    """What a file says: its text and its raw entries, in its order; or why it is of no use.

    ``skipped``: it is left alone as if it was not there.
    """

    text: str = ""
    entries: Mapping[str, Any]
    error: Diagnostic | None = None
    skipped: bool = False


class WatchedFile:
    """``path`` is absolute; ``origin`` says in words why it is looked at; ``named``: somebody asked for just this file.

    ``trusts_owner``: it is used whoever it belongs to.
    """

    def __init__(self, path: Path, origin: str, *, named: bool = False, trusts_owner: bool = True) -> None:
        self.path = path
        self.origin = origin
        self.named = named
        self._trusts_owner = trusts_owner
        self._signature: _Signature | None = None
        self._settled = False
        self._raw = b""
        self._content: Content | None = None

    def look(self) -> Content | None:
        """What it says now, None if there is no such file; the very same object as long as nothing changed."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._forget()
            return None
        except OSError as error:
            return self._faulty(_unreadable(error))
        signature = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns, found.st_dev)
        if self._settled and signature == self._signature:
            return self._content
        # The change of the inode counts too: `chmod` mends a file without touching its text.
        self._settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED
        self._signature = signature
        return self._read(found)

    def _read(self, found: os.stat_result) -> Content | None:
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            return self._faulty(f"this is {what}, and a file of MCP servers is expected")
        if not self._trusts_owner and found.st_uid not in (os.getuid(), 0):
            return self._faulty("it belongs to another user, so it is not read", skipped=True)
        try:
            with self.path.open("rb") as file:
                raw = file.read(SIZE_LIMIT + 1)
        except FileNotFoundError:
            self._forget()
            return None
        except OSError as error:
            return self._faulty(_unreadable(error))
        if len(raw) > SIZE_LIMIT:
            return self._faulty("this file of MCP servers is larger than 5 MB")
        if self._content is None or not self._raw or raw != self._raw:
            self._raw = raw
            self._content = _parse(str(self.path), raw)
        return self._content

    def _forget(self) -> None:
        self._signature = self._content = None

    def _faulty(self, message: str, *, skipped: bool = False) -> Content:
        """What was said before, if that was the same."""
        error = Diagnostic(code=CODE, message=message, file=str(self.path))
        if self._content is None or self._content.error != error:
            self._content = Content(entries={}, error=error, skipped=skipped)
        self._raw = b""
        return self._content


def _unreadable(error: OSError) -> str:
    return f"this file of MCP servers cannot be read: {error.strerror or error}"


def _parse(file: str, raw: bytes) -> Content:
    def faulty(message: str, line: int | None = None, column: int = 1, help_: str | None = None) -> Content:
        span = None if line is None else point(line, column)
        return Content(
            text="", entries={}, error=Diagnostic(code=CODE, message=message, file=file, span=span, help=help_)
        )

    try:
        text = raw.decode("utf-8")
        data = parse_jsonc(text)
    except json.JSONDecodeError as error:
        return faulty(f"not valid JSON: {error.msg}", error.lineno, error.colno)
    except UnicodeDecodeError as error:
        return faulty("not UTF-8 text", raw[: error.start].count(b"\n") + 1, help_="save it as UTF-8")
    except RecursionError:
        return faulty("not valid JSON: nested too deeply", 1)
    except ValueError:  # Python's bound for the digits of a number; it does not say where that is
        return faulty("not valid JSON: a number has too many digits", 1)
    fault = _shape(data)
    if fault is None:
        return Content(text=text, entries=servers_in(data))
    message, key, help_ = fault
    return faulty(message, *places_in(text).get((key,), (1, 1)), help_)


def _shape(data: Any) -> tuple[str, str, str | None] | None:
    """What is wrong with the whole, the key that it is about, and what to do."""
    example = 'write {"mcpServers": {"NAME": {"command": "…"}}}'
    if not isinstance(data, dict):
        return "this file of MCP servers is no mapping", "", example
    for key in ("mcpServers", "servers"):
        if key in data and not isinstance(data[key], dict):
            return f"`{key}` is no mapping of names to MCP servers", key, example
    if "mcpServers" not in data and "servers" not in data:
        near = {key: hint for key in data if (hint := did_you_mean(key, ("mcpServers", "servers")))}
        for key, hint in near.items():
            return f"there is `{key}`, and no `mcpServers`", key, hint
    return None


def places_in(text: str) -> Mapping[tuple[str | None, ...], Place]:
    """Where the keys of a file stand, by their path of one or two; of twins the last, which is the one that counts.

    ``servers`` is found as ``mcpServers``, too.
    """
    way: list[str | None] = []
    places: dict[tuple[str | None, ...], Place] = {}
    line, start = 1, 0  # of the line on which the last key stands
    for token in _TOKEN.finditer(text):
        if token["open"]:
            way.append(None)
        elif token["close"]:
            way = way[:-1]
        elif token["key"] and 1 <= len(way) <= 2:
            lines = text.count("\n", start, token.start())
            line, start = line + lines, text.rfind("\n", 0, token.start()) + 1 if lines else start
            way[-1] = _loaded(token["key"])
            root = "mcpServers" if way[0] == "servers" else way[0]
            places[(way[0],)] = places[(root, *way[1:])] = (line, token.start() - start + 1)
    return places


def _loaded(key: str) -> str | None:
    try:
        return str(json.loads(key))
    except ValueError:
        return None
