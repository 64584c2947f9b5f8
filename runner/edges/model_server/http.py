"""The only door to httpx: requests to one model server, answers as they come, failures in our own words."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runner.edges.no_connection import why_no_connection
from runner.words.errors import LLMConnectionError, LLMError, LLMResponseError, LLMTimeoutError
from runner.words.redact import Redactor

# Two things that httpx looks for and does not need; None is how Python is told that a module cannot be imported.
# Its own command line brings click, rich and pygments along where these are installed, half of the time of its import.
_COMMAND_LINE: Final = "httpx._main"
_hide = _COMMAND_LINE not in sys.modules
if _hide:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
try:
    import httpx
finally:
    if _hide:
        del sys.modules[_COMMAND_LINE]
# And httpcore searches the disk for sniffio four times a request, 0.2 ms each, unless it knows that it is missing.
try:
    __import__("sniffio")
except ImportError:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

CONNECT_SECONDS: Final = 5.0
KEEP_SECONDS: Final = 4.0
"""Idle connections are dropped after this: LM Studio and llama.cpp close theirs after 5 s, and lose that race."""

STALE_SECONDS: Final = 2.0
"""A stale connection shows at once. One that breaks later was alive: the server has worked on the request."""

MAX_BODY: Final = 64 * 1024 * 1024
"""The most bytes of one body, or of one line of a stream, that are kept."""

_LOOPBACK = re.compile(r"https?://(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:/|$)")
_FRESH = "connection.connect_tcp.started"
_ENDED = re.compile("disconnected|peer closed|incomplete")
_BYTES = re.compile(r"bytearray\(b(['\"])(.*?)\1\)")
"""How h11 quotes what it cannot read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer to a small question. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class HttpClient:
    """Requests to one server over kept-alive connections. All methods raise only ``LLMError`` and its children."""

    __slots__ = ("_client", "_headers", "_secrets", "_urls", "endpoint")

    def __init__(self, endpoint: str, *, token: str | None) -> None:
        self.endpoint = endpoint
        self._headers = {"User-Agent": "bridge-run", "Accept-Encoding": "identity"}
        if token:  # a placeholder is refused by servers that ask for a token
            self._headers["Authorization"] = f"Bearer {token}"
        self._secrets = Redactor({"token": token} if token else {})
        self._urls: dict[str, httpx.URL] = {}
        self._client = httpx.AsyncClient(
            verify=_trust(endpoint),
            trust_env=not is_loopback(endpoint),  # a proxy of the environment never reaches our own machine
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=KEEP_SECONDS),
        )

    async def get(self, path: str, *, seconds: float) -> Reply:
        """Ask for ``path`` and read the whole answer, within ``seconds``.

        Raises:
            LLMConnectionError: nothing answers, or the connection broke.
            LLMTimeoutError: no whole answer within ``seconds``.
            LLMResponseError: what answers does not speak HTTP, or says too much.
        """
        return await self._whole("GET", path, None, seconds)

    async def command(self, path: str, body: bytes, *, seconds: float) -> Reply:
        """Send a JSON body to ``path`` and read the whole answer, within ``seconds``.

        Raises:
            LLMError: as ``get``.
        """
        return await self._whole("POST", path, body, seconds)

    async def post(self, path: str, body: bytes) -> Opened:
        """Send a JSON body and wait, without an end, for the head of the answer; the caller closes it.

        Raises:
            LLMConnectionError: nothing answers, or the connection broke before the answer began.
            LLMResponseError: what answers does not speak HTTP.
        """
        return await self._open("POST", path, body)

    async def close(self) -> None:
        """Close all connections; may be called twice."""
        await self._client.aclose()

    def masked(self, said: Any) -> Any:
        """What a server said (bytes or a JSON value) without our own token: some repeat it when they refuse it."""
        if self._secrets.empty or not isinstance(said, bytes):
            return self._secrets.value(said)
        return self._secrets.text(said.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    async def _whole(self, method: str, path: str, body: bytes | None, seconds: float) -> Reply:
        try:
            async with asyncio.timeout(seconds):
                opened = await self._open(method, path, body)
                try:
                    body = self.masked(await opened.read())
                    return Reply(opened.status, self._secrets.value(opened.headers), body)
                finally:
                    await opened.close()
        except TimeoutError as error:
            raise LLMTimeoutError(f"{self.endpoint} did not answer within {seconds:g} s") from error

    async def _open(self, method: str, path: str, body: bytes | None) -> Opened:
        """One silent second try if a kept-alive connection turns out to be closed before it brought a byte."""
        fresh = False

        async def watch(event: str, _: Mapping[str, Any]) -> None:
            nonlocal fresh
            fresh = fresh or event == _FRESH

        asked = time.monotonic()
        while True:
            try:
                return await self._send(method, path, body, watch)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if fresh or time.monotonic() - asked > STALE_SECONDS:
                    raise self.broken(error) from error
                fresh = True  # a second failure is final, whatever connection it happens on
            except httpx.HTTPError as error:
                raise self.broken(error) from error

    async def _send(self, method: str, path: str, body: bytes | None, watch: Callable[..., Any]) -> Opened:
        request = httpx.Request(
            method,
            self._url(path),
            headers=self._headers if body is None else {**self._headers, "Content-Type": "application/json"},
            content=body,
            extensions={"timeout": _TIMEOUTS, "trace": watch},
        )
        return Opened(await self._client.send(request, stream=True), self)

    def _url(self, path: str) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(self.endpoint + path)
        return url

    def broken(self, error: httpx.HTTPError) -> LLMError:
        """What went wrong with the connection, in our words."""
        if isinstance(error, httpx.ConnectTimeout):
            return LLMConnectionError(f"{self.endpoint} did not accept a connection within {CONNECT_SECONDS:g} s")
        if isinstance(error, httpx.ConnectError):
            why = why_no_connection(error) or str(error).strip() or "nothing answers"
            return LLMConnectionError(f"no connection to {self.endpoint}: {why}")
        if isinstance(error, httpx.RemoteProtocolError) and not _ENDED.search(str(error)):
            return LLMResponseError(f"what answers at {self.endpoint} does not speak HTTP{self._reason(error)}")
        return LLMConnectionError(f"the connection to {self.endpoint} broke{self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        text = _BYTES.sub(r"“\2”", self._secrets.text(str(error).strip()))  # a header that is refused stands in it
        return f" ({text})" if text else ""


class Opened:
    """An answer whose head has come and whose body is still coming."""

    __slots__ = ("_client", "_pieces", "_response", "headers", "status")

    def __init__(self, response: httpx.Response, client: HttpClient) -> None:
        self._response = response
        self._client = client
        # we ask for no compression; whoever compresses all the same costs a layer more
        encoded = "content-encoding" in response.headers
        self._pieces = response.aiter_bytes() if encoded else response.aiter_raw()
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def __aiter__(self) -> Opened:
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the body, as the network brings it.

        Raises:
            LLMConnectionError: the connection broke; a chunked body that ends early is such a case.
            LLMResponseError: the body breaks HTTP.
        """
        try:
            return await anext(self._pieces)
        except httpx.HTTPError as error:
            raise self._client.broken(error) from error

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            LLMResponseError: longer than ``MAX_BODY``; and as each piece.
        """
        parts: list[bytes] = []
        size = 0
        async for chunk in self:
            size += len(chunk)
            if size > MAX_BODY:
                raise LLMResponseError(f"{self._client.endpoint} sent more than 64 MB without an end")
            parts.append(chunk)
        return b"".join(parts)

    async def close(self) -> None:
        """Let go of the connection: kept for the next request if the body was read to its end, else closed."""
        await self._response.aclose()


_TIMEOUTS = {"connect": CONNECT_SECONDS, "read": None, "write": None, "pool": None}


def is_loopback(endpoint: str) -> bool:
    """Whether the address is this very machine."""
    return _LOOPBACK.match(endpoint) is not None


def _trust(endpoint: str) -> ssl.SSLContext | bool:
    """Certificates are read only where one is needed: an empty store is quick, and trusts nobody."""
    return True if endpoint.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
