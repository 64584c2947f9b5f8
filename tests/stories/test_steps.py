"""The steps of a workflow: which run, in what order, how they fail, what stands in, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kit.leftover import assert_closed, events
from kit.project import Ended, Project
from syrupy.assertion import SnapshotAssertion

Serve = Callable[..., str]
SH = ["sh", "-c"]


def workflow(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A workflow as data; JSON is YAML."""
    retry = {"retry": {"wait": "1ms", "max_wait": "2ms"}}
    return {"version": 1, "name": "work", "defaults": retry, "steps": list(steps), **keys}


def run(project: Project, *steps: dict[str, Any], options: tuple[str, ...] = (), **keys: Any) -> Ended:
    project.write("work.yaml", workflow(*steps, **keys))
    return project.run("work.yaml", *options)


def shell(id: str, script: str, **keys: Any) -> dict[str, Any]:
    return {"id": id, "run": [*SH, script], **keys}


def statuses(project: Project) -> dict[str, str]:
    return {id: step["status"] for id, step in project.result()["steps"].items()}


def error_of(project: Project, step: str) -> tuple[str, str]:
    error = project.result()["steps"][step]["error"]
    return error["kind"], error["message"]


# Which steps run


def test_a_step_that_is_not_wanted(project: Project, snapshot: SnapshotAssertion) -> None:
    ended = run(
        project,
        shell("first", "echo 1"),
        shell("never", "echo 2", when="steps.first.output == '2'"),
        shell("below", "echo 3", needs=["never"]),
        shell("beside", "echo 4", needs=["first"]),
    )
    assert str(ended) == snapshot
    assert_closed(project, "succeeded")


def test_a_failure_stops_only_what_depends_on_it(project: Project, snapshot: SnapshotAssertion) -> None:
    ended = run(
        project,
        shell("bad", "echo it broke >&2; exit 4"),
        shell("below", "echo 1", needs=["bad"]),
        shell("far", "echo 2", needs=["below"]),
        shell("beside", "sleep 0.3; echo 3"),
        options=("--quiet",),
    )
    assert ended.code == 1
    assert_closed(project, "failed")
    assert statuses(project) == {"bad": "failed", "below": "skipped", "far": "skipped", "beside": "succeeded"}
    assert {id: step["reason"] for id, step in project.result()["steps"].items()} == snapshot
    assert project.result()["outputs"] == {"far": None, "beside": "3"}


def test_a_failure_that_is_fatal_for_the_run(project: Project, snapshot: SnapshotAssertion) -> None:
    ended = run(
        project,
        shell("slow", "sleep 60 & wait"),
        shell("bad", "sleep 0.2; exit 4"),
        shell("below", "echo 1", needs=["slow"]),
        limits={"fail_fast": True},
    )
    assert ended.err[ended.err.index("work failed") :] == snapshot
    assert_closed(project, "failed")
    assert statuses(project) == {"slow": "cancelled", "bad": "failed", "below": "cancelled"}


def test_what_stands_in_for_a_failure(project: Project, snapshot: SnapshotAssertion) -> None:
    ended = run(
        project,
        shell("tolerated", "exit 4", on_error="continue"),
        shell("recovered", "echo no >&2; exit 5", on_error={"output": {"kind": "{{ error.kind }}", "n": 5}}),
        shell("after", "echo after", needs=["tolerated", "recovered"]),
        {"id": "reads", "run": ["echo", "{{ steps.recovered.output }}"]},
        outputs={"null": "{{ steps.tolerated.output }}", "n": "{{ steps.recovered.output }}"},
        options=("--output", "json"),
    )
    assert ended.code == 0, ended
    assert json.loads(ended.out)["outputs"] == {"null": None, "n": {"kind": "command", "n": 5}}
    assert statuses(project) == {
        "tolerated": "failed", "recovered": "recovered", "after": "succeeded", "reads": "succeeded",
    }  # fmt: skip
    assert ended.err[ended.err.index("work succeeded") :] == snapshot


def test_a_path_into_nothing_is_the_readers_error(project: Project) -> None:
    ended = run(
        project,
        shell("bad", "exit 4", on_error="continue", output={"type": "object"}),
        {"id": "reads", "run": ["echo", "{{ steps.bad.output.n }}"]},
    )
    assert ended.code == 1, ended
    kind, message = error_of(project, "reads")
    assert kind == "request"
    assert "steps.bad.output" in message


