"""One file calls another: paths, models, servers, secrets and inputs of all of them, judged before anything starts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project
from kit.shapes import assert_shapes
from kit.stage import CHAT, CODER, LOAD, THINKER, Served, Stage, model
from syrupy.assertion import SnapshotAssertion

MAIN = """version: 1
name: book
inputs: {titles: {type: array, items: {type: string}, default: [one, two]}}
steps:
  - {id: begin, run: [touch, begun]}
  - id: chapter
    needs: [begin]
    for_each: inputs.titles
    workflow: parts/chapter.yaml
    with: {title: "{{ item }}"}
  - {id: bind, run: [echo, "{{ steps.chapter.output | map(attribute='text') | join('; ') }}"]}
"""
CHAPTER = f"""version: 1
name: chapter
inputs: {{title: {{type: string}}}}
models: {{writer: {CODER}}}
steps:
  - {{id: draft, model: writer, task: "Draft {{{{ inputs.title }}}}."}}
  - {{id: judge, workflow: ../deep/judge.yaml, with: {{text: "{{{{ steps.draft.output }}}}"}}}}
outputs: {{text: "{{{{ inputs.title }}}}: {{{{ steps.judge.output.verdict }}}}"}}
"""
JUDGE = f"""version: 1
name: judge
inputs: {{text: {{type: string}}}}
models: {{reader: {THINKER}}}
mcp_servers: {{clock: {{command: mcp-server-time, args: [--local-timezone, UTC]}}}}
steps:
  - {{id: now, tool: clock.get_current_time, arguments: {{timezone: UTC}}, output: {{type: object}}}}
  - id: read
    needs: [now]
    model: reader
    task: "Judge: {{{{ inputs.text }}}}"
    output: {{schema: verdict.json}}
outputs: {{verdict: "{{{{ steps.read.output.verdict }}}}"}}
"""
VERDICT = {"type": "object", "required": ["verdict"], "properties": {"verdict": {"type": "string"}}}


@pytest.fixture
def book(project: Project) -> Project:
    """Three files in folders of their own, started from above all of them."""
    project.write("flows/book.yaml", MAIN)
    project.write("flows/parts/chapter.yaml", CHAPTER)
    project.write("flows/deep/judge.yaml", JUDGE)
    project.write("flows/deep/verdict.json", VERDICT)
    return project


@pytest.fixture
def server(stage: Stage) -> Served:
    drafts = [{"when": {"user": r"Draft (\w+)"}, "say": "draft of {{ match[1] }}"}]
    judges = [{"when": {"user": r"Judge: (.*)"}, "json": {"verdict": "fine {{ match[1] }}"}}]
    return stage.serve({CODER: model(turns=[*drafts, *judges]), THINKER: model(turns=judges)}, memory="30GB")


def change(project: Project, name: str, old: str, new: str) -> None:
    text = (project.folder / name).read_text()
    assert old in text
    project.write(name, text.replace(old, new))


def nothing_was_run(project: Project) -> bool:
    return not project.runs() and not (project.folder / "begun").exists()


# What works


def test_three_files_in_folders(book: Project, server: Served) -> None:
    ended = book.run("flows/book.yaml")
    assert (ended.code, ended.out) == (0, "one: fine draft of one; two: fine draft of two\n"), ended
    assert [request["model"] for request in server.requests(LOAD)] == [CODER, THINKER]
    assert [entry["server"] for entry in events(book, "tool_server_started")] == ["clock"]
    units = {
        f"{entry['step']}[{entry['item']}]" if "item" in entry else entry["step"]
        for entry in events(book, "step_finished")
    }
    assert {"chapter[0]/judge/now", "chapter[1]/judge/read", "chapter[1]", "chapter", "bind"} <= units
    item = book.result()["steps"]["chapter"]["items"][1]
    assert item["output"] == {"text": "two: fine draft of two"}
    assert item["steps"]["judge"]["steps"]["read"]["output"] == {"verdict": "fine draft of two"}
    assert_shapes(book)
    assert_closed(book, "succeeded")


def test_the_plan_of_all_of_them(book: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    text = book.run("flows/book.yaml", "--dry-run", env={"COLUMNS": "100"})
    assert str(text) == snapshot(name="text")
    told = json.loads(book.run("flows/book.yaml", "--dry-run", "--format", "json").raw_out)
    chapter = told["steps"][1]["callee"]
    assert [step["id"] for step in chapter["steps"]] == ["draft", "judge"]
    assert [step["id"] for step in chapter["steps"][1]["callee"]["steps"]] == ["now", "read"]
    assert [one["model"] for one in told["models"]] == [CODER, THINKER]
    assert nothing_was_run(book)
    assert server.requests(LOAD) == []


def test_what_the_server_of_a_called_file_offers(book: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    change(book, "flows/deep/judge.yaml", "clock.get_current_time", "clock.get_the_time")
    assert book.run("check", "flows/book.yaml").code == 0
    ended = book.run("check", "flows/book.yaml", "--tools")
    assert str(ended) == snapshot
    assert book.run("flows/book.yaml", "--dry-run", "--tools").code == 4
    ran = book.run("flows/book.yaml")
    assert ran.code == 4
    assert "get_the_time" in ran.err
    assert not (book.folder / "begun").exists()


def test_a_swapped_model_reaches_the_innermost_file(book: Project, server: Served) -> None:
    assert book.run("flows/book.yaml", "--model", f"reader={CODER}").code == 0
    assert {request["model"] for request in server.requests(CHAT)} == {CODER}
    assert [request["model"] for request in server.requests(LOAD)] == [CODER]


def test_a_secret_of_a_called_file_is_asked_for_first_and_never_told(
    book: Project, server: Served, snapshot: SnapshotAssertion
) -> None:
    book.write(
        "flows/deep/judge.yaml",
        """version: 1
