"""Steps that run many times: over lists known late, over rows with a model each, hundreds of items, some failing."""

from __future__ import annotations

import json
import re
from typing import Any

from kit.leftover import assert_closed, events
from kit.project import Project
from kit.shapes import assert_shapes, misfits
from kit.stage import CHAT, CODER, THINKER, Stage, model
from kit.terminal import AtTerminal
from syrupy.assertion import SnapshotAssertion

HEAD = "version: 1\nname: many\n"
LATE = f"""{HEAD}
steps:
  - {{id: list, run: [echo, '["a", "b", "c"]'], output: json}}
  - id: each
    for_each: steps.list.output
    as: letter
    max_parallel: 1
    run: [sh, -c, 'test "$L" != b || {{ echo "no $L here" >&2; exit 4; }}; echo "$L" of "$N"']
    env: {{L: "{{{{ letter }}}}", N: "{{{{ loop.length }}}}"}}
    on_error: {{output: "b failed: {{{{ error.kind }}}}"}}
  - {{id: sum, run: [echo, "{{{{ steps.each.output | join(', ') }}}}"]}}
"""
STANDS_IN = """    on_error: {output: "b failed: {{ error.kind }}"}\n"""


def item_states(project: Project, step: str) -> list[tuple[str, Any]]:
    return [(item["status"], item["output"]) for item in project.result()["steps"][step]["items"]]


def test_a_list_that_another_step_makes(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("many.yaml", LATE)
    ended = project.run("many.yaml")
    assert str(ended) == snapshot
    assert ended.out == "a of 3, b failed: command, c of 3\n"
    assert item_states(project, "each") == [
        ("succeeded", "a of 3"), ("recovered", "b failed: command"), ("succeeded", "c of 3"),
    ]  # fmt: skip
    assert_shapes(project)
    assert_closed(project, "succeeded")


def test_some_items_fail_and_nothing_stands_in(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("many.yaml", LATE.replace(STANDS_IN, ""))
    ended = project.run("many.yaml", "--output", "json")
    assert ended.code == 1
    assert ended.err == snapshot
    told = json.loads(ended.raw_out)
    assert told == project.result()
    assert misfits("result", told) == []
    assert_shapes(project)
    assert [(item["status"], item["output"]) for item in told["steps"]["each"]["items"]] == [
        ("succeeded", "a of 3"), ("failed", None), ("succeeded", "c of 3"),
    ]  # fmt: skip
    assert told["outputs"] == {"sum": None}


def test_an_item_that_failed_and_is_tolerated_is_null(project: Project) -> None:
    project.write("many.yaml", LATE.replace(STANDS_IN, "    on_error: continue\n").replace("join(', ')", "tojson"))
    ended = project.run("many.yaml")
    assert (ended.code, json.loads(ended.out)) == (0, ["a of 3", None, "c of 3"])
    assert item_states(project, "each")[1] == ("failed", None)


def test_an_empty_list(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("many.yaml", LATE.replace('["a", "b", "c"]', "[]").replace("join(', ')", "tojson"))
    ended = project.run("many.yaml")
    assert str(ended) == snapshot
    assert project.result()["steps"]["each"]["items"] == []
    assert_shapes(project)


def test_the_first_failure_stops_the_others(project: Project) -> None:
    project.write("many.yaml", LATE.replace(STANDS_IN, "    fail_fast: true\n"))
    assert project.run("many.yaml").code == 1
    assert [status for status, _ in item_states(project, "each")] == ["succeeded", "failed", "cancelled"]
    assert_shapes(project)
    assert_closed(project, "failed")


MATRIX = f"""{HEAD}
models: {{small: {CODER}, large: {THINKER}}}
steps:
  - id: ask
    matrix:
      model: [small, large]
      word: [yes, no]
      exclude: [{{model: large, word: no}}]
      include: [{{model: large, word: perhaps}}]
    model: "{{{{ matrix.model }}}}"
    task: "Say {{{{ matrix.word }}}}."
"""


def test_a_matrix_with_a_model_in_each_row(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    turns = [{"when": {"user": r"Say (\w+)"}, "say": "{{ match[1] }}"}]
    server = stage.serve(
        {CODER: model(turns=turns, load_time="50ms"), THINKER: model(turns=turns, load_time="50ms")}, memory="30GB"
    )
    project.write("many.yaml", MATRIX)
    ended = project.run("many.yaml", "--output", "json")
    assert ended.code == 0, ended
    result = json.loads(ended.raw_out)
    rows = [("small", "yes"), ("small", "no"), ("large", "yes"), ("large", "perhaps")]
    assert result["steps"]["ask"]["output"] == [
        {"matrix": {"model": alias, "word": word}, "output": word} for alias, word in rows
    ]
    assert [item["model"] for item in result["steps"]["ask"]["items"]] == [CODER, CODER, THINKER, THINKER]
    asked = [(request["model"], request["messages"][-1]["content"]) for request in server.requests(CHAT)]
    ids = {"small": CODER, "large": THINKER}
    assert sorted(asked) == sorted((ids[alias], f"Say {word}.") for alias, word in rows)
    assert ended.err[ended.err.index("many succeeded") :] == snapshot
    assert_shapes(project)


def test_a_fan_out_with_rounds_in_each_item(project: Project) -> None:
    project.write(
        "many.yaml",
        f"""{HEAD}
steps:
  - id: count
    for_each: [2, 3]
    repeat: {{until: output == item, max: 5}}
    run: [echo, "{{{{ (previous or 0) + 1 }}}}"]
    output: json
outputs: {{counted: "{{{{ steps.count.output }}}}"}}
""",
    )
    ended = project.run("many.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert json.loads(ended.raw_out)["outputs"] == {"counted": [2, 3]}
    rounds = [entry["item"] for entry in events(project, "command_ran")]
    assert (rounds.count(0), rounds.count(1)) == (2, 3)
    assert_shapes(project)


HUNDREDS = f"""{HEAD}
steps:
  - {{id: list, run: [python, -c, 'import json; print(json.dumps(list(range(300))))'], output: json}}
  - id: each
    for_each: steps.list.output
    run: [sh, -c, 'test "$N" != 7 || {{ echo seven is bad >&2; exit 3; }}; echo "$N"']
    env: {{N: "{{{{ item }}}}"}}
    on_error: continue
"""


def test_hundreds_of_items_print_few_lines_into_a_pipe(project: Project) -> None:
    project.write("many.yaml", HUNDREDS)
    ended = project.run("many.yaml")
    assert ended.code == 0, ended
    lines = ended.err.splitlines()
    assert len(lines) <= 30
    assert sum("seven is bad" in line for line in lines) >= 1
    assert "300 items, 299 succeeded, 1 failed" in ended.err
    assert json.loads(ended.out) == [None if number == 7 else str(number) for number in range(300)]
    assert_shapes(project)


def test_hundreds_of_items_are_one_row_at_a_terminal(project: Project) -> None:
    project.write("many.yaml", HUNDREDS)
    with AtTerminal(project, "many.yaml") as terminal:
        code, out = terminal.ended()
    assert code == 0, terminal.screen
    frames = re.findall(r"each +[\d.m ]+s  run  (\d+)/300 items", terminal.screen)
    assert frames, terminal.screen
    assert list(map(int, frames)) == sorted(map(int, frames))
    rows = [re.findall(r"(?m)^.*\beach\b.*items.*$", frame) for frame in terminal.screen.split("steps done")]
    assert max(map(len, rows)) == 1
    told = set(re.findall(r"each\[(\d+)\]", terminal.screen))
    assert told <= {"7"}
    assert json.loads(out)[299] == "299"