# Trying again


def test_a_command_is_tried_again_only_if_the_file_says_so(project: Project, snapshot: SnapshotAssertion) -> None:
    flaky = "echo x >> tries; test $(wc -l < tries) -ge 3 && echo done at last"
    assert run(project, shell("flaky", flaky)).code == 1
    (project.folder / "tries").unlink()
    ended = run(project, shell("flaky", flaky, retry={"attempts": 3, "on": ["command"], "wait": "1ms"}))
    assert str(ended) == snapshot
    assert project.result()["steps"]["flaky"]["attempts"] == 3


def test_work_that_misses_what_is_expected_goes_back_to_the_model(
    project: Project, serve: Serve, snapshot: SnapshotAssertion
) -> None:
    serve([
        {"when": {"turn": 1}, "say": "brief"},
        {"when": {"turn": 2, "user": "write ten letters or more"}, "say": "long enough"},
        {"when": {"turn": 3, "user": "(?s)exit code 7.*missing: notes"}, "say": "long enough and whole"},
    ])  # fmt: skip
    check = ["sh", "-c", "test -e again || { touch again; echo missing: notes >&2; exit 7; }"]
    expect = [{"that": "output | length >= 10", "message": "write ten letters or more"}, {"run": check}]
    ended = run(project, {"id": "write", "task": "Write.", "expect": expect})
    assert str(ended) == snapshot
    refused = [(e["kind"], e["left"]) for e in events(project, "answer_refused")]
    assert refused == [("expectation", 1), ("expectation", 0)]


def test_work_that_never_meets_what_is_expected(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "brief"}])
    expect = [{"that": "output | length >= 10", "message": "write ten letters or more"}]
    assert str(run(project, {"id": "write", "task": "Write.", "expect": expect, "repair": 1})) == snapshot


# Commands


ENV = {"WHO": 'it\'s "you"; exit 9', "N": "{{ steps.fits.output }}"}
GIVEN = ("text", "data", "fits", "stdin", "env", "argv", "reads")


def test_what_a_command_gives(project: Project) -> None:
    run(
        project,
        shell("text", "printf 'two\\nlines\\n\\n'"),
        shell("data", "echo '{\"n\": [1, 2]}'", output="json"),
        shell("fits", "echo 7", output={"type": "integer", "minimum": 5}),
        {"id": "stdin", "run": ["cat"], "stdin": "{{ steps.data.output }} and {{ steps.text.output }}"},
        {"id": "env", "run": 'echo "$WHO, $N"', "shell": True, "env": ENV},
        {"id": "argv", "run": ["printf", "%s|", "a b", "{{ steps.data.output }}", "$HOME; exit 9"]},
        shell("where", 'basename "$PWD"', cwd="sub"),
        shell("code", "echo oops >&2; exit 0"),
        {"id": "reads", "run": ["echo", "{{ steps.code.exit_code }} {{ steps.code.stderr }}"]},
        outputs={id: f"{{{{ steps.{id}.output }}}}" for id in GIVEN},
    )
    (project.folder / "sub").mkdir()
    ended = project.run("work.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert json.loads(ended.out)["outputs"] == {
        "text": "two\nlines\n",
        "data": {"n": [1, 2]},
        "fits": 7,
        "stdin": '{"n": [1, 2]} and two\nlines',
        "env": 'it\'s "you"; exit 9, 7',
        "argv": 'a b|{"n": [1, 2]}|$HOME; exit 9|',
        "reads": "0 oops\n",
    }
    assert project.result()["steps"]["where"]["output"] == "sub"


