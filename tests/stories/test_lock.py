"""``bridge-run lock`` and ``--locked`` as whole command lines: real model servers (simulated), real MCP servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kit.project import Project
from kit.stage import CHAT, CODER, Stage, endpoint, model

SERVER = '''\
"""An MCP server whose tool is described by a file; every start adds a line to another."""

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes", version="1.0")
said = Path(sys.argv[1]).read_text().splitlines()
with Path("starts.txt").open("a") as log:
    log.write("started\\n")


@server.tool(description=said[0])
def look(path: str) -> str:
    return path


if len(said) > 1:

    @server.tool(description=said[1])
    def more() -> str:
        return ""


server.run()
'''
FLOW = """\
version: 1
name: notes
models:
  coder: {{id: {coder}, fallback: [no/such]}}
mcp_servers:
  notes: {{command: python, args: [server.py, said.txt]}}
  files: {{builtin: files, root: .}}
steps:
  - id: look
    tool: notes.look
    arguments: {{path: a}}
  - id: write
    model: coder
    mcp_servers: [files]
    task: "Write about {{{{ steps.look.output }}}}."
"""


@pytest.fixture
def notes(project: Project, stage: Stage) -> Project:
    """A project with a workflow, its tool server, its model server, and its lock."""
    project.write("server.py", SERVER)
    project.write("said.txt", "Looks at a path.")
    project.write("workflows/notes.yaml", FLOW.format(coder=CODER))
    stage.serve({CODER: model("Done.", tool_use=True), "other/model": model()})
    assert project.run("lock").code == 0
    return project


def alone(project: Project) -> Project:
    """The same where there are no servers: another machine, or CI."""
    project.environment["BRIDGE_RUN_ENDPOINT"] = "http://127.0.0.1:9"
    return project


def codes(project: Project, *arguments: str) -> tuple[int, list[tuple[str, str, str, int]]]:
    """The exit code of a check, and what it finds, in the order of the files."""
    ended = project.run("check", *arguments, "--format", "json")
    found = json.loads(ended.out)["findings"]
    return ended.code, [(one["code"], one["level"], one["file"], one["line"]) for one in found]


def test_a_lock_is_written_twice_alike_and_holds_nothing_of_this_machine(notes: Project) -> None:
    first = (notes.folder / "bridge.lock").read_text()
    again = notes.run("lock")
    assert (again.code, again.out, again.err) == (0, "bridge.lock: 1 model, 2 tool servers with 4 tools\n", "")
    assert (notes.folder / "bridge.lock").read_text() == first
    assert str(notes.folder) not in first
    assert sys.prefix not in first
    assert "127.0.0.1" not in first
    assert "    start: {command: [python, server.py, said.txt]}\n" in first
    assert "missing_models: [no/such]\n" in first


def test_a_check_against_the_lock_needs_no_server_and_starts_none(notes: Project) -> None:
    (notes.folder / "starts.txt").unlink()
    ended = alone(notes).run("check", "--locked", "workflows", env={"PATH": ""})
    assert (ended.code, ended.err) == (0, "")
    found = "(1 model and 2 tool servers found in bridge.lock)"
    assert ended.out == f"1 workflow checked, nothing to complain about {found}\n"
    assert not (notes.folder / "starts.txt").exists()


def test_a_check_against_the_lock_imports_no_client(notes: Project) -> None:
    script = (
        "import json, sys\n"
        "from runner.cli.main import exit_code_of\n"
        "code = exit_code_of(['check', '--locked'])\n"
        "print(json.dumps([code, [name for name in ('httpx', 'httpx2', 'mcp', 'mcp_types') if name in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=notes.folder, env=alone(notes).environment, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


LACKING = """\
version: 1
name: lacking
mcp_servers:
  notes: {command: python, args: [server.py, said.txt], tools: [look, lok]}
steps:
  - id: sees
    model: plain
    images: [a.png]
    task: Look.
  - id: uses
    model: plain
    mcp_servers: [notes]
    sampling: {max_tokens: 9000}
    task: Use.
  - id: names
    tool: notes.lok
