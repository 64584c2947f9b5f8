"""``check`` and ``--dry-run`` as whole command lines, against a simulated LM Studio over real HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit.simulator import simulator
from syrupy.assertion import SnapshotAssertion

Command = Callable[..., tuple[int, str, str]]
MODELS = {
    "models": {
        "qwen/coder": {"loaded": {"context_length": 32768}, "tool_use": True},
        "tiny/plain": {"tool_use": False},
        "nomic-embed": {"type": "embedding"},
    }
}
GOOD = """\
version: 1
name: good
models:
  coder: qwen/coder
steps:
  - id: a
    model: coder
    task: Go.
  - id: b
    task: Go on with {{ steps.a.output }}.
"""
LACKING = """\
version: 1
name: lacking
secrets: [G_TOKEN]
models:
  coder: qwen/codr
mcp_servers:
  files: {builtin: files, root: .}
  git: {command: no-such-server, env: {TOKEN: "{{ secrets.G_TOKEN }}"}}
steps:
  - id: a
    model: coder
    mcp_servers: [git]
    task: Go.
  - id: b
    model: tiny/plain
    mcp_servers: [files]
    task: Go.
  - id: c
    model: nomic-embed
    task: Go.
"""
FAULTY = "version: 1\nname: faulty\nsteps:\n  - {id: a, task: Go., needs: [b]}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with simulator(MODELS) as url:
        yield url


@pytest.fixture
def command(tmp_path: Path, server: str) -> Command:
    """Runs a command line in a folder with the three files; the server's address reads ``http://SERVER``."""
    (tmp_path / "w").mkdir()
    for name, text in (("good", GOOD), ("lacking", LACKING), ("faulty", FAULTY)):
        (tmp_path / "w" / f"{name}.yaml").write_text(text)
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}

    def run(*arguments: str, endpoint: str | None = server, **environment: str) -> tuple[int, str, str]:
        given = {"BRIDGE_RUN_ENDPOINT": endpoint} if endpoint else {}
        done = subprocess.run(
            [sys.executable, "-m", "runner.cli.main", *arguments],
            cwd=tmp_path,
            env={**kept, **given, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        return (
            done.returncode,
            done.stdout.replace(server, "http://SERVER"),
            done.stderr.replace(server, "http://SERVER"),
        )

    return run


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_good_file(command: Command) -> None:
    assert command("check", "w/good.yaml") == (0, "1 workflow checked, nothing to complain about (1 model found)\n", "")


def test_everything_that_this_machine_lacks_at_once(command: Command, snapshot: SnapshotAssertion) -> None:
    assert command("check", "w/lacking.yaml") == snapshot


def test_a_file_at_fault_goes_before_a_machine_that_lacks_something(
    command: Command, snapshot: SnapshotAssertion
) -> None:
    assert command("check", "w") == snapshot


def test_a_strict_check_of_files_asks_for_no_values_of_secrets(command: Command, tmp_path: Path) -> None:
    step = '{id: a, run: [date], env: {T: "{{ secrets.S_TOKEN }}"}}'
    (tmp_path / "w/secret.yaml").write_text(f"version: 1\nname: s\nsecrets: [S_TOKEN]\nsteps: [{step}]\n")
    assert command("check", "w/secret.yaml", "--offline", "--strict")[0] == 0
    code, _, err = command("check", "w/secret.yaml", "--strict")
    assert (code, err.split(":")[0]) == (4, "warning[BR405]")


def test_findings_for_machines(command: Command) -> None:
    code, out, err = command("check", "w", "--format", "json")
    read = json.loads(out)
    assert (code, err, read["exit_code"]) == (3, "", 3)
    assert read["files"] == ["w/faulty.yaml", "w/good.yaml", "w/lacking.yaml"]
    assert [f"{one['level']} {one['code']} {one['file']}:{one['line']}" for one in read["findings"]] == [
        "error BR204 w/faulty.yaml:4",
        "warning BR405 w/lacking.yaml:3",
        "error BR301 w/lacking.yaml:5",
        "error BR401 w/lacking.yaml:8",
        "warning BR305 w/lacking.yaml:15",
        "error BR304 w/lacking.yaml:19",
    ]
    assert set(read["findings"][0]) == {
        "code", "level", "file", "line", "column", "end_line", "end_column", "message", "help", "fix"
    }  # fmt: skip


def test_nothing_reachable_names_the_address_and_the_ways_out(command: Command, nobody: str) -> None:
    code, out, err = command("check", "w/good.yaml", endpoint=nobody)
    assert (code, out, err.replace(nobody, "http://NOBODY")) == (
        5,
        "",
        "error: no model server can be asked; tried:\n"
        "    BR310 no connection to http://NOBODY: refused, nothing listens there\n"
        "  = help: start LM Studio's server (`lms server start`), name another address (`--endpoint URL`), or"
        " leave the models out (`check --offline`, `--dry-run --offline`)\n",
    )


def test_a_refused_token(command: Command, snapshot: SnapshotAssertion) -> None:
    with simulator({**MODELS, "settings": {"token": "right"}}) as url:
        code, out, err = command("check", "w/good.yaml", endpoint=url, LM_API_TOKEN="wrong")
        assert (code, out, err.replace(url, "http://LOCKED")) == snapshot
        assert command("check", "w/good.yaml", endpoint=url, LM_API_TOKEN="right")[0] == 0


def test_one_server_that_answers_is_enough(command: Command, server: str, nobody: str) -> None:
    code, out, err = command("check", "w/good.yaml", "--endpoint", nobody, "--endpoint", server)
    assert (code, out) == (0, "1 workflow checked, nothing to complain about (1 model found)\n")
    assert err == f"warning: no connection to {nobody}: refused, nothing listens there\n"


def test_offline_asks_nobody_and_says_so(command: Command, nobody: str) -> None:
    assert command("check", "--offline", "w/good.yaml", endpoint=nobody) == (
        0,
        "1 workflow checked, nothing to complain about (models were not looked for)\n",
        "",
    )


def test_a_workflow_without_models_asks_nobody(command: Command, nobody: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("version: 1\nname: r\nsteps:\n  - {id: a, run: ['true']}\n")
    assert command("check", "run.yaml", endpoint=nobody)[0] == 0
    assert command("run.yaml", "--dry-run", endpoint=nobody)[::2] == (0, "")


def test_a_good_check_says_what_it_found(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "version: 1\nname: t\nmcp_servers:\n  time: {command: cat}\n  sh: {command: sh}\n"
        "steps:\n  - {id: a, model: qwen/coder, mcp_servers: [time, sh], task: Go.}\n"
        "  - {id: b, model: tiny/plain, needs: [a], task: Go.}\n"
    )
    assert command("check", "t.yaml") == (
        0,
        "1 workflow checked, nothing to complain about (2 models found, 2 commands of tool servers found)\n",
        "",
    )
    (tmp_path / "r.yaml").write_text("version: 1\nname: r\nsteps:\n  - {id: a, run: ['true']}\n")
    assert command("check", "r.yaml")[1] == "1 workflow checked, nothing to complain about\n"


def test_warnings_count_when_it_is_strict(command: Command, tmp_path: Path) -> None:
    (tmp_path / "warned.yaml").write_text(GOOD.replace("steps:", "secrets: [G_TOKEN]\nsteps:"))
    assert command("check", "warned.yaml")[0] == 0
    assert command("check", "warned.yaml", "--strict")[0] == 3
    (tmp_path / "lacks.yaml").write_text(LACKING.split("  - id: b")[0].replace("qwen/codr", "qwen/coder").replace(
        "no-such-server", "sh").replace("  files: {builtin: files, root: .}\n", ""))  # fmt: skip
    assert command("check", "lacks.yaml")[0] == 0
    assert command("check", "lacks.yaml", "--strict")[0] == 4
    assert command("check", "lacks.yaml", "--strict", G_TOKEN="set")[0] == 0


def test_swapped_models(command: Command) -> None:
    assert command("check", "w/good.yaml", "--model", "coder=tiny/plain")[0] == 0
    code, _, err = command("check", "w/good.yaml", "--model", "codr=tiny/plain")
    assert (code, err) == (
        2,
        "error: `--model codr=tiny/plain`: the file has no model alias `codr`\n  = help: did you mean `coder`?\n",
    )


def test_the_plan_of_a_dry_run(command: Command, snapshot: SnapshotAssertion) -> None:
    assert command("w/good.yaml", "--dry-run", "--model", "tiny/plain") == snapshot


def test_a_dry_run_with_a_missing_model(command: Command, snapshot: SnapshotAssertion) -> None:
    assert command("w/good.yaml", "--dry-run", "--model", "coder=qwen/codr") == snapshot


def test_the_plan_for_machines(command: Command) -> None:
    code, out, err = command("w/good.yaml", "--dry-run", "--format", "json")
    read = json.loads(out)
    assert (code, err) == (0, "")
    assert [(step["id"], step["waits_for"], step["model"]["id"]) for step in read["steps"]] == [
        ("a", [], "qwen/coder"),
        ("b", ["a"], "qwen/coder"),
    ]


def test_tools_are_started_and_listed_on_demand(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "version: 1\nname: t\nmcp_servers:\n  gone: {command: 'false', start_timeout: 10s}\n"
        "steps:\n  - {id: a, model: qwen/coder, mcp_servers: [gone], task: Go.}\n"
    )
    assert command("check", "t.yaml")[0] == 0
    code, _, err = command("check", "t.yaml", "--tools")
    assert code == 5
    assert err.startswith("error[BR403]: ")
    assert command("t.yaml", "--dry-run", "--tools")[0] == 5


def test_a_server_that_needs_an_input_is_not_started_and_that_is_said(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "version: 1\nname: t\ninputs:\n  where: {type: string}\nmcp_servers:\n"
        "  files: {builtin: files, root: .}\n  far: {builtin: files, root: '{{ inputs.where }}'}\n"
        "steps:\n  - {id: a, model: qwen/coder, mcp_servers: [files, far], task: Go.}\n"
    )
    assert command("check", "t.yaml", "--tools") == (
        0,
        "1 workflow checked, nothing to complain about (1 model found, the tools of 1 server found)\n",
        "t.yaml: the server `far` depends on inputs that are not given; it was not started,"
        " and its tools are not known\n",
    )


def test_the_simulator_stands_in_for_every_server(command: Command, tmp_path: Path, nobody: str) -> None:
    (tmp_path / "s.sim.yaml").write_text(json.dumps(MODELS))
    assert command("check", "w/good.yaml", "--simulate", "s.sim.yaml", endpoint=nobody)[0] == 0
    code, _, err = command("check", "w/good.yaml", "--simulate", "s.sim.yaml", "--endpoint", nobody)
    assert (code, err) == (
        2,
        "error: `--simulate` and `--endpoint` exclude each other\n"
        "  = help: the simulator is the only server of its run\n",
    )
