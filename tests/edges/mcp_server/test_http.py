"""Who is let in over HTTP, and who is not: real requests to a real listener."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from runner.chat.offer import Answered, Offer, Progress
from runner.edges.mcp_server.http import HttpSettings, is_loopback, listen, serve_http, url_of
from runner.edges.mcp_server.server import DeskServer
from runner.words.errors import OutsideError

TOKEN = "a-token-that-nobody-can-guess"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"},
}}  # fmt: skip


class Counter:
    """A desk with one tool."""

    async def offers(self) -> Sequence[Offer]:
        return [Offer(name="count", title="Count", description="Counts.", input_schema={"type": "object"})]

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Answered:
        return Answered(structured={"count": len(arguments)})


@contextmanager
def listening(**settings: Any) -> Iterator[str]:
    """A server in a thread of its own; gives its address."""
    asked = HttpSettings(**{"host": "127.0.0.1", "port": 0, "token": TOKEN, **settings})
    listener = listen(asked)
    loop = asyncio.new_event_loop()
    serving = loop.create_task(serve_http(DeskServer(Counter(), instructions="Count."), listener, asked))

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(asyncio.wait((serving,)))
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield url_of(listener)
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(30)
        listener.close()
    assert serving.cancelled()


class Reply:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def message(self) -> str:
        said: str = json.loads(self.body)["error"]["message"]
        return said


def ask(
    url: str, *headers: str, method: str = "POST", path: str = "/mcp", body: Any = LIST, host: str | None = "own"
) -> Reply:
    """One request by hand, so that nothing is added to it."""
    address = url.removeprefix("http://").removesuffix("/mcp")
    name, _, port = address.rpartition(":")
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", "Content-Type: application/json"]
    lines += ["Accept: application/json, text/event-stream", f"Content-Length: {len(sent)}"]
    lines += [] if host is None else [f"Host: {address if host == 'own' else host}"]
    lines += headers
    with socket.create_connection((name.strip("[]"), int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
        raw = b""
        while chunk := connection.recv(65_536):
            raw += chunk
    return Reply(raw)


BEARER = f"Authorization: Bearer {TOKEN}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(allow_hosts=("models.lan",), allow_origins=("https://page.example",), max_body=10_000) as url:
        yield url


def test_who_has_the_token_is_let_in(url: str) -> None:
    reply = ask(url, BEARER)
    assert reply.status == 200
    assert b'"name":"bridge-run"' in reply.body
    assert ask(url, f"authorization: bearer  {TOKEN}").status == 200


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("X: y", 'Bearer realm="bridge-run"'),
        ("Authorization: Bearer wrong", 'Bearer realm="bridge-run", error="invalid_token"'),
        (f"Authorization: Basic {TOKEN}", 'Bearer realm="bridge-run", error="invalid_token"'),
        (f"Authorization: Bearer {TOKEN}x", 'Bearer realm="bridge-run", error="invalid_token"'),
        (f"Authorization: Bearer {TOKEN[:-1]}", 'Bearer realm="bridge-run", error="invalid_token"'),
    ],
)
def test_who_has_it_not_is_told_what_to_send(url: str, header: str, told: str) -> None:
    reply = ask(url, header)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, told)
    assert "send the header `Authorization: Bearer TOKEN`" in reply.message


def test_a_token_that_is_sent_twice_is_wrong(url: str) -> None:
    assert ask(url, BEARER, BEARER).status == 401


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:1", "[::1]:9", "LOCALHOST", "models.lan:8"])
def test_names_of_ours_are_answered(url: str, host: str) -> None:
    assert ask(url, BEARER, host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7:80", "localhost.evil", "[::2]"]
)
def test_names_that_a_page_may_have_pointed_at_us_are_not(url: str, host: str) -> None:
    reply = ask(url, BEARER, host=host)
    assert reply.status == 421
    assert reply.message.startswith(f"the header `Host` says `{host}`, which is not this server")


def test_web_pages_are_not_let_in_but_those_that_are_allowed(url: str) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:3000", "https://page.example.evil"):
        reply = ask(url, BEARER, f"Origin: {origin}")
        assert (reply.status, "access-control-allow-origin" in reply.headers) == (403, False)
    allowed = ask(url, BEARER, "Origin: https://page.example")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, "https://page.example")
    own = ask(url, BEARER, f"Origin: {url.removesuffix('/mcp')}")
    assert own.status == 200


def test_a_browser_may_ask_beforehand_for_a_page_that_is_allowed(url: str) -> None:
    allowed = ask(url, "Origin: https://page.example", method="OPTIONS", body=b"")
    assert allowed.status == 204
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert ask(url, "Origin: http://evil.example", method="OPTIONS", body=b"").status == 403


def test_a_body_that_is_too_long_is_not_read(url: str) -> None:
    reply = ask(url, BEARER, body=b"x" * 10_001)
    assert reply.status == 413
    assert "`--max-body`" in reply.message
    chunked = b"2710\r\n" + b"x" * 10_000 + b"\r\n2710\r\n" + b"x" * 10_000 + b"\r\n0\r\n\r\n"
    reply = ask_chunked(url, chunked)
    assert (reply.status, reply.message.partition(";")[0]) == (413, "the request has more than 9.8 KB")


def test_a_body_that_does_not_come_is_not_waited_for_for_ever() -> None:
    with listening(body_seconds=0.2) as url:
        reply = ask_chunked(url, b"1\r\n{\r\n")
    assert (reply.status, reply.message) == (408, "the request did not come within 0.2s; send it again, at once")


def test_half_an_emoji_is_no_reason_to_refuse_a_request(url: str) -> None:
    wire = "io.modelcontextprotocol"
    meta = {
        f"{wire}/protocolVersion": "2026-07-28",
        f"{wire}/clientInfo": {"name": "by hand", "version": "1"},
        f"{wire}/clientCapabilities": {},
    }
    params = {"name": "count", "arguments": {"half": "\ud83d", "whole": "\U0001f600"}, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = ("MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: count")
    reply = ask(url, BEARER, *headers, body=call)
    assert (reply.status, json.loads(reply.body)["result"]["structuredContent"]) == (200, {"count": 2})


def ask_chunked(url: str, body: bytes) -> Reply:
    address = url.removeprefix("http://").removesuffix("/mcp")
    name, _, port = address.rpartition(":")
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {address}\r\n{BEARER}\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        raw = b""
        while chunk := connection.recv(65_536):
            raw += chunk
    return Reply(raw)


def test_other_places_hold_nothing(url: str) -> None:
    reply = ask(url, BEARER, path="/")
    assert (reply.status, reply.message) == (404, "there is nothing at `/`; MCP is served at /mcp")
    assert ask(url, BEARER, path="/mcp/").status == 200


def test_every_answer_names_its_request(url: str) -> None:
    assert ask(url, BEARER, "X-Request-Id: mine-1").headers["x-request-id"] == "mine-1"
    odd = ask(url, "X-Request-Id: <script>").headers["x-request-id"]
    assert len(odd) == 16
    assert odd != ask(url).headers["x-request-id"]


def test_without_a_token_this_machine_is_let_in() -> None:
    with listening(token=None) as url:
        assert ask(url).status == 200


def test_who_listens_to_all_knows_addresses_and_no_names() -> None:
    with listening(host="0.0.0.0") as url:
        there = url.replace("0.0.0.0", "127.0.0.1")
        assert ask(there, BEARER, host="192.168.0.7:80").status == 200
        assert ask(there, BEARER, host="evil.example").status == 421


def test_an_address_that_is_taken_is_said() -> None:
    with listening() as url:
        port = int(url.rsplit(":", 1)[1].removesuffix("/mcp"))
        with pytest.raises(OutsideError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen(HttpSettings(host="127.0.0.1", port=port))


def test_what_is_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "pc.lan", "127.0.0.1.evil.example")))