"""


def test_the_lock_finds_what_the_servers_find(project: Project, stage: Stage) -> None:
    project.write("server.py", SERVER)
    project.write("said.txt", "Looks at a path.")
    project.write("workflows/lacking.yaml", LACKING)
    stage.serve({"plain": model(tool_use=False, max_context_length=4096)})
    assert project.run("lock").code == 0
    asked = codes(project, "--tools")
    assert asked[0] == 4
    assert {code for code, *_ in asked[1]} >= {"BR305", "BR306", "BR307", "BR402"}
    code, found = codes(alone(project), "--locked")
    assert (code, found) == asked


def test_what_the_lock_does_not_know_is_told_where_it_stands(notes: Project) -> None:
    text = (notes.folder / "workflows/notes.yaml").read_text()
    notes.write("workflows/notes.yaml", text.replace(CODER, "new/model").replace("said.txt", "other.txt"))
    ended = alone(notes).run("check", "--locked")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err == (
        "error[BR511]: bridge.lock does not know the model `new/model`\n"
        " --> workflows/notes.yaml:4:15\n"
        "  |\n"
        "4 |   coder: {id: new/model, fallback: [no/such]}\n"
        "  |               ^^^^^^^^^\n"
        "  |\n"
        "  = help: write it anew where the model servers can be asked: `bridge-run lock`\n"
        "\n"
        "error[BR301]: no server has a model named `no/such`\n"
        " --> workflows/notes.yaml:4:37\n"
        "  |\n"
        "4 |   coder: {id: new/model, fallback: [no/such]}\n"
        "  |                                     ^^^^^^^\n"
        "  |\n"
        f"  = note: bridge.lock has `{CODER}`\n"
        "  = help: download it (`lms get no/such`), or name one that is there\n"
        "\n"
        "error[BR512]: bridge.lock does not know the tool server `notes`, as it is started here\n"
        " --> workflows/notes.yaml:6:3\n"
        "  |\n"
        "6 |   notes: {command: python, args: [server.py, other.txt]}\n"
        "  |   ^^^^^\n"
        "  |\n"
        "  = help: write it anew where the server can be started: `bridge-run lock`\n"
        "\n"
        "3 errors\n"
    )


def test_a_file_at_fault_goes_before_what_the_lock_lacks(notes: Project) -> None:
    notes.write("workflows/bad.yaml", "version: 1\nname: bad\nsteps: [{id: a}]\n")
    assert alone(notes).run("check", "--locked").code == 3


def test_strict_counts_warnings(notes: Project) -> None:
    text = (notes.folder / "workflows/notes.yaml").read_text()
    notes.write("workflows/notes.yaml", text.replace("fallback: [no/such]", "fallback: []").replace(CODER, "no/such"))
    plain = text.replace(f"{{id: {CODER}, fallback: [no/such]}}", f"[no/such, {CODER}]")
    notes.write("workflows/notes.yaml", plain)
    alone(notes)
    assert codes(notes, "--locked") == (0, [("BR303", "warning", "workflows/notes.yaml", 4)])
    assert codes(notes, "--locked", "--strict")[0] == 4


def test_another_file_is_named_behind_a_sign_of_equality(notes: Project) -> None:
    (notes.folder / "bridge.lock").rename(notes.folder / "locks.yaml")
    alone(notes)
    assert notes.run("check", "--locked=locks.yaml").code == 0
    ended = notes.run("check", "--locked")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: the lock file `bridge.lock` is not there\n"
        "  = help: `bridge-run lock` writes it, where the model servers can be asked\n"
    )
    assert "the lock file `workflows` is a folder" in notes.run("check", "--locked=workflows").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "--locked", "--offline"), "`--locked` and `--offline` exclude each other"),
        (("check", "--locked", "--tools"), "`--locked` and `--tools` exclude each other"),
        (("workflows/notes.yaml", "--locked", "--rehearse"), "`--locked` and `--rehearse` exclude each other"),
        (("workflows/notes.yaml", "--locked", "--dry-run", "--tools"), "`--locked` and `--tools` exclude each other"),
        (("workflows/notes.yaml", "--locked", "--record"), "`--locked` and `--record` exclude each other"),
        (("workflows/notes.yaml", "--locked", "--replay"), "`--locked` and `--replay` exclude each other"),
        (("lock", "--check", "--update", "notes"), "`--check` and `--update` exclude each other"),
        (("lock", "--format", "json"), "`--format` belongs to `--check`"),
    ],
)
def test_options_that_make_no_sense_together(project: Project, arguments: tuple[str, ...], words: str) -> None:
    project.write("workflows/notes.yaml", FLOW.format(coder=CODER))
    ended = project.run(*arguments)
    assert ended.code == 2
    assert words in ended.err


def test_marks_of_a_merge_in_the_lock(notes: Project) -> None:
    text = (notes.folder / "bridge.lock").read_text()
    notes.write("bridge.lock", text.replace("mcp_servers:", "<<<<<<< HEAD\nmcp_servers:"))
    for arguments in (("check", "--locked"), ("lock", "--check"), ("workflows/notes.yaml", "--locked")):
        ended = notes.run(*arguments)
        assert ended.code == 3
        assert "error[BR510]: a merge left its marks in this lock file\n  --> bridge.lock:" in ended.err
    assert notes.run("lock").code == 0
    assert (notes.folder / "bridge.lock").read_text() == text


def test_nothing_has_changed(notes: Project) -> None:
    ended = notes.run("lock", "--check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "bridge.lock is up to date: 1 model, 2 tool servers with 4 tools\n"


def test_drift_is_told_item_by_item(notes: Project, stage: Stage) -> None:
    before = (notes.folder / "bridge.lock").read_text()
    notes.write("said.txt", "Looks at a path, and sends it away.\nMore.")
    stage.serve({CODER: model(tool_use=True, quantization="Q8_0")})
    ended = notes.run("lock", "--check")
    assert (ended.code, ended.out) == (
        1,
        f"changed  model `{CODER}`\n"
        "           quantization: Q4_K_M → Q8_0\n"
        f'           variants: ["{CODER}@q4_k_m"] → ["{CODER}@q8_0"]\n'
        "changed  tool `notes.look`\n"
        "           description: Looks at a [-path.-] {+path, and sends it away.+}\n"
        "new      tool `notes.more`\n",
    )
    assert ended.err == ("bridge.lock is not up to date; look at what changed, and write it anew: `bridge-run lock`\n")
    told = json.loads(notes.run("lock", "--check", "--format", "json").out)
    assert (told["lock"], told["exit_code"]) == ("bridge.lock", 1)
    assert [(one["kind"], one["name"], one["how"]) for one in told["drift"]] == [
        ("model", CODER, "changed"),
        ("tool", "notes.look", "changed"),
        ("tool", "notes.more", "new"),
    ]
    assert told["drift"][0]["changes"][0] == {"path": "quantization", "before": "Q4_K_M", "after": "Q8_0"}
    assert (notes.folder / "bridge.lock").read_text() == before


def test_one_entry_is_renewed(notes: Project, stage: Stage) -> None:
    notes.write("said.txt", "Looks twice.")
    stage.serve({CODER: model(tool_use=True, quantization="Q8_0")})
    ended = alone(notes).run("lock", "--update", "notes")
    assert (ended.code, ended.out) == (
        0,
        "bridge.lock: 1 model, 2 tool servers with 4 tools\n"
        "changed  tool `notes.look`\n"
        "           description: Looks [-at a path.-] {+twice.+}\n",
    )
    stage.serve({CODER: model(tool_use=True, quantization="Q8_0")})
    (notes.folder / "starts.txt").unlink()
    ended = notes.run("lock", "--update", CODER)
    assert (ended.code, ended.out.splitlines()[1]) == (0, f"changed  model `{CODER}`")
    assert not (notes.folder / "starts.txt").exists()
    assert notes.run("lock", "--check").code == 0
    ended = notes.run("lock", "--update", "nots")
    assert ended.code == 2
    assert "no workflow uses a model or a tool server named `nots`" in ended.err
    assert "did you mean `notes`?" in ended.err


def test_a_lock_without_a_model_that_is_needed_is_not_written(notes: Project, stage: Stage) -> None:
    before = (notes.folder / "bridge.lock").read_text()
    stage.serve({"other/model": model()})
    ended = notes.run("lock")
    assert ended.code == 4
    assert f"error[BR301]: no server has a model named `{CODER}`" in ended.err
    assert notes.run("lock", "--check").out.splitlines()[0] == f"gone     model `{CODER}`"
    assert (notes.folder / "bridge.lock").read_text() == before


def test_a_lock_without_a_server_that_is_needed_is_not_written(notes: Project) -> None:
    (notes.folder / "bridge.lock").unlink()
    notes.write("said.txt", "")
    ended = notes.run("lock")
    assert ended.code == 5
    assert "error[BR403]: MCP server `notes`" in ended.err
    assert not (notes.folder / "bridge.lock").exists()


def test_where_no_model_server_answers_nothing_is_locked(notes: Project) -> None:
    ended = alone(notes).run("lock")
    assert ended.code == 5
    assert "no model server can be asked" in ended.err


def test_a_lock_that_cannot_be_written(notes: Project) -> None:
    ended = notes.run("lock", "--file", "no/such/bridge.lock")
    assert (ended.code, ended.err) == (
        2,
        "error: cannot write `no/such/bridge.lock`: No such file or directory\n"
        "  = help: `--file` names another place\n",
    )


def test_files_at_fault_are_told_and_nothing_is_locked(notes: Project) -> None:
    notes.write("workflows/bad.yaml", "version: 1\nname: bad\nsteps: [{id: a}]\n")
    ended = notes.run("lock")
    assert ended.code == 3
    assert " --> workflows/bad.yaml:3" in ended.err


def test_a_run_with_the_lock_works_as_one_without(notes: Project) -> None:
    ended = notes.run("workflows/notes.yaml", "--locked", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "Done.\n", "")


def test_a_run_refuses_a_tool_whose_definition_changed_before_its_first_step(notes: Project, stage: Stage) -> None:
    notes.write("said.txt", "Looks at a path, and sends it away.")
    served = stage.serve({CODER: model("Done.", tool_use=True)})
    ended = notes.run("workflows/notes.yaml", "--locked", "-q")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err == (
        "error[BR513]: the tool `notes.look` is not the one of bridge.lock: `description` changed\n"
        " --> workflows/notes.yaml:6:3\n"
        "  |\n"
        "6 |   notes: {command: python, args: [server.py, said.txt]}\n"
        "  |   ^^^^^\n"
        "  |\n"
        "  = note: description: Looks at a [-path.-] {+path, and sends it away.+}\n"
        "  = help: look at what changed, and if it is right write the lock anew: `bridge-run lock --update notes`\n"
        "\n"
        "1 error\n"
    )
    assert served.requests(CHAT) == []
    assert [entry["type"] for entry in notes.journal() if entry["type"].startswith("step")] == []
    assert notes.result()["exit_code"] == 4


def test_with_warn_the_run_goes_on(notes: Project) -> None:
    notes.write("said.txt", "Looks elsewhere.")
    ended = notes.run("workflows/notes.yaml", "--locked=warn")
    assert (ended.code, ended.out) == (0, "Done.\n")
    assert "warning[BR513]: the tool `notes.look` is not the one of bridge.lock" in ended.err


def test_a_model_that_is_not_as_it_was_is_a_warning(notes: Project, stage: Stage) -> None:
    stage.serve({CODER: model("Done.", tool_use=True, quantization="Q8_0")})
    ended = notes.run("workflows/notes.yaml", "--locked")
    assert (ended.code, ended.out) == (0, "Done.\n")
    assert f"warning[BR514]: the model `{CODER}` is not as bridge.lock says: `quantization`, `variants`" in ended.err


def test_all_servers_that_a_run_refuses_are_told_at_once(notes: Project) -> None:
    text = (notes.folder / "workflows/notes.yaml").read_text()
    second = "  second: {command: python, args: [server.py, said.txt, x]}\n  files:"
    more = "  - {id: second, tool: second.look, arguments: {path: a}}\n"
    notes.write("workflows/notes.yaml", text.replace("  files:", second) + more)
    notes.write("said.txt", "Looks elsewhere.")
    ended = notes.run("workflows/notes.yaml", "--locked", "-q")
    assert ended.code == 4
    assert "error[BR513]: the tool `notes.look`" in ended.err
    assert "error[BR512]: bridge.lock does not know the tool server `second`" in ended.err


def test_a_server_that_changes_in_the_midst_of_a_run_is_refused(notes: Project) -> None:
    flow = (notes.folder / "workflows/notes.yaml").read_text()
    flow = flow.replace("said.txt]", "said.txt], isolate: true").partition("  - id: look")[0]
    change = "  - {id: change, run: [sh, -c, 'echo Sends. > said.txt']}\n"
    look = "  - {id: look, needs: [change], tool: notes.look, arguments: {path: a}, retry: {attempts: 1}}\n"
    notes.write("workflows/notes.yaml", flow + change + look)
    ended = notes.run("workflows/notes.yaml", "--locked", "-q")
    assert ended.code == 1
    assert notes.result()["steps"]["look"]["error"]["kind"] == "tool_server"
    assert "the tool `notes.look` is not the one of bridge.lock" in notes.result()["steps"]["look"]["error"]["message"]


def test_a_run_without_a_lock_file_does_not_begin(notes: Project) -> None:
    (notes.folder / "bridge.lock").unlink()
    assert notes.run("workflows/notes.yaml", "--locked").code == 2
    assert notes.runs() == []


def test_a_plan_is_made_from_the_lock(notes: Project) -> None:
    ended = alone(notes).run("workflows/notes.yaml", "--dry-run", "--locked")
    assert (ended.code, ended.err) == (0, "")
    assert f"{CODER}  will be loaded: context 16,384, Q4_K_M, 20.0 GB" in ended.out
    assert "loads: 1" in ended.out
    read = json.loads(notes.run("workflows/notes.yaml", "--dry-run", "--locked", "--format", "json").out)
    assert [step["model"] and step["model"]["id"] for step in read["steps"]][1] == CODER


def test_servers_have_the_addresses_and_bounds_of_the_configuration(project: Project, stage: Stage) -> None:
    served = stage.serve({CODER: model(), "other/model": model()})
    stage.configure(endpoint("gpu", served.url))
    flow = f"version: 1\nname: f\nmodels: {{coder: {{id: {CODER}, endpoint: gpu}}}}\n"
    project.write("workflows/f.yaml", f"{flow}steps:\n  - {{id: a, model: coder, task: Hi.}}\n")
    assert project.run("lock").code == 0
    assert "name: gpu" in (project.folder / "bridge.lock").read_text()
    assert served.url not in (project.folder / "bridge.lock").read_text()
    stage.configure(endpoint("gpu", "http://elsewhere:1234"))
    assert project.run("check", "--locked").code == 0
    ended = project.run("workflows/f.yaml", "--dry-run", "--locked")
    assert "http://elsewhere:1234" in ended.out
    project.write("workflows/f.yaml", f"{flow.replace('gpu', 'cpu')}steps:\n  - {{id: a, model: coder, task: Hi.}}\n")
    ended = project.run("check", "--locked")
    assert ended.code == 4
    assert f"bridge.lock does not know the model `{CODER}` on the server `cpu`" in ended.err
    assert "BR313" not in ended.err


def test_the_model_of_steps_that_name_none_is_in_the_lock(project: Project, stage: Stage) -> None:
    project.write("workflows/f.yaml", "version: 1\nname: f\nsteps:\n  - {id: a, task: Hi.}\n")
    stage.serve({CODER: model(loaded=True), "other/model": model()})
    assert project.run("lock").code == 0
    assert f"default_model: {CODER}\n" in (project.folder / "bridge.lock").read_text()
    assert alone(project).run("check", "--locked").code == 0


CALLER = """\
version: 1
name: caller
inputs:
  place: {type: string}
