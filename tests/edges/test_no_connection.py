"""Why no connection came about, in words that name neither a library nor an errno."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import pytest

from runner.edges.model_server.http import HttpClient
from runner.edges.no_connection import why_no_connection
from runner.words.errors import LLMConnectionError


def caused_by(*causes: BaseException) -> BaseException:
    """As httpx and anyio wrap it: their own words above, what happened beneath."""
    top = OSError("All connection attempts failed")
    top.__cause__ = causes[0] if len(causes) == 1 else BaseExceptionGroup("several addresses", causes)
    return top


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "refused, nothing listens there"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no host of that name is known"),
        (socket.gaierror(socket.EAI_AGAIN, "?"), "the host's name cannot be looked up at the moment"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no way leads to that host"),
        (TimeoutError(), "timed out"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "it does not speak TLS; is `http://` meant?"),
    ],
)
def test_what_lies_beneath_is_said(cause: BaseException, words: str) -> None:
    assert why_no_connection(cause) == words
    assert why_no_connection(caused_by(cause)) == words
    assert why_no_connection(caused_by(ValueError("first address"), cause)) == words


def test_of_anything_else_nothing_is_said() -> None:
    assert why_no_connection(caused_by(ValueError("odd"))) is None
    assert why_no_connection(OSError(errno.EPERM, "Operation not permitted")) is None


def refusal(endpoint: str) -> str:
    async def ask() -> None:
        client = HttpClient(endpoint, token=None)
        try:
            await client.get("/v1/models", seconds=20)
        finally:
            await client.close()

    with pytest.raises(LLMConnectionError) as caught:
        asyncio.run(ask())
    return str(caught.value)


def test_a_real_refusal_and_a_real_unknown_host() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert refusal(endpoint) == f"no connection to {endpoint}: refused, nothing listens there"
    said = refusal("http://nobody.invalid:1234")
    assert said.startswith("no connection to http://nobody.invalid:1234: ")
    assert "Errno" not in said


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_a_server_without_tls() -> None:
    async def ask() -> str:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        endpoint = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            client = HttpClient(endpoint, token=None)
            with pytest.raises(LLMConnectionError) as caught:
                await client.get("/v1/models", seconds=20)
            await client.close()
        return str(caught.value).replace(endpoint, "URL")

    assert asyncio.run(ask()) == "no connection to URL: it does not speak TLS; is `http://` meant?"
