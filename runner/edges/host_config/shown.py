"""Commands and addresses as they may be shown: whatever could be a secret is left out, and ``…`` stands for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

_RUNNERS = {"npx", "bunx", "uvx", "pipx", "node", "bun", "deno", "python", "python3", "tsx", "ruby", "php"}
"""Of these the first word says what is run: a package, a module or a script. Of any other command it may be a key."""
_SAFE_OPTIONS = {"-y", "--yes", "-q", "--quiet", "-m", "-u", "--isolated", "run", "--offline"}
_PLAIN = re.compile(r"[@\w./~+\-\\:$ {}]+(?:@[\w.^~\-]+)?")
_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w\-.~%+=]{20,}")
_ONE_COMMAND = re.compile(r"\S*|(?!.*\s-)(?:[/~.]|[A-Za-z]:).*[/\\][^/\\\s]*")
"""A name, or a path, in a folder with spaces if need be; what else has spaces is a whole command line."""
_LEFT_OUT = "…"


def shown_command(command: str, args: Sequence[str]) -> str:
    """The command and, where it only starts another, what it starts: ``npx -y @scope/server …``."""
    first, *others = [command] if _ONE_COMMAND.fullmatch(command) else command.split() or [command]
    words = [first]
    rest = [*others, *args]
    if re.split(r"[/\\]", first)[-1].removesuffix(".cmd").removesuffix(".exe") in _RUNNERS:
        while rest and rest[0] in _SAFE_OPTIONS:
            words.append(rest.pop(0))
        if rest and not rest[0].startswith("-") and _PLAIN.fullmatch(rest[0]) and not _TOKEN.fullmatch(rest[0]):
            words.append(rest.pop(0))
    return " ".join([*words, _LEFT_OUT] if rest else words)


def shown_url(url: str) -> str:
    """Scheme, host, port and path; no user, the names of the query without their values, no part that looks random."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        return _LEFT_OUT
    path = "/".join(_LEFT_OUT if _TOKEN.fullmatch(part) else part for part in parts.path.split("/"))
    query = "?" + "&".join(f"{name}={_LEFT_OUT}" for name in names) if names else ""
    return f"{parts.scheme}://{host}{path}{query}" if parts.scheme else f"{host}{path}{query}"
