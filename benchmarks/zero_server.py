"""A model server that costs nothing: raw asyncio, the shapes of LM Studio, an answer made before it is asked.

What a client takes against it is the client's own time. ``--delay`` holds every answer back by so many
milliseconds; ``--tool-rounds N`` asks for the tool ``--tool`` N times in a conversation before it answers (each with
other words: a runner may well notice repeated calls) with ``--arguments``, in which ``{}`` is the number of the call.
``--tokens N`` makes the answer N pieces, each a chunk of its own as LM Studio sends them, ``--pace`` milliseconds
apart. ``--fail`` refuses every other prompt with 503. ``GET /bench/span`` tells the seconds from the first prompt's
arrival to the last answer's departure, and those from each answer's departure to the arrival of the whole next
prompt, and forgets them. The port is printed on the first line of stdout; the server ends with its stdin, so that it
never outlives the bench.

Shapes after LM Studio 0.4: ``/lmstudio-greeting``, ``/api/v1/models`` (``models`` with ``key``, ``type``,
``loaded_instances``), ``/api/v0/models`` and ``/v1/models`` (``data``), and streamed ``/v1/chat/completions``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field

MODEL = "zero-model"
ANSWER = "done"
ARGUMENTS = '{"message": "ping {}"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """``delay`` and ``pace`` in seconds; the offered tool whose name ends in ``tool`` is asked for ``tool_rounds``
    times; an answer in ``tokens`` pieces, 0 = the usual one in a single body; ``fail``: every other prompt."""

    delay: float = 0.0
    tool_rounds: int = 0
    tool: str = "echo"
    arguments: str = ARGUMENTS
    tokens: int = 0
    pace: float = 0.0
    fail: bool = False


def catalogue(path: str) -> dict[str, object] | None:
    """The body of a GET, or None where LM Studio has nothing at that path."""
    if path == "/lmstudio-greeting":
        return {"lmstudio": True}
    if path == "/api/v1/models":
        instance = {"id": MODEL, "config": {"context_length": 131072, "parallel": 8}}
        return {
            "models": [
                {
                    "type": "llm",
                    "publisher": "bench",
                    "key": MODEL,
                    "display_name": "Zero",
                    "architecture": "llama",
                    "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
                    "size_bytes": 1_000_000,
                    "params_string": "1B",
                    "loaded_instances": [instance],
                    "max_context_length": 131072,
                    "format": "gguf",
                    "capabilities": {"vision": False, "trained_for_tool_use": True},
                }
            ]
        }
    if path == "/api/v0/models":
        known = {"id": MODEL, "object": "model", "type": "llm", "state": "loaded", "max_context_length": 131072}
        return {"object": "list", "data": [{**known, "loaded_context_length": 131072, "capabilities": ["tool_use"]}]}
    if path == "/v1/models":
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "organization_owner"}]}
    return None


def deltas(body: dict[str, object], behaviour: Behaviour) -> tuple[list[dict[str, object]], str]:
    """What is streamed for one request, and its finish reason."""
    messages = body.get("messages")
    done = sum(1 for message in messages if message.get("role") == "tool") if isinstance(messages, list) else 0
    tools = body.get("tools")
    names = [tool["function"]["name"] for tool in tools] if isinstance(tools, list) else []
    wanted = next((name for name in names if name.endswith(behaviour.tool)), None)
    if wanted is None or done >= behaviour.tool_rounds:
        words = (f" w{number}" for number in range(behaviour.tokens)) if behaviour.tokens else (ANSWER,)
        return [{"role": "assistant", "content": word} for word in words], "stop"
    function = {"name": wanted, "arguments": behaviour.arguments.replace("{}", str(done))}
    call = {"index": 0, "id": f"{done + 1:09d}", "type": "function", "function": function}
    return [{"role": "assistant", "tool_calls": [call]}], "tool_calls"


def chat(body: dict[str, object], behaviour: Behaviour) -> list[bytes]:
    """The event stream of one answer, event by event. Four characters of the prompt count as a token."""
    head = {"id": "chatcmpl-zero", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    parts, finish = deltas(body, behaviour)
    chunks: list[dict[str, object]] = [
        {**head, "choices": [{"index": 0, "delta": part, "logprobs": None, "finish_reason": None}]} for part in parts
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}]})
    messages = body.get("messages")
    said = sum(len(message["content"]) for message in messages) if isinstance(messages, list) else 0
    read, written = 8 + said // 4, len(parts)
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    chunks.append({**head, "choices": [], "usage": usage})
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


async def _answer(writer: asyncio.StreamWriter, status: str, mime: str, body: bytes) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, events: list[bytes], pace: float) -> None:
    """A chunk an event; without a pace all of them as fast as the client takes them."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for event in events:
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        if pace:
            await asyncio.sleep(pace)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Method, path and body of the next request of a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, path, _ = head.split("\r\n", 1)[0].split(" ", 2)
    length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
    return method, path, await reader.readexactly(length)