FAULTS = {
    "exit code": shell("bad", "echo out; echo err >&2; exit 3"),
    "silent": shell("bad", "exit 3"),
    "signal": shell("bad", "kill -9 $$"),
    "no command": {"id": "bad", "run": ["no-such-command-here"]},
    "not executable": {"id": "bad", "run": ["./work.yaml"]},
    "no folder": shell("bad", "true", cwd="nowhere"),
    "no json": shell("bad", "echo prose", output="json"),
    "nothing at all": shell("bad", "true", output="json"),
    "deep json": shell("bad", "head -c 200000 /dev/zero | tr '\\0' '['", output="json"),
    "no fit": shell("bad", "echo 3", output={"type": "integer", "minimum": 5}),
    "not expected": shell("bad", "echo 3", expect=[{"that": "output == '4'", "message": "four, not {{ output }}"}]),
    "timeout": shell("bad", "sleep 60 & wait", timeout="300ms"),
    "too much": shell("bad", "head -c 20000000 /dev/zero"),
    "template": {"id": "bad", "run": ["echo", "{{ inputs.list.nothing }}"]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_how_a_command_fails(project: Project, snapshot: SnapshotAssertion, fault: str) -> None:
    inputs = {"inputs": {"list": {"type": "object", "default": {}}}} if fault == "template" else {}
    ended = run(project, FAULTS[fault], **inputs)
    assert str(ended) == snapshot
    assert_closed(project, "failed")


# Limits


def test_the_time_of_the_run(project: Project, snapshot: SnapshotAssertion) -> None:
    ended = run(
        project,
        shell("slow", "sleep 60 & wait"),
        shell("below", "echo 1", needs=["slow"]),
        limits={"time": "500ms"},
    )
    assert str(ended) == snapshot
    assert_closed(project, "failed")


def test_the_tokens_of_the_run(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "word " * 50}])
    ask = {"task": "Say much."}
    ended = run(project, {"id": "one", **ask}, {"id": "two", "needs": ["one"], **ask}, limits={"tokens": 90})
    assert str(ended) == snapshot
    assert_closed(project, "failed")
    assert statuses(project)["two"] != "succeeded"


def test_the_tool_calls_of_the_run(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    read = {"tool": "files__read", "arguments": {"path": "notes.txt"}}
    serve([{"when": {"turn": 1, "offered": "files__read"}, "call": [read, read]}, {"say": "It is a list."}])
    project.write("notes.txt", "buy milk\n")
    look = {"task": "Look.", "mcp_servers": ["files"]}
    ended = run(
        project,
        {"id": "one", **look},
        {"id": "two", "needs": ["one"], **look},
        {"id": "three", "needs": ["two"], "tool": "files.read", "arguments": {"path": "notes.txt"}},
        mcp_servers={"files": {"builtin": "files", "root": "."}},
        limits={"tool_calls": 2},
    )
    assert ended.err[ended.err.index("work failed") :] == snapshot
    assert_closed(project, "failed")
    made = [e["step"] for e in events(project, "tool_returned") if not e["is_error"]]
    assert made == ["one", "one"]


def test_the_timeout_of_a_task(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "Late."}], first_token="60s")
    assert str(run(project, {"id": "ask", "task": "Hurry.", "timeout": "300ms"})) == snapshot
    assert_closed(project, "failed")


# Side by side


MEET = "touch {id}; while [ $(ls a b c 2>/dev/null | wc -l) -lt 3 ]; do sleep 0.02; done; echo {id}"


def test_independent_steps_run_side_by_side(project: Project) -> None:
    """Each waits for the two others, so one after the other they would never end."""
    steps = [shell(id, MEET.format(id=id), timeout="20s") for id in "cab"]
    ended = run(project, *steps)
    assert (ended.code, ended.out) == (0, "c: c\n\na: a\n\nb: b\n"), ended


@pytest.mark.parametrize("parallel", [1, 2])
def test_no_more_at_once_than_allowed(project: Project, parallel: int) -> None:
    count = "touch on.{id}; ls on.* | wc -l; sleep 0.15; rm on.{id}"
    steps = [shell(id, count.format(id=id)) for id in "abcde"]
    ended = run(project, *steps, limits={"parallel": parallel}, options=("--output", "json"))
    seen = {int(count) for count in json.loads(ended.out)["outputs"].values()}
    assert max(seen) == parallel
    running, most = 0, 0
    for entry in project.journal():
        running += {"step_started": 1, "step_finished": -1}.get(entry["type"], 0)
        most = max(most, running)
    assert most == parallel


def test_models_answer_side_by_side(project: Project, serve: Serve) -> None:
    serve([{"say": "Done."}], first_token="400ms", loaded={"parallel": 4})
    assert run(project, *({"id": id, "task": f"Do {id}."} for id in "abcd")).code == 0
    kinds = [e["type"] for e in project.journal() if e["type"] in ("model_asked", "model_answered")]
    assert kinds == ["model_asked"] * 4 + ["model_answered"] * 4


