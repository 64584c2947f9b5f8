"""The floor: the least that a person would write by hand for the same work, with asyncio and httpx.

    floor.py prompt URL            one streamed prompt
    floor.py chain URL 200         so many prompts, one after the other, each carrying the last answer
    floor.py fan URL 40 4          so many prompts, four at once
    floor.py tools URL COMMAND…    an agent loop with the tools of one MCP server over stdio (the official SDK)
    floor.py read URL FOLDER       an agent loop with one tool of its own, which reads a file
    floor.py retry URL 50 0.01     so many prompts, each asked again, after so many seconds, if it is refused

It keeps no record, repeats nothing, checks nothing: what bridge-run adds to it is the price of all that.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx


async def ask(client: httpx.AsyncClient, messages: list[dict[str, Any]], tools: list[Any]) -> dict[str, Any]:
    """One streamed answer, put together."""
    body: dict[str, Any] = {"model": "zero-model", "messages": messages, "stream": True}
    if tools:
        body["tools"] = tools
    text = ""
    calls: list[dict[str, Any]] = []
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
                calls += choice["delta"].get("tool_calls") or []
    answer: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        answer["tool_calls"] = calls
    return answer


async def chain(client: httpx.AsyncClient, length: int) -> None:
    """``length`` prompts, one after the other."""
    answer = ""
    for number in range(length):
        prompt = {"role": "user", "content": f"Step {number}: {answer}"}
        answer = (await ask(client, [prompt], []))["content"]
    print(answer)


async def fan(client: httpx.AsyncClient, width: int, parallel: int) -> None:
    """``width`` prompts, ``parallel`` at once."""
    places = asyncio.Semaphore(parallel)

    async def one(number: int) -> None:
        async with places:
            await ask(client, [{"role": "user", "content": f"Step {number}"}], [])

    await asyncio.gather(*(one(number) for number in range(width)))


async def agent(client: httpx.AsyncClient, command: list[str]) -> None:
    """Ask, call the tools, answer back, until the model is done."""
    from mcp import Client, StdioServerParameters  # most of a second: not what a script without tools pays for

    async with Client(StdioServerParameters(command=command[0], args=command[1:])) as server:
        offered = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
            }
            for tool in (await server.list_tools()).tools
        ]
        messages: list[dict[str, Any]] = [{"role": "user", "content": "Call echo until told to stop."}]
        while True:
            answer = await ask(client, messages, offered)
            messages.append(answer)
            if not answer.get("tool_calls"):
                print(answer["content"])
                return
            for call in answer["tool_calls"]:
                result = await server.call_tool(call["function"]["name"], json.loads(call["function"]["arguments"]))
                text = "".join(getattr(part, "text", "") for part in result.content)
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})


READ = {
    "type": "function",
    "function": {
        "name": "read",
        "description": "Reads a file.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}


async def reader(client: httpx.AsyncClient, folder: Path) -> None:
    """Ask, read the files, answer back, until the model is done."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Read until told to stop."}]
    while True:
        answer = await ask(client, messages, [READ])
        messages.append(answer)
        if not answer.get("tool_calls"):
            print(answer["content"])
            return
        for call in answer["tool_calls"]:
            text = (folder / json.loads(call["function"]["arguments"])["path"]).read_text("utf-8")
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})


async def stubborn(client: httpx.AsyncClient, length: int, wait: float) -> None:
    """``length`` prompts, one after the other, each until it is answered."""
    for number in range(length):
        while True:
            try:
                await ask(client, [{"role": "user", "content": f"Step {number}"}], [])
                break
            except httpx.HTTPStatusError:
                await asyncio.sleep(wait)


async def main(what: str, url: str, rest: list[str]) -> None:
    """Do one of the six."""
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        if what == "tools":
            await agent(client, rest)
        elif what == "read":
            await reader(client, Path(rest[0]))
        elif what == "retry":
            await stubborn(client, int(rest[0]), float(rest[1]))
        elif what == "fan":
            await fan(client, int(rest[0]), int(rest[1]))
        else:
            await chain(client, int(rest[0]) if what == "chain" else 1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