mcp_servers:
  late: {command: python, args: [server.py, "{{ inputs.place }}"]}
steps:
  - {id: first, tool: late.look, arguments: {path: a}}
  - {id: call, workflow: ./callee.yaml, with: {said: said.txt}}
"""
CALLEE = """\
version: 1
name: callee
inputs:
  said: {type: string, default: other.txt}
mcp_servers:
  notes: {command: python, args: [server.py, "{{ inputs.said }}"]}
steps:
  - {id: look, tool: notes.look, arguments: {path: b}}
"""


@pytest.fixture
def calls(project: Project) -> Project:
    project.write("server.py", SERVER)
    project.write("said.txt", "Looks at a path.")
    project.write("caller.yaml", CALLER)
    project.write("callee.yaml", CALLEE)
    return project


def test_a_server_that_depends_on_inputs_is_told_not_to_be_locked(calls: Project) -> None:
    ended = calls.run("lock", "caller.yaml")
    assert (ended.code, ended.out) == (0, "bridge.lock: 0 models, 2 tool servers with 1 tool\n")
    assert ended.err == (
        "caller.yaml: the server `late` depends on inputs that have no default; its tools are not in the lock\n"
    )
    ended = calls.run("check", "--locked", "caller.yaml")
    assert (ended.code, ended.err) == (
        0,
        "caller.yaml: the tools of `late` are not in bridge.lock: its start depends on inputs\n",
    )
    ended = calls.run("caller.yaml", "--locked", "-q", "-i", "place=said.txt")
    assert ended.code == 4
    assert "error[BR512]: the tools of `late` are not in bridge.lock: its start depends on inputs" in ended.err


def test_with_a_default_it_is_locked_and_other_values_of_the_input_start_the_same_server(calls: Project) -> None:
    calls.write("caller.yaml", CALLER.replace("place: {type: string}", "place: {type: string, default: said.txt}"))
    calls.write("same.txt", "Looks at a path.")
    calls.write("changed.txt", "Sends.")
    assert calls.run("lock", "caller.yaml").err == ""
    assert calls.run("caller.yaml", "--locked", "-q", "-i", "place=same.txt").code == 0
    assert calls.run("caller.yaml", "--locked", "-q", "-i", "place=changed.txt").code == 4


def test_the_server_of_a_called_file_is_refused_too(calls: Project) -> None:
    calls.write("caller.yaml", CALLER.replace("place: {type: string}", "place: {type: string, default: said.txt}"))
    assert calls.run("lock", "caller.yaml").code == 0
    calls.write("callee.yaml", CALLEE.replace("args: [", "args: [-B, "))
    ended = calls.run("caller.yaml", "--locked", "-q")
    assert ended.code == 4
    assert "error[BR512]: bridge.lock does not know the tool server `notes`, as it is started here" in ended.err
    assert " --> callee.yaml:6:3" in ended.err


def test_neither_secrets_nor_client_files_are_needed_nor_kept(project: Project) -> None:
    project.write("server.py", SERVER)
    project.write("said.txt", "Looks for hunter2-secret.")
    entry = {"command": "python", "args": ["server.py", "said.txt"], "env": {"TOKEN": "${NOTES_TOKEN}"}}
    project.write(".mcp.json", {"mcpServers": {"client": entry}})
    project.write(
        "workflows/f.yaml",
        "version: 1\nname: f\nsecrets: [S_TOKEN]\nmcp_servers:\n  client: {from: ../.mcp.json}\n"
        '  own: {command: python, args: [server.py, said.txt], env: {T: "{{ secrets.S_TOKEN }}"}}\n'
        "steps:\n  - {id: a, tool: client.look, arguments: {path: a}}\n"
        "  - {id: b, tool: own.look, arguments: {path: a}}\n",
    )
    secrets = {"NOTES_TOKEN": "token-of-notes", "S_TOKEN": "hunter2-secret"}
    assert project.run("lock", env=secrets).code == 0
    text = (project.folder / "bridge.lock").read_text()
    assert "hunter2-secret" not in text
    assert "token-of-notes" not in text
    assert "Looks for [secret S_TOKEN]." in text
    assert 'start: {from: ".mcp.json", entry: client}' in text
    code, found = codes(project, "--locked")
    assert (code, found) == (0, [])
    assert project.run("check", "--locked", "--strict").code == 0
    assert project.run("workflows/f.yaml", "--locked", "-q", env=secrets).code == 0


def test_a_lock_lies_at_the_root_of_the_project(notes: Project) -> None:
    (notes.folder / "bridge.lock").unlink()
    subprocess.run(["git", "init", "-q"], cwd=notes.folder, check=True)
    below = notes.folder / "below"
    below.mkdir()
    inner = Project(below)
    inner.environment = notes.environment
    inner.write("f.yaml", "version: 1\nname: f\nsteps:\n  - {id: a, run: [ls]}\n")
    ended = inner.run("lock", "f.yaml")
    assert (ended.code, ended.out) == (0, "../bridge.lock: 0 models, 0 tool servers with 0 tools\n")
    assert Path(notes.folder, "bridge.lock").is_file()
    assert inner.run("check", "--locked", "f.yaml").code == 0
