"""The door to httpx: what it costs, and what it lets in."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys

import pytest
from kit.raw_server import STREAM_END, STREAM_HEAD, piece, raw_server, reply

from runner.edges.model_server.http import HttpClient, is_loopback
from runner.words.errors import LLMResponseError

HEAVY = {"click", "rich", "pygments", "mcp", "jsonschema", "httpx._main"}


def get(script, token=None):
    async def run():
        async with raw_server(script) as server:
            client = HttpClient(server.url, token=token)
            try:
                return await client.get("/v1/models", seconds=5)
            finally:
                await client.close()

    return asyncio.run(run())


def test_the_import_brings_nothing_heavy_but_httpx_itself():
    shown = "print(*sorted(name for name, module in sys.modules.items() if module))"
    code = f"import runner.edges.model_server.lmstudio, sys; {shown}"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "httpx" in loaded
    assert loaded & HEAVY == set()


def test_httpx_keeps_its_own_command_line():
    code = "import runner.edges.model_server.http, importlib; print(importlib.import_module('httpx._main').__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "httpx._main"


def test_a_compressed_body_is_read_though_none_was_asked_for():
    body = gzip.compress(b'{"a": 1}')
    assert get(reply(body, headers="Content-Encoding: gzip\r\n")).json == {"a": 1}


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, b"\xff\xfe\x00"])
def test_a_body_that_is_no_json_is_none(body):
    assert get(reply(body)).json is None


def test_a_body_without_an_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr("runner.edges.model_server.http.MAX_BODY", 5000)
    script = (STREAM_HEAD, *[piece("x" * 1000) for _ in range(10)], STREAM_END)
    with pytest.raises(LLMResponseError) as caught:
        get(script)
    assert str(caught.value).startswith("http://127.0.0.1:")
    assert str(caught.value).endswith(" sent more than 64 MB without an end")


def test_a_redirect_is_not_followed():
    found = get(reply("", status=307, headers="Location: http://127.0.0.1:9/\r\n"))
    assert (found.status, found.headers["location"]) == (307, "http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("endpoint", "ours"),
    [
        ("http://127.0.0.1:1234", True),
        ("http://127.9.9.9", True),
        ("http://localhost:1234", True),
        ("http://[::1]:1234", True),
        ("https://localhost", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org:80", False),
        ("http://192.168.0.2:1234", False),
        ("http://box.lan", False),
    ],
)
def test_what_is_this_machine(endpoint, ours):
    assert is_loopback(endpoint) is ours
