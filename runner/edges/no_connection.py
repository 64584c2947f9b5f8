"""Why no connection came about, in plain words: what lies beneath the libraries' own exceptions."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


def why_no_connection(error: BaseException) -> str | None:
    """``refused, nothing listens there``, ``no host of that name is known``; None if the error is no such case.

    httpx and anyio put the error of the operating system at the end of the chain of causes, one for each address of
    the host in a group; their own words are "All connection attempts failed" whatever it was.
    """
    return next((words for words in map(_words, _beneath(error)) if words is not None), None)


def _words(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        passing = error.errno == socket.EAI_AGAIN
        return "the host's name cannot be looked up at the moment" if passing else "no host of that name is known"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS; is `http://` meant?"
    if isinstance(error, ConnectionRefusedError):
        return "refused, nothing listens there"
    if isinstance(error, TimeoutError):
        return "timed out"
    return "no way leads to that host" if isinstance(error, OSError) and error.errno in _UNREACHABLE else None


def _beneath(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _beneath(one)
        error = error.__cause__ or error.__context__
