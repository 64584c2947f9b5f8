"""Whether an entry of a host's file starts or reaches ourselves: a bridge that is given itself as a tool has no end."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from runner.workflow.model import Server

_COMMAND, _VERB = "bridge-run", "serve"
_OURS = re.compile(r"bridge[-_]run(?:\.(?:exe|cmd|py))?(?:\[[\w,.-]*\])?(?:(?:@|[=~<>!]=?).*)?", re.IGNORECASE)
"""Our command, as an installer may be told it too: ``bridge-run@latest``, ``bridge-run[otel]==1.0``."""
_MODULE = re.compile(r"-?m?(?:runner|bridge_run)(?:\.cli)?(?:\.main|\.__main__)?")
_SHELLS = {"sh", "bash", "zsh", "dash", "ksh", "fish", "cmd", "cmd.exe", "powershell", "pwsh"}
_URL = re.compile(r"https?://[^\s'\"]+", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"localhost|.*\.localhost|127(?:\.\d+){3}|::1|::|0\.0\.0\.0|::ffff:127\..*")


class OwnUrls:
    """The addresses at which we serve. One without a path stands for all that its host and port have."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._own = frozenset(filter(None, map(_address, urls)))

    def __contains__(self, url: str) -> bool:
        address = _address(url)
        return address is not None and bool({address, (*address[:3], "")} & self._own)


def is_ourselves(server: Server, own: OwnUrls) -> bool:
    """Whether ``server``, ready for use, is the bridge: by its command behind any wrappers, or by an address of ours.

    A wrapper need not be known: it is enough that our command and ``serve`` stand somewhere among its words.
    """
    if server.url is not None:
        return server.url in own
    words = (_resolved(server.command or ""), *server.args)
    # Not only the entry's own address: `npx mcp-remote URL` is a way to us as well.
    return _starts_us(words) or any(url in own for word in server.args for url in _URL.findall(word))


def _resolved(command: str) -> str:
    """What a link with another name leads to."""
    return os.path.realpath(command) if "/" in command and Path(command).is_symlink() else command


def _starts_us(words: Sequence[str]) -> bool:
    for some in _commands(words):
        for place, word in enumerate(some):
            if _is_ours(word, some[place - 1] if place else "") and _first_word(some[place + 1 :]) == _VERB:
                return True
    return False


def _commands(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """The words as they are, and those of every text that a shell among them is told to run."""
    yield words
    for place, word in enumerate(words):
        told = place == 0 or words[place - 1] in ("-c", "-S") or _has_shell(words[:place])
        if told and any(blank in word for blank in " \t\n"):
            # The marks between commands become words of their own, so that `cd x&&bridge-run serve;` is read too.
            lexer = shlex.shlex(word, posix=True, punctuation_chars="();<>|&\n")
            lexer.whitespace_split = True
            lexer.commenters = ""
            try:
                yield list(lexer)
            except ValueError:  # a quote without its end: no shell runs it
                continue


def _has_shell(words: Sequence[str]) -> bool:
    return any(_name(word) in _SHELLS for word in words)


def _is_ours(word: str, before: str) -> bool:
    module = before == "-m" or word.startswith("-m")
    return bool((module and _MODULE.fullmatch(word)) or _OURS.fullmatch(_name(word)))


def _name(word: str) -> str:
    return re.split(r"[/\\]", word)[-1]


def _first_word(words: Sequence[str]) -> str | None:
    """The first that is no option."""
    return next((word for word in words if not word.startswith("-")), None)


def _address(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path, alike for all spellings of one address; None if it is no address."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    if not host:
        return None
    host = "localhost" if _LOOPBACK.fullmatch(host) else host
    return parts.scheme, host, port or _PORTS.get(parts.scheme, 0), parts.path.rstrip("/")
