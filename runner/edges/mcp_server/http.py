"""MCP over streamable HTTP: a listener, a guard before the SDK's session manager, and an end that leaves nothing.

Hosts of 2025 have sessions, hosts of 2026 send each request for itself; the SDK tells them apart. The guard lets in who
has the token, and keeps out web pages: a page that a browser shows may reach our port, but it cannot choose the headers
``Host`` and ``Origin`` (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from uvicorn import Config
from uvicorn import Server as Uvicorn

from runner.edges.mcp_server.body import read_body
from runner.edges.mcp_server.server import GONE, DeskServer
from runner.words.errors import OutsideError
from runner.words.noun import noun
from runner.words.units import show_bytes, show_seconds

PATH: Final = "/mcp"
CLOSING_SECONDS: Final = 60.0
"""So long the end waits for answers whose work still cleans up."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CORS: Final = (
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, "
        b"last-event-id, x-request-id",
    ),
    (b"access-control-max-age", b"600"),
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@noun
class HttpSettings:
    """``host`` and ``port`` to listen at; ``token`` None lets everybody in who reaches us.

    ``allow_hosts`` are further names in the header ``Host``, ``allow_origins`` values of ``Origin``: without them no
    web page is let in. ``max_body`` is in bytes; ``body_seconds`` is how long the body of a request may take to come.
    """

    host: str
    port: int
    token: str | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    max_body: int = 4 * 1024 * 1024
    body_seconds: float = 60.0


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(settings: HttpSettings) -> socket.socket:
    """A socket that listens; port 0 picks a free one.

    Raises:
        OutsideError: the address cannot be had.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # who is told the address may come before anybody accepts
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        hint = "choose another port with `--http`, or 0 for a free one"
        raise OutsideError(f"cannot listen on {host}:{port}: {why}", hint=hint) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address that hosts are given."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}"


async def serve_http(server: DeskServer, listener: socket.socket, settings: HttpSettings) -> None:
    """Serve until we are cancelled. Whoever still waits for an answer then loses it, and what its call started ends."""
    manager = StreamableHTTPSessionManager(server, max_request_body_size=settings.max_body)
    config = Config(
        Guard(manager.handle_request, settings), http="h11", ws="none", lifespan="off", log_config=None,
        log_level="critical", access_log=False, server_header=False, proxy_headers=False,
    )  # fmt: skip
    config.load()
    uvicorn = Uvicorn(config)
    uvicorn.lifespan = config.lifespan_class(config)
    async with server.watching(), manager.run():
        await uvicorn.startup(sockets=[listener])
        try:
            await asyncio.Event().wait()
        finally:
            await _leave(uvicorn)


async def _leave(uvicorn: Uvicorn) -> None:
    for one in uvicorn.servers:
        one.close()
    for connection in list(uvicorn.server_state.connections):
        if connection.transport is not None:
            connection.transport.abort()
    tasks = list(uvicorn.server_state.tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSING_SECONDS)


class Guard:
    """Judges a request by its headers before anything of it is read. An ASGI application in front of another."""

    def __init__(self, app: App, settings: HttpSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = {host.casefold() for host in settings.allow_hosts}
        self._by_address = not is_loopback(settings.host)
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it in, or say why not."""
        headers = _Headers(scope["headers"])
        named = headers.one("x-request-id")
        known = named if named is not None and _REQUEST_ID.fullmatch(named) else secrets.token_hex(8)
        more = [(b"x-request-id", known.encode())]
        origin = headers.one("origin")
        if origin is not None and origin in self._settings.allow_origins:
            more += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", b"mcp-session-id, x-request-id"),
                (b"vary", b"origin"),
            ]
        answer = _Answer(send, more)
        if scope["method"] == "OPTIONS" and self._wrong_place(headers) is None and len(more) > 1:
            await answer.plain(204, b"", _CORS)
            return
        refusal = self._wrong_place(headers) or self._wrong_request(scope["path"], headers)
        if refusal is not None:
            await answer.refuse(refusal)
            return
        gone = asyncio.Event()
        unread: list[Message] = []
        if scope["method"] == "POST":
            body = await read_body(receive, most=self._settings.max_body, seconds=self._settings.body_seconds)
            if body == "gone":
                return
            if isinstance(body, str):
                await answer.refuse(self._unread(body))
                return
            unread.append({"type": "http.request", "body": body, "more_body": False})

        async def heard() -> Message:
            message = unread.pop() if unread else await receive()
            if message["type"] == "http.disconnect":
                gone.set()
            return message

        try:
            await self._app({**scope, GONE: gone, "path": PATH}, heard, answer.send)
        finally:
            gone.set()

    def _wrong_place(self, headers: _Headers) -> _Refusal | None:
        """Whether it was meant for somebody else, or comes from a web page."""
        host = headers.one("host")
        if host is None or not self._is_ours(host):
            shown = f"the header `Host` says `{host}`" if host else "there is no header `Host`"
            hint = "use the address that the server printed, or allow the name: `--allow-host NAME`"
            return _Refusal(status=421, message=f"{shown}, which is not this server", hint=hint)
        origin = headers.one("origin")
        if origin is None or origin in self._settings.allow_origins or origin == f"http://{host}":
            return None
        hint = "if this page may use it: `--allow-origin ORIGIN`"
        return _Refusal(status=403, message=f"web pages of `{origin}` are not let in", hint=hint)

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host).casefold()
        if name in _LOOPBACK or name in self._hosts or host.casefold() in self._hosts:
            return True
        if name == self._settings.host.casefold():
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._by_address  # a name can be pointed at us by anybody, an address cannot

    def _wrong_request(self, path: str, headers: _Headers) -> _Refusal | None:
        if path.rstrip("/") != PATH:
            return _Refusal(status=404, message=f"there is nothing at `{path}`", hint=f"MCP is served at {PATH}")
        if self._token is not None and not self._has_token(headers):
            given = headers.one("authorization") is not None
            told = b'Bearer realm="bridge-run"' + (b', error="invalid_token"' if given else b"")
            return _Refusal(
                status=401,
                message="the token is wrong" if given else "a token is needed",
                hint="send the header `Authorization: Bearer TOKEN`, with the token that the server was started with",
                headers=((b"www-authenticate", told),),
            )
        size = headers.one("content-length")
        if size is not None and size.isdigit() and int(size) > self._settings.max_body:
            return self._unread("large", show_bytes(int(size)))
        return None

    def _unread(self, why: str, size: str | None = None) -> _Refusal:
        """A body that is too large, or comes too slowly."""
        if why == "large":
            most = show_bytes(self._settings.max_body)
            message = f"the request has {size or f'more than {most}'}; at most {most} are read"
            return _Refusal(status=413, message=message, hint="send less, or start the server with more `--max-body`")
        message = f"the request did not come within {show_seconds(self._settings.body_seconds)}"
        return _Refusal(status=408, message=message, hint="send it again, at once")

    def _has_token(self, headers: _Headers) -> bool:
        scheme, _, given = (headers.one("authorization") or "").partition(" ")
        assert self._token is not None, "it is asked for"
        return scheme.casefold() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8"), self._token)


def _name_of(host: str) -> str:
    """The header ``Host`` without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


@noun
class _Refusal:
    status: int
    message: str
    hint: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _Headers:
    """Those of a request. One that was sent twice counts as a value that nobody allows."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            key = name.decode("latin-1").lower()
            said = value.decode("latin-1")
            self._values[key] = f"{self._values[key]}, {said}" if key in self._values else said

    def one(self, name: str) -> str | None:
        return self._values.get(name)


class _Answer:
    """What is sent back, with headers of ours."""

    def __init__(self, send: Send, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = list(headers)

    async def send(self, message: Message) -> None:
        """As the application answers."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send(message)

    async def plain(self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """A whole answer."""
        said = [(b"content-length", str(len(body)).encode()), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": said})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: _Refusal) -> None:
        """An error of JSON-RPC, as MCP wants it, that belongs to no request."""
        error = {"code": -32600, "message": f"{refusal.message}; {refusal.hint}"}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}, ensure_ascii=False).encode()
        headers = ((b"content-type", b"application/json"), (b"connection", b"close"), *refusal.headers)
        await self.plain(refusal.status, body, headers)
