"""A server that says anything, byte by byte: what real ones say only on bad days."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

PAUSE = object()
"""In a script: wait a moment, so that what stands before arrives alone."""

STALL = object()
"""In a script: say nothing more, and keep the connection until the client goes."""

CUT = object()
"""In a script: close the connection here."""

Script = Sequence[object]


@dataclass
class Heard:
    """One request as it arrived. ``connection`` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RawServer:
    """Answers each request with the script that ``answer`` gives for it."""

    answer: Callable[[Heard], Script]
    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        number = self.connections
        try:
            while await self._one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went, or the test is over
        finally:
            for one in self.heard:
                if one.connection == number:
                    one.gone.set()
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Heard(method, path, headers, body, number)
        self.heard.append(request)
        self.arrived.set()
        for part in self.answer(request):
            if part is PAUSE:
                await asyncio.sleep(0.02)
            elif part is STALL:
                await reader.read(1)
                return False
            elif part is CUT:
                return False
            else:
                writer.write(part if isinstance(part, bytes) else str(part).encode())
                await writer.drain()
        return True


@asynccontextmanager
async def raw_server(answer: Callable[[Heard], Script] | Script) -> AsyncIterator[RawServer]:
    """A server on a free port of the loopback; a plain script answers every request alike."""
    server = RawServer(answer if callable(answer) else lambda _: answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks)


def reply(body: object, *, status: int = 200, kind: str = "application/json", headers: str = "") -> Script:
    """A whole answer: an object as JSON, bytes and text as they are."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
    return (head.encode(), data)


def unexpected(heard: Heard) -> Script:
    """What LM Studio says to a route that it does not know."""
    return reply({"error": f"Unexpected endpoint or method. ({heard.method} {heard.path})"})


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def piece(data: bytes | str) -> bytes:
    """One chunk of a chunked body."""
    raw = data.encode() if isinstance(data, str) else data
    return b"%x\r\n%b\r\n" % (len(raw), raw)


def stream(*parts: object, end: bool = True) -> Script:
    """A streamed answer: text and bytes as they are, objects as events; ``PAUSE``, ``STALL`` and ``CUT`` as such."""
    wire: list[object] = [STREAM_HEAD]
    for part in parts:
        if part in (PAUSE, STALL, CUT):
            wire.append(part)
        else:
            wire.append(piece(part if isinstance(part, bytes | str) else event(part)))
    return (*wire, STREAM_END) if end else tuple(wire)


def event(data: object) -> bytes:
    """One event with JSON in it."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def delta(model: str = "qwen3", *, finish: str | None = None, **fields: object) -> dict[str, object]:
    """One chunk of an answer, as LM Studio sends it."""
    choice = {"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-a1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}


def usage(prompt: int, completion: int, reasoning: int = 0) -> dict[str, object]:
    """The chunk that counts the tokens."""
    details = {"reasoning_tokens": reasoning}
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "completion_tokens_details": details}
    return {"model": "qwen3", "choices": [], "usage": counts}


DONE = "data: [DONE]\n\n"
