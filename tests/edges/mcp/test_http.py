"""MCP servers over HTTP: server-everything on both transports, and addresses that are no MCP server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kit.servers import Everything, Workbench, free_port

from runner.edges.mcp.box import McpToolBox
from runner.edges.mcp.http import HttpLink
from runner.words.errors import ToolServerError
from runner.workflow.model import Server


@pytest.fixture(params=["streamableHttp", "sse"])
def everything(request) -> Iterator[tuple[str, Everything]]:
    server = Everything(request.param)
    yield request.param, server
    server.kill()


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def remote(url: str, **more) -> Server:
    return Server(name="far", path=("mcp_servers", "far"), url=url, **more)


def start_error(box) -> ToolServerError:
    with pytest.raises(ToolServerError) as caught:
        asyncio.run(box.start())
    return caught.value


def test_lists_calls_times_out_and_notices_the_end(bench, everything):
    wire, server = everything
    url = f"http://127.0.0.1:{server.port}/{'sse' if wire == 'sse' else 'mcp'}"
    box = bench.box(remote(url, transport="sse" if wire == "sse" else "http", timeout=1.0))

    async def go():
        await box.start()
        assert "echo" in [tool.name for tool in box.tools]
        echoes = await asyncio.gather(*(box.call("echo", {"message": str(n)}) for n in range(8)))
        assert [echo.text for echo in echoes] == [f"Echo: {n}" for n in range(8)]
        slow = await box.call("trigger-long-running-operation", {"duration": 20, "steps": 2})
        assert slow.is_error
        assert slow.text.startswith("tool `trigger-long-running-operation` of `far` did not answer within 1.0s; ")
        assert (await box.call("echo", {"message": "alive"})).text == "Echo: alive"
        server.kill()
        ends = []
        for _ in range(2):
            try:
                ends.append((await box.call("echo", {"message": "anyone?"})).is_error)
            except ToolServerError as error:
                ends.append(error.message)
        await box.close()
        return ends

    ends = asyncio.run(go())
    assert False not in ends
    assert any("the connection to MCP server `far`" in str(end) for end in ends), ends


def test_nobody_listens(bench):
    port = free_port()
    error = start_error(bench.box(remote(f"http://user:pw@127.0.0.1:{port}/mcp?key=secret")))
    assert error.message == (
        f"MCP server `far` cannot be reached at http://127.0.0.1:{port}/mcp: refused, nothing listens there"
    )
    assert error.hint == "start the server, or correct `url` under `mcp_servers.far`"


class Answers(BaseHTTPRequestHandler):
    """Answers every request with the status and body of its server."""

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        asked = json.loads(self.rfile.read(length) or b"{}")
        self.server.seen.append(dict(self.headers))
        status, body = self.server.answer(asked)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(405)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_) -> None:
        pass


class Fake(ThreadingHTTPServer):
    """A server of nothing but answers; that a client went away is no news."""

    def handle_error(self, *_) -> None:
        pass


@pytest.fixture
def fake():
    server = Fake(("127.0.0.1", 0), Answers)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/mcp"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_wrong_path_points_at_the_old_transport(bench, fake):
    fake.answer = lambda _: (404, b"{}")
    error = start_error(bench.box(remote(fake.url)))
    assert error.message == f"MCP server `far` at {fake.url} refused the connection: HTTP 404"
    assert error.hint == "check the path of `url` under `mcp_servers.far`; an old server needs `transport: sse`"


def test_a_refused_token_points_at_the_headers(bench, fake):
    fake.answer = lambda _: (401, b"{}")
    error = start_error(bench.box(remote(fake.url, headers={"Authorization": "Bearer wrong"})))
    assert error.message == f"MCP server `far` at {fake.url} refused the connection: HTTP 401"
    assert error.hint == "check `headers` under `mcp_servers.far`"
    assert fake.seen[0]["Authorization"] == "Bearer wrong"


def test_a_server_that_never_answers(bench, fake):
    released = threading.Event()
    fake.answer = lambda _: (released.wait(10), (200, b"{}"))[1]
    error = start_error(bench.box(remote(fake.url, start_timeout=0.5)))
    released.set()
    assert error.message == f"MCP server `far` did not answer within 0.5s at {fake.url}"


def reply(asked: dict, size: int) -> tuple[int, bytes]:
    """A minimal server of the 2025-11-25 protocol with one tool that answers ``size`` characters."""
    results = {
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "fake", "version": "1"},
        },
        "tools/list": {"tools": [{"name": "big"}]},
        "tools/call": {"content": [{"type": "text", "text": "x" * size}]},
    }
    if "id" not in asked:
        return 202, b""
    if asked["method"] not in results:
        error = {"code": -32601, "message": "no such method"}
        return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()
    return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}).encode()


def test_an_answer_over_the_limit_fails_its_call_and_nothing_else(fake):
    sizes = iter([5_000, 10])
    fake.answer = lambda asked: reply(asked, next(sizes) if asked["method"] == "tools/call" else 0)
    server = remote(fake.url)
    box = McpToolBox(server, lambda: HttpLink(server=server, answer_limit=2_000))

    async def go():
        await box.start()
        results = [await box.call("big", {}), await box.call("big", {})]
        await box.close()
        return results

    too_big, fine = asyncio.run(go())
    assert too_big.is_error
    assert "the answer is larger than 2.0 KB" in too_big.text
    assert fine.text == "x" * 10
