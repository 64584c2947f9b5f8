"""The token of a server: wherever a server puts it, nobody gets to see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from kit.project import Ended, Project

from runner import BridgeError, ModelValidator

TOKEN = "t0ken-0f-nobodys-business"
FLOW = "version: 1\nname: ask\ndefaults: {retry: {attempts: 1}}\nsteps:\n  - {id: a, model: big, task: Hi.}\n"
LIST = {"models": [{"type": "llm", "key": "big", "loaded_instances": [{"id": "big", "config": {}}]}]}
REFUSED = {"error": {"message": f"Malformed token provided: {TOKEN}", "type": "invalid_request_error"}}
BROKEN = {"error": {"message": f"crashed while it served Bearer {TOKEN}", "type": "server_error"}}
STREAMED = f"event: error\ndata: {json.dumps(BROKEN)}\n\n".encode()

Answer = tuple[int, Mapping[str, str], Any]
JSON = {"Content-Type": "application/json"}
GREETED: dict[str, Answer] = {"/lmstudio-greeting": (200, JSON, {"lmstudio": True})}
LISTED: dict[str, Answer] = {**GREETED, "/api/v1/models": (200, JSON, LIST)}
SERVERS: dict[str, dict[str, Answer]] = {
    "refuses the token": {"*": (401, JSON, REFUSED)},
    "refuses the token, and greets": {**GREETED, "*": (401, JSON, REFUSED)},
    "is something else": {"*": (404, {"Content-Type": "text/plain"}, f"no page for {TOKEN}".encode())},
    "fails": {"*": (500, JSON, BROKEN)},
    "sends on": {"*": (302, {"Location": f"https://me:{TOKEN}@example.org/?t={TOKEN}"}, b"")},
    "names a model so": {**GREETED, "*": (200, JSON, {"models": [{"type": "llm", "key": TOKEN}]})},
    "refuses to answer": {**LISTED, "*": (401, JSON, REFUSED)},
    "fails to answer": {**LISTED, "*": (500, JSON, BROKEN)},
    "fails in its answer": {**LISTED, "*": (200, {"Content-Type": "text/event-stream"}, STREAMED)},
}


@contextmanager
def server(answers: Mapping[str, Answer]) -> Iterator[str]:
    """A server that answers by path; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers.get(self.path) or answers["*"]
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()


def said_by(project: Project, ended: Ended) -> str:
    """All that the command wrote, to the screen and to the disk."""
    files = [path for path in (project.folder / ".bridge").rglob("*") if path.is_file()]
    return ended.raw_out + ended.raw_err + "".join(path.read_text("utf-8", errors="replace") for path in files)


@pytest.mark.parametrize("how", SERVERS)
def test_no_command_shows_a_token_that_a_server_repeats(project: Project, how: str) -> None:
    project.write("ask.yaml", FLOW)
    with server(SERVERS[how]) as url:
        project.write("bridge.toml", f'[endpoints.desk]\nurl = "{url}"\ntoken_env = "DESK_TOKEN"\n')
        project.environment.pop("BRIDGE_RUN_ENDPOINT")
        commands = [("ask.yaml",), ("check", "ask.yaml"), ("doctor", "ask.yaml", "--json"), ("models", "ls", "--json")]
        started = [project.start(*command, env={"DESK_TOKEN": TOKEN}) for command in commands]
        for command, process in zip(commands, started, strict=True):
            ended = project.ended(process)
            assert ended.code in (0, 1, 4, 5), (command, ended)
            assert TOKEN not in said_by(project, ended), command


@pytest.mark.parametrize("how", SERVERS)
def test_nor_does_an_error_from_python(how: str) -> None:
    async def asked(url: str) -> str:
        async with ModelValidator(url, token=TOKEN, attempts=1, environment={}) as models:
            try:
                return await models.validate("none of them")
            except BridgeError as error:
                return json.dumps(error.to_dict()) + str(error)

    with server(SERVERS[how]) as url:
        assert TOKEN not in asyncio.run(asked(url))


def test_a_user_and_a_password_in_an_address_are_not_repeated(project: Project) -> None:
    project.write("ask.yaml", FLOW)
    for command in (("ask.yaml",), ("check", "ask.yaml"), ("doctor",), ("models",)):
        ended = project.run(*command, "--endpoint", f"http://me:{TOKEN}@127.0.0.1:9")
        assert ended.code == 2
        assert TOKEN not in said_by(project, ended)
