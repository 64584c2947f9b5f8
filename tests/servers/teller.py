"""An MCP server that tells its secret wherever an MCP server can tell anything. Raw JSON-RPC, over stdio or HTTP.

``teller.py`` speaks over stdio and has its secret from the variable TOKEN; ``teller.py http`` says its port,
speaks over HTTP and tells the Authorization header of each request.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

WAYS = ("text", "structured", "error", "refused", "image", "blob", "resource", "encoded", "log", "die")


def tool(way: str) -> dict[str, Any]:
    return {
        "name": way,
        "description": f"Tells {way}; the token is {os.environ.get('TOKEN', 'elsewhere')}.",
        "inputSchema": {
            "type": "object",
            "properties": {"note": {"type": "string", "default": os.environ.get("TOKEN")}},
        },
        "annotations": {"readOnlyHint": way != "die"},
    }


def content(way: str, secret: str) -> list[dict[str, Any]]:
    raw = secret.encode()
    coded = base64.b64encode(b"the token: " + raw).decode()
    if way == "image":
        return [{"type": "image", "mimeType": "image/png", "data": coded}]
    if way == "blob":
        return [{"type": "resource", "resource": {"uri": f"mem://{quote(secret)}", "blob": coded}}]
    if way == "resource":
        link = {"type": "resource_link", "uri": f"mem://{secret}", "name": secret, "description": secret}
        return [link, {"type": "resource", "resource": {"uri": "mem://a", "text": secret}}]
    if way == "encoded":
        forms = [coded, base64.urlsafe_b64encode(raw).decode(), quote(secret, safe=""), quote(secret, safe="").lower()]
        return [{"type": "text", "text": " ".join([*forms, json.dumps({"token": secret})])}]
    return [{"type": "text", "text": f"it is {secret}!"}]


def handle(request: dict[str, Any], secret: str) -> dict[str, Any] | None:
    """The answer to a request, None for what has none."""
    method, params = request.get("method"), request.get("params", {})
    if "id" not in request:
        return None
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
    if method == "initialize":
        about = {"name": f"teller {secret}", "version": secret}
        told = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
        return {**answer, "result": {**told, "instructions": f"use {secret}"}}
    if method == "tools/list":
        return {**answer, "result": {"tools": [tool(way) for way in WAYS]}}
    if method != "tools/call":
        return {**answer, "error": {"code": -32601, "message": "no such method"}}
    way = params["name"]
    if way == "refused":
        return {**answer, "error": {"code": -32000, "message": f"{secret} is wrong", "data": {"token": secret}}}
    result: dict[str, Any] = {"content": content(way, secret), "isError": way == "error"}
    if way == "structured":
        result["structuredContent"] = {"token": secret, secret: [secret]}
    if way == "die":
        sys.stderr.write(f"cannot log in with {secret}\n")
        sys.stderr.flush()
        os._exit(3)
    return {**answer, "result": result}


def over_stdio() -> None:
    secret = os.environ["TOKEN"]
    print(f"starting with {secret}", file=sys.stderr, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("params", {}).get("name") == "log":
            note = {"level": "error", "data": f"I use {secret}"}
            print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": note}), flush=True)
            print(f"nonsense with {secret}", flush=True)
        answer = handle(request, secret)
        if answer is not None:
            print(json.dumps(answer), flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = handle(request, self.headers.get("Authorization", ""))
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(202 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(405)

    do_DELETE = do_GET  # noqa: N815 - a name of the library

    def log_message(self, *_: Any) -> None:
        """Nothing."""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
    over_stdio()
