"""docs/security.md: each claim has a test, and those that no other story shows are shown here."""

from __future__ import annotations

import ast
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from kit.page import DOCS, ROOT
from kit.project import Project
from kit.stage import CHAT, CODER, Stage, model

HEAD = f"version: 1\nname: ask\ndefaults: {{model: {CODER}, retry: {{attempts: 1}}}}\nsecrets: [KEY]\nsteps:\n"
SECRET = "hunter2-hunter2"
LOADED: dict[str, object] = {"loaded": {"context_length": 16384}, "tool_use": True}
_SHOWN_BY = re.compile(r"<!-- shown by: (\S+)::(\S+) -->")


def prints(command: str, *more: str) -> str:
    """A step that runs a shell command with the secret in ``$KEY``."""
    lines = ("id: say", f"run: [sh, -c, {json.dumps(command)}]", 'env: {KEY: "{{ secrets.KEY }}"}', *more)
    return "".join(f"  {'-' if number == 0 else ' '} {line}\n" for number, line in enumerate(lines))


def test_every_test_that_the_page_names_is_there() -> None:
    named = _SHOWN_BY.findall((DOCS / "security.md").read_text("utf-8"))
    assert len(named) > 20
    assert [f"{file}::{name}" for file, name in named if name not in _functions(ROOT / file)] == []


def _functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_a_shell_command_takes_no_templates(project: Project) -> None:
    project.write("ask.yaml", HEAD + "  - id: say\n    shell: true\n    run: 'echo {{ run.id }}'\n")
    ended = project.run("check", "--offline", "ask.yaml")
    assert ended.code == 3, ended
    assert "error[BR210]: a shell command takes no templates" in ended.err


@pytest.mark.unmeasured
def test_control_characters_of_an_answer_reach_stdout_alone_and_not_as_json(project: Project, stage: Stage) -> None:
    stage.serve({CODER: model("\x1b]0;yours\x07done", **LOADED)})
    project.write("ask.yaml", HEAD.replace("secrets: [KEY]\n", "") + "  - id: say\n    task: Say it.\n")
    plain = project.run("ask.yaml")
    assert plain.raw_out == "\x1b]0;yours\x07done\n"
    assert "\x1b" not in plain.raw_err
    as_json = project.run("ask.yaml", "--output", "json")
    assert "\x1b" not in as_json.raw_out + as_json.raw_err
    assert json.loads(as_json.raw_out)["outputs"] == {"say": "\x1b]0;yours\x07done"}


def test_control_characters_do_not_reach_progress_and_report(project: Project) -> None:
    step = "  - {id: say, run: [sh, -c, 'printf \"\\\\033]0;yours\\\\007gone\" >&2; exit 3']}\n"
    project.write("ask.yaml", HEAD.replace("secrets: [KEY]\n", "") + step)
    ended = project.run("ask.yaml")
    assert ended.code == 1, ended
    assert "\u241b]0;yours\u2407gone" in ended.raw_err  # shown as pictures of themselves
    assert re.findall(r"[\x00-\x09\x0b-\x1f]", ended.raw_err) == []


@pytest.mark.unmeasured
def test_a_model_that_calls_tools_without_end_is_ended(project: Project, stage: Stage) -> None:
    turn = {"call": [{"tool": "files__list", "arguments": {"path": "."}}]}
    server = stage.serve({CODER: model(**LOADED, turns=[turn])})
    step = "  - {id: look, task: Look., mcp_servers: [files], limits: {rounds: 3}}\n"
    files = "mcp_servers: {files: {builtin: files, root: .}}\nsteps:\n"
    project.write("ask.yaml", HEAD.replace("secrets: [KEY]\n", "").replace("steps:\n", files) + step)
    assert project.run("ask.yaml").code == 1
    assert project.result()["steps"]["look"]["error"]["kind"] == "limit"
    assert len(server.requests(CHAT)) == 3


def test_looking_at_a_file_starts_nothing(project: Project, stage: Stage) -> None:
    stage.serve({CODER: model(**LOADED)})
    servers = "mcp_servers: {srv: {command: touch, args: [started-server]}}\nsteps:\n"
    steps = "  - {id: one, run: [touch, started-command]}\n  - {id: two, task: Look., mcp_servers: [srv]}\n"
    project.write("ask.yaml", HEAD.replace("secrets: [KEY]\n", "").replace("steps:\n", servers) + steps)
    for look in (("check", "ask.yaml"), ("ask.yaml", "--dry-run"), ("graph", "ask.yaml"), ("ask.yaml", "--rehearse")):
        assert project.run(*look).code == 0, look
    assert list(project.folder.glob("started-*")) == []
    project.run("check", "--tools", "ask.yaml")
    assert [path.name for path in project.folder.glob("started-*")] == ["started-server"]


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    """A server that sends everybody elsewhere."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", target + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_redirect_is_not_followed(project: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(**LOADED)})
    project.write("ask.yaml", HEAD.replace("secrets: [KEY]\n", "") + "  - id: say\n    task: Say it.\n")
    with redirecting(server.url) as url:
        ended = project.run("ask.yaml", "--endpoint", url, env={"LM_API_TOKEN": SECRET})
    assert ended.code == 5, ended
    assert not server.log.exists() or server.log.read_text("utf-8") == ""


@pytest.mark.unmeasured
def test_a_model_is_sent_what_a_command_printed(project: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(**LOADED)})
    ask = '  - {id: ask, task: "What is {{ steps.say.output }}?"}\n'
    project.write("ask.yaml", HEAD + prints('echo "$KEY"') + ask)
    assert project.run("ask.yaml", env={"KEY": SECRET}).code == 0
    assert server.requests(CHAT)[0]["messages"][-1]["content"] == f"What is {SECRET}?"
    assert SECRET not in (project.runs()[-1] / "journal.jsonl").read_text("utf-8")


def test_kept_files_are_as_they_are(project: Project) -> None:
    project.write("ask.yaml", HEAD + prints('echo "$KEY" > kept.txt', "artifacts: [kept.txt]"))
    assert project.run("ask.yaml", env={"KEY": SECRET}).code == 0
    assert (project.runs()[-1] / "kept/say/kept.txt").read_text("utf-8") == f"{SECRET}\n"


@pytest.mark.parametrize(
    ("secret", "command", "shown"),
    [
        ("abc", 'echo "$KEY"', "abc"),
        (SECRET, 'printf %s "$KEY" | od -An -tx1 | tr -d " \\n"', SECRET.encode().hex()),
        (SECRET, 'printf %.7s "$KEY"', SECRET[:7]),
    ],
    ids=["short", "hexadecimal", "a part"],
)
def test_short_values_and_other_encodings_are_not_masked(
    project: Project, secret: str, command: str, shown: str
) -> None:
    project.write("ask.yaml", HEAD + prints(command))
    ended = project.run("ask.yaml", env={"KEY": secret})
    assert (ended.code, ended.out) == (0, f"{shown}\n")