name: judge
inputs: {text: {type: string}}
secrets: [JUDGE_TOKEN]
steps:
  - {id: send, run: [sh, -c, 'echo "sent with $T"'], env: {T: "{{ secrets.JUDGE_TOKEN }}"}}
outputs: {verdict: "{{ steps.send.output }}{{ inputs.text | truncate(0, true, '') }}"}
""",
    )
    ended = book.run("flows/book.yaml")
    assert str(ended) == snapshot
    assert nothing_was_run(book)
    ended = book.run("flows/book.yaml", env={"JUDGE_TOKEN": "hush-hush-4711"})
    assert ended.code == 0, ended
    kept = "".join(path.read_text() for path in book.runs()[-1].iterdir() if path.is_file())
    assert "hush" not in kept + ended.raw_out + ended.raw_err


def test_a_failure_far_below_goes_up_with_its_kind(book: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    book.write(
        "flows/deep/judge.yaml",
        """version: 1
name: judge
inputs: {text: {type: string}}
steps:
  - {id: fail, run: [sh, -c, 'echo "cannot judge: $T" >&2; exit 9'], env: {T: "{{ inputs.text }}"}}
outputs: {verdict: "{{ steps.fail.output }}"}
""",
    )
    ended = book.run("flows/book.yaml", "-i", 'titles=["one"]')
    assert ended.code == 1
    assert ended.err[ended.err.index("book failed") :] == snapshot
    assert book.result()["steps"]["chapter"]["error"]["kind"] == "command"
    assert book.result()["outputs"] == {"bind": None}
    assert_shapes(book)
    assert_closed(book, "failed")


# What is wrong, and known before anything starts


def test_a_model_that_only_the_innermost_file_names(book: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    change(book, "flows/deep/judge.yaml", THINKER, "nobody/has-this")
    assert str(book.run("flows/book.yaml")) == snapshot
    assert nothing_was_run(book)
    assert server.requests(LOAD) == []


def test_a_circle_through_three_files(book: Project, snapshot: SnapshotAssertion) -> None:
    book.write(
        "flows/deep/judge.yaml",
        """version: 1
name: judge
inputs: {text: {type: string}}
steps:
  - {id: again, workflow: ../book.yaml, with: {titles: ["{{ inputs.text }}"]}}