@dataclass(slots=True)
class Watch:
    """When the first prompt came and when the last answer went, on the monotonic clock; and what lay between."""

    first: float = 0.0
    last: float = 0.0
    prompts: int = 0
    gaps: list[float] = field(default_factory=list)

    def came(self) -> None:
        """A whole prompt is here."""
        now = time.monotonic()
        self.prompts += 1
        if self.first:
            self.gaps.append(now - self.last)
        self.first = self.first or now

    def went(self) -> None:
        """A whole answer has left."""
        self.last = time.monotonic()

    def read(self) -> dict[str, object]:
        """What was seen; the watch is at rest again."""
        seen = {"seconds": self.last - self.first, "gaps": self.gaps}
        self.first = self.last = 0.0
        self.prompts, self.gaps = 0, []
        return seen


async def _chat(writer: asyncio.StreamWriter, raw: bytes, behaviour: Behaviour, watch: Watch) -> None:
    watch.came()
    if behaviour.fail and watch.prompts % 2:
        body = json.dumps({"error": "the server is busy, come again"}).encode()
        await _answer(writer, "503 Service Unavailable", "application/json", body)
    else:
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        events = chat(json.loads(raw), behaviour)
        if behaviour.tokens:
            await _stream(writer, events, behaviour.pace)
        else:
            await _answer(writer, "200 OK", "text/event-stream", b"".join(events))
    watch.went()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behaviour: Behaviour, watch: Watch
) -> None:
    try:
        while True:
            method, path, raw = await _read(reader)
            found = watch.read() if path == "/bench/span" else catalogue(path)
            if method == "GET" and found is not None:
                await _answer(writer, "200 OK", "application/json", json.dumps(found).encode())
            elif path == "/v1/chat/completions":
                await _chat(writer, raw, behaviour, watch)
            else:
                text = f"Unexpected endpoint or method. ({method} {path})"
                await _answer(writer, "200 OK", "application/json", json.dumps({"error": text}).encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client is gone, which is how every connection ends
    finally:
        writer.close()


async def serve(behaviour: Behaviour) -> None:
    """Listen on a free port of the loopback until stdin ends."""
    watch = Watch()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(reader, writer, behaviour, watch)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()
    os._exit(0)  # open connections would keep the loop alive, and there is nothing to save


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds before each answer")
    parser.add_argument("--tool-rounds", type=int, default=0, help="tool calls to ask for before answering")
    parser.add_argument("--tool", default="echo", help="ending of the name of the tool to ask for")
    parser.add_argument("--arguments", default=ARGUMENTS, help="of those calls; {} is the call's number")
    parser.add_argument("--tokens", type=int, default=0, help="pieces of an answer, each a chunk of its own")
    parser.add_argument("--pace", type=float, default=0.0, help="milliseconds between the pieces")
    parser.add_argument("--fail", action="store_true", help="refuse the first of every two prompts with 503")
    given = parser.parse_args()
    behaviour = Behaviour(
        delay=given.delay / 1000, tool_rounds=given.tool_rounds, tool=given.tool, arguments=given.arguments,
        tokens=given.tokens, pace=given.pace / 1000, fail=given.fail,
    )  # fmt: skip
    asyncio.run(serve(behaviour))


if __name__ == "__main__":
    main()
