"""An MCP server with one fault, chosen by its first argument. Raw JSON-RPC over stdio, 2025-11-25, no library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
EXTRA = sys.argv[2] if len(sys.argv) > 2 else ""
ECHO = {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object", "properties": {}}}


def send(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(number: object, result: dict[str, object]) -> None:
    send({"jsonrpc": "2.0", "id": number, "result": result})


def tools() -> list[dict[str, object]]:
    if MODE == "no-schema":
        return [ECHO, {"name": "bare"}, {"name": "null", "inputSchema": None}, {"description": "nameless"}]
    if MODE == "twins":
        return [{**ECHO, "name": "zebra"}, ECHO, {**ECHO, "description": "The second."}]
    if MODE == "hints":
        return [
            {**ECHO, "name": "reads", "annotations": {"readOnlyHint": True}},
            {**ECHO, "name": "repeats", "annotations": {"idempotentHint": True}},
            {**ECHO, "name": "tasks", "execution": {"taskSupport": "required"}},
            {**ECHO, "name": "unknown"},
        ]
    if MODE == "dies-once":
        return [{**ECHO, "annotations": {"readOnlyHint": True}}]
    if MODE == "wrong-output":
        return [{**ECHO, "outputSchema": {"type": "object", "required": ["n"]}}]
    return [ECHO]


def die_if_told() -> None:
    if MODE == "dies":
        sys.stderr.write("the disk is gone\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    elif MODE == "dies-with-helper":
        os._exit(7)
    elif MODE == "dies-once" and not Path(EXTRA).exists():
        Path(EXTRA).write_text("died here")
        os._exit(7)


def call(number: object, name: object, arguments: dict[str, object]) -> None:
    if all(tool.get("name") != name for tool in tools()):
        send({"jsonrpc": "2.0", "id": number, "error": {"code": -32602, "message": f"Unknown tool: {name}"}})
        return
    if not isinstance(arguments.get("message", ""), str):
        wrong = {"type": "text", "text": "message: expected a string"}
        answer(number, {"content": [wrong], "isError": True})
        return
    die_if_told()
    content: list[object] = [{"type": "text", "text": str(arguments.get("message", ""))}]
    if MODE == "chatter":
        print("[info] called", flush=True)
        print('{"level": "debug", "text": "a log line that is JSON"}', flush=True)
    elif MODE == "unknown-content":
        content.append({"type": "hologram", "beam": 3})
    elif MODE == "huge":
        content = [{"type": "text", "text": "x" * int(EXTRA)}]
    elif MODE == "flood":
        sys.stderr.write("e" * 300_000)
        sys.stderr.flush()
    elif MODE == "slow" and arguments.get("message") == "slow":
        time.sleep(float(EXTRA))
    elif MODE == "wrong-output":
        answer(number, {"content": content, "structuredContent": {"m": 1}})
        return
    elif MODE == "environment":
        content = [{"type": "text", "text": json.dumps(dict(os.environ))}]
    elif MODE == "error-code":
        send({"jsonrpc": "2.0", "id": number, "error": {"code": -32603, "message": "out of paper"}})
        return
    elif MODE == "late-id":
        line = json.dumps({"result": {"content": [{"type": "text", "text": "x" * int(EXTRA)}]}})
        sys.stdout.write(f'{line[:-1]}, "jsonrpc": "2.0", "id": {number}}}\n')
        sys.stdout.flush()
        return
    answer(number, {"content": content})


def handle(message: dict[str, object]) -> None:
    method, number = message.get("method"), message.get("id")
    params = message.get("params")
    parameters = params if isinstance(params, dict) else {}
    if method == "initialize":
        info = {"name": "odd", "version": "1.2"}
        answer(number, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info})
    elif method == "tools/list":
        answer(number, {"tools": tools(), **({"nextCursor": "again"} if MODE == "pages" else {})})
    elif method == "tools/call" and MODE == "leave-taking":
        Path(EXTRA, "called").write_text("and never answered")
    elif method == "tools/call":
        call(number, parameters.get("name"), parameters.get("arguments", {}))
    elif number is not None:
        send({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "no such method"}})


def prepare() -> None:
    if MODE == "exit":
        sys.stderr.write("starting\nAPI_KEY is missing\n")
        sys.exit(3)
    if MODE == "banner":
        print("Welcome to the odd server!", flush=True)
    if MODE in ("helper", "dies-with-helper"):
        # The helper inherits stdout, so the end of the server is no end of its output.
        subprocess.Popen(["sleep", "600"])
    if MODE in ("stubborn", "ignores-eof"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "stubborn" else signal.SIG_DFL)
    if MODE == "babble":
        for _ in range(3):
            print("I speak no MCP", flush=True)
    while MODE in ("silent", "babble"):
        time.sleep(1)


def main() -> None:
    prepare()
    for line in sys.stdin:
        handle(json.loads(line))
    while MODE in ("stubborn", "ignores-eof"):
        time.sleep(1)
    if MODE == "leave-taking":
        time.sleep(1)
        Path(EXTRA, "left").write_text("by itself")


if __name__ == "__main__":
    main()