outputs: {verdict: "{{ steps.again.output.bind }}"}
""",
    )
    assert str(book.run("flows/book.yaml")) == snapshot
    assert nothing_was_run(book)


def test_nine_files_below_the_first(project: Project, snapshot: SnapshotAssertion) -> None:
    for number in range(10):
        calls = f"workflow: f{number + 1}.yaml" if number < 9 else "run: [echo, bottom]"
        project.write(f"f{number}.yaml", f"version: 1\nname: f{number}\nsteps:\n  - {{id: go, {calls}}}\n")
    assert str(project.run("check", "f0.yaml", "--offline")) == snapshot
    assert project.run("f1.yaml", "--output", "json").code == 0
    assert "bottom" in json.dumps(project.result()["outputs"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{title: "{{ item }}"}', "{}"),
        ('{title: "{{ item }}"}', "{titel: x}"),
        ('{title: "{{ item }}"}', "{title: 7}"),
        ('{title: "{{ item }}"}', '{title: "{{ inputs.titles }}"}'),
        ("attribute='text'", "attribute='txt'"),
        ("parts/chapter.yaml", "parts/chaptr.yaml"),
    ],
    ids=["missing", "misspelt", "of another type", "a list", "an output that it has not", "no such file"],
)
def test_what_does_not_fit_the_called_file(book: Project, snapshot: SnapshotAssertion, old: str, new: str) -> None:
    change(book, "flows/book.yaml", old, new)
    assert str(book.run("check", "flows/book.yaml", "--offline")) == snapshot
    assert book.run("flows/book.yaml").code == 3
    assert nothing_was_run(book)


def test_what_is_wrong_inside_a_called_file_is_told_with_its_own_line(
    book: Project, snapshot: SnapshotAssertion
) -> None:
    change(book, "flows/parts/chapter.yaml", "steps.judge.output.verdict", "steps.judge.output.verdikt")
    change(book, "flows/deep/judge.yaml", "{schema: verdict.json}", "{schema: verdikt.json}")
    assert str(book.run("check", "flows/book.yaml", "--offline")) == snapshot


def test_all_called_files_share_what_the_run_may_use(
    project: Project, stage: Stage, snapshot: SnapshotAssertion
) -> None:
    """The callee may go on for longer, says its own file; the run's limit is tighter."""
    stage.serve({CODER: model("word " * 50, loaded=True)})
    steps = "".join(
        f"  - {{id: s{number}, task: Go on., needs: {needs}}}\n" for number, needs in ((1, "[]"), (2, "[s1]"))
    )
    project.write("inner.yaml", f"version: 1\nname: inner\nlimits: {{tokens: 100000}}\nsteps:\n{steps}")
    project.write(
        "outer.yaml", "version: 1\nname: outer\nlimits: {tokens: 60}\nsteps: [{id: call, workflow: inner.yaml}]\n"
    )
    ended = project.run("outer.yaml")
    assert ended.code == 1
    assert ended.err[ended.err.index("outer failed") :] == snapshot
    assert_shapes(project)


def test_a_server_that_two_files_would_start_alike_is_one_process(project: Project) -> None:
    server = f"mcp_servers: {{git: {{command: {sys.executable}, args: [-m, mcp_server_git, --repository, .]}}}}\n"
    call = "tool: git.git_status, arguments: {repo_path: .}"
    project.write("inner.yaml", f"version: 1\nname: inner\n{server}steps: [{{id: look, {call}}}]\n")
    steps = f"  - {{id: look, {call}}}\n  - {{id: call, for_each: [1, 2], workflow: inner.yaml}}\n"
    project.write("outer.yaml", f"version: 1\nname: outer\n{server}steps:\n{steps}")
    subprocess.run(["git", "init", "-q", "."], cwd=project.folder, check=True)
    ended = project.run("outer.yaml")
    assert ended.code == 0, ended
    assert len(events(project, "tool_server_started")) == 1
    assert "inner.yaml" in ended.out
