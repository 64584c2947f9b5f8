"""How a tool server is started, in words that mean the same on every machine: what a lock knows it by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from runner.words.json_text import write_json
from runner.workflow.model import Server

_OPTION: Final = re.compile(r"(-{1,2}[\w-]+=)(.*)", re.DOTALL)


def start_of(
    server: Server, *, command: str | None = None, project_path: Callable[[str], str | None] = lambda _: None
) -> Mapping[str, Any]:
    """How a server starts, as its file declares it: templates stay as they are written, so no input or secret is in it.

    ``command`` is the command where it was found. ``project_path`` makes a path below the project one that counts from
    its root; None for others, of which only the last name is kept. Of variables and headers only the names are kept.
    """

    def shown(word: str) -> str:
        option = _OPTION.fullmatch(word)
        before, path = (option[1], option[2]) if option else ("", word)
        return before + (_portable(path, project_path) if path.startswith("/") else path)

    named = {name: sorted(held) for name, held in (("env", server.env), ("headers", server.headers)) if held}
    if server.builtin is not None:
        return {"builtin": server.builtin, **({"write": True} if server.write else {})}
    if server.source is not None:
        return {"from": PurePosixPath(server.source).name, "entry": server.name}
    if server.url is not None:
        return {"url": _without_user(server.url), "transport": server.transport, **named}
    folder = {"cwd": shown(server.cwd)} if server.cwd else {}
    words = [shown(command or server.command or ""), *map(shown, server.args)]
    return {"command": words, **folder, **named}


def key_of_start(start: Mapping[str, Any]) -> str:
    """Equal for servers that are started alike, wherever their commands were found."""
    told = dict(start)
    for name in ("command", "cwd"):
        if name in told:
            words = told[name]
            told[name] = [_last(word) for word in words] if isinstance(words, list) else _last(words)
    return write_json(dict(sorted(told.items())))


def _portable(path: str, project_path: Callable[[str], str | None]) -> str:
    inside = project_path(path)
    return _last(path) if inside is None or _last(inside) != _last(path) else inside


def _last(word: str) -> str:
    """The last name of what may be a path, an option's name before it."""
    option = _OPTION.fullmatch(word)
    before, path = (option[1], option[2]) if option else ("", word)
    return before + (path.rstrip("/").rpartition("/")[2] or path)


def _without_user(url: str) -> str:
    """An address without user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a template may stand where an address has a port
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