def test_results_stand_in_the_order_of_the_file(project: Project) -> None:
    steps = [shell("z", "sleep 0.4; echo 1"), shell("m", "sleep 0.2; echo 2"), shell("a", "echo 3")]
    ended = run(project, *steps, options=("--output", "json"))
    assert list(json.loads(ended.out)["outputs"]) == ["z", "m", "a"]
    assert list(json.loads(ended.out)["steps"]) == ["z", "m", "a"]


# What comes out


def test_json_alone_on_stdout(project: Project) -> None:
    ended = run(project, shell("one", "echo 1"), options=("--output", "json"))
    assert json.loads(ended.raw_out) == project.result()
    assert "one  started" in ended.err


def test_json_of_a_failed_run(project: Project) -> None:
    ended = run(project, shell("one", "exit 1"), options=("--output", "json", "--quiet"))
    assert (ended.code, ended.err) == (1, "")
    assert json.loads(ended.raw_out) == project.result()


def test_quiet_says_only_the_outputs(project: Project) -> None:
    ended = run(project, shell("one", "echo 1; echo 2 >&2"), options=("--quiet",))
    assert (ended.out, ended.err) == ("1\n", "")


def test_outputs_of_what_did_not_succeed_are_null(project: Project) -> None:
    ended = run(
        project,
        shell("good", "echo 1"),
        shell("bad", "exit 1"),
        outputs={"good": "{{ steps.good.output }}", "bad": "{{ steps.bad.output }}", "both": ["{{ steps.bad.output }}"],
                 "why": "{{ steps.bad.error.kind }}", "how": "{{ steps.bad.status }}"},
    )  # fmt: skip
    assert ended.code == 1
    outputs = project.result()["outputs"]
    assert outputs == {"good": "1", "bad": None, "both": None, "why": "command", "how": "failed"}


# What goes in

INPUTS: dict[str, Any] = {
    "word": {"type": "string"},
    "count": {"type": "integer", "default": 3, "minimum": 1, "maximum": 20},
    "share": {"type": "number", "default": 0.5},
    "loud": {"type": "boolean", "default": False},
    "names": {"type": "array", "items": {"type": "string"}, "default": []},
    "more": {"type": "object", "default": {}},
}
SHOW = {"id": "show", "run": ["echo", "{{ inputs.word }}"]}
ALL = {name: f"{{{{ inputs.{name} }}}}" for name in INPUTS}


def given(project: Project, *options: str) -> Ended:
    return run(project, SHOW, inputs=INPUTS, outputs=ALL, options=(*options, "--quiet", "--output", "json"))


def test_inputs_by_their_types(project: Project) -> None:
    project.write("word.txt", "a word\nand another\n")
    options = ["word=@word.txt", "count=7", "share=0.25", "loud=true", 'names=["a", "b"]', 'more={"a": {"b": 1}}']
    ended = given(project, *(part for option in options for part in ("-i", option)))
    assert ended.code == 0, ended
    assert json.loads(ended.out)["outputs"] == {
        "word": "a word\nand another", "count": 7, "share": 0.25, "loud": True, "names": ["a", "b"],
        "more": {"a": {"b": 1}},
    }  # fmt: skip


def test_inputs_of_a_file(project: Project) -> None:
    project.write("inputs.yaml", "word: '7'\ncount: 4\nnames: [x]\n")
    ended = given(project, "--inputs", "inputs.yaml", "-i", "count=5")
    assert ended.code == 0, ended
    outputs = json.loads(ended.out)["outputs"]
    assert (outputs["word"], outputs["count"], outputs["names"]) == ("7", 5, ["x"])


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-i", "word=x", "-i", "cuont=5"],
        ["-i", "word=x", "-i", "count=many"],
        ["-i", "word=x", "-i", "count=99"],
        ["-i", "word=x", "-i", "names=[1]", "-i", "loud=yes"],
        ["-i", "word=@nowhere.txt"],
        ["-i", "word"],
        ["--inputs", "nowhere.yaml"],
    ],
    ids=" ".join,
)
def test_inputs_that_do_not_fit(project: Project, snapshot: SnapshotAssertion, options: list[str]) -> None:
    ended = given(project, *options)
    assert str(ended) == snapshot
    assert not project.runs()
