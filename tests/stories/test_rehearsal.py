"""``bridge-run FILE --rehearse``: every way through a workflow, with nothing outside."""

from __future__ import annotations

import json

import pytest
from kit.project import Project

BRANCHES = """version: 1
name: branches
secrets: [TOKEN]
inputs:
  mode: {enum: [quick, full], default: quick}
  topic: {type: string}
mcp_servers:
  files: {builtin: files, root: "{{ inputs.topic }}", write: true}
  remote: {command: no-such-command, env: {TOKEN: "{{ secrets.TOKEN }}"}, tools: [look*]}
steps:
  - {id: look, tool: files.read, arguments: {path: "{{ inputs.topic }}"}}
  - {id: far, tool: remote.look_up, arguments: {n: 3}, output: {type: array, items: {type: string}}}
  - id: score
    mcp_servers: [remote, files]
    task: "Score {{ steps.look.output }} {{ steps.far.output }}"
    output: {type: object, required: [score], properties: {score: {type: integer, minimum: 0, maximum: 10}}}
  - {id: deep, when: inputs.mode == 'full', task: Look deep.}
  - {id: praise, when: steps.score.output.score >= 8, task: "Praise {{ steps.score.output.score }}"}
  - {id: gate, approve: "Go on?", choices: [go, stop, wait]}
  - {id: ship, when: "steps.gate.output == 'wait'", run: [no-such-tool, "{{ inputs.topic }}"], on_error: continue}
  - {id: polish, task: Write it., repeat: {until: "'DONE' in output", max: 3}}
  - id: parts
    for_each: steps.far.output
    workflow: ./part.yaml
    with: {name: "{{ item }}", level: "{{ steps.score.output.score }}"}
  - {id: clean, join: all_finished, needs: [ship], run: [rm, x], expect: [{run: [no-such-check]}]}
"""
PART = """version: 1
name: part
inputs: {name: {type: string}, level: {type: integer}}
steps:
  - {id: draft, task: "Draft {{ inputs.name }}"}
  - {id: extra, when: inputs.level == 10, run: [echo, "{{ steps.draft.output }}"], on_error: {output: none}}
"""
SEEN = """\
  ✓ look         tool
  ✓ far          tool
  ✓ score        task
  ✓ deep         task      ✓ `when` false
  ✓ praise       task      ✓ `when` false
  ✓ gate         approve   ✓ answer go  ✓ answer stop  ✓ answer wait
  ✓ ship         run       ✓ `when` false  ✓ it fails
  ✓ polish       task      ✓ `until` at once  ✓ `until` after a round
  ✓ parts        workflow  ✓ some items  ✓ no items
  ✓ parts/draft  task
  ✓ parts/extra  run       ✓ `when` false  ✓ it fails
  ✓ clean        run
"""


@pytest.fixture
def branches(project: Project) -> Project:
    project.write("branches.yaml", BRANCHES)
    project.write("part.yaml", PART)
    return project


def one_step(project: Project, steps: str, more: str = "") -> str:
    project.write("flow.yaml", f"version: 1\nname: flow\n{more}steps:\n{steps}")
    return "flow.yaml"


def test_every_branch_of_every_file_is_walked_without_server_command_or_secret(branches: Project) -> None:
    ended = branches.run("branches.yaml", "--rehearse", env={"PATH": "/nowhere"})
    assert ended.err == ""
    report, _, last = ended.out.rstrip("\n").rpartition("\n")
    assert report == SEEN
    assert last.startswith("rehearsed branches.yaml in ")
    assert last.endswith("walks: 12 of 12 steps ran, 13 of 13 ways taken")
    assert ended.code == 0
    assert sorted(path.name for path in branches.folder.iterdir()) == ["branches.yaml", "part.yaml"]


def test_two_rehearsals_say_the_same(branches: Project) -> None:
    first, second = (branches.run("branches.yaml", "--rehearse", "--format", "json") for _ in range(2))
    assert first.out == second.out
    assert json.loads(first.out)["exit_code"] == 0


def test_a_step_that_nothing_leads_to_is_named_with_its_condition(project: Project) -> None:
    steps = "  - {id: a, task: A}\n  - {id: b, when: steps.a.output | length < 0, task: B}\n"
    ended = project.run(one_step(project, steps), "--rehearse")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith(
        "  ✓ a  task\n"
        "  · b  task  ✓ `when` false\n"
        "\n"
        "error: `b` was never reached: its `when` does not hold: `steps.a.output | length < 0`\n"
        "\n"
        "rehearsed flow.yaml in "
    )


def test_a_template_that_reads_what_may_be_left_out_fails_in_a_rehearsal(project: Project) -> None:
    schema = "{type: object, required: [score], properties: {score: {type: integer}, why: {type: string}}}"
    steps = f"  - {{id: a, task: A, output: {schema}}}\n  - {{id: b, task: 'B {{{{ steps.a.output.why }}}}'}}\n"
    ended = project.run(one_step(project, steps), "--rehearse")
    assert ended.code == 1
    assert (
        "error: `b` failed (request): `steps.a.output` has no `why` (it has `score`)\n"
        '  = note: when `a` answers {"score": 1}\n'
    ) in ended.out


def test_items_that_fail_are_told_and_not_the_step_whose_failures_are_tolerated(project: Project) -> None:
    schema = "{type: array, items: {type: object, properties: {name: {type: string}}}}"
    steps = (
        f"  - {{id: a, task: A, output: {schema}}}\n"
        "  - {id: b, for_each: steps.a.output, task: 'B {{ item.name }}', on_error: {output: none}}\n"
    )
    file = one_step(project, steps)
    project.write("stubs.yaml", "a: [{}]\n")
    ended = project.run(file, "--rehearse", "--stubs", "stubs.yaml")
    assert ended.code == 1
    assert [line for line in ended.out.splitlines() if line.startswith("error")] == [
        "error: `b` failed (request): `item` has no `name` (it is empty)"
    ]


def test_a_list_that_never_has_an_item_is_named(project: Project) -> None:
    ended = project.run(one_step(project, "  - {id: a, for_each: '[]', task: 'A {{ item }}'}\n"), "--rehearse")
    assert ended.code == 1
    assert "error: `a` was never reached: its list never has an item\n" in ended.out


def test_arguments_that_the_built_in_files_do_not_take_are_found(project: Project) -> None:
    more = "mcp_servers: {files: {builtin: files}}\n"
    steps = "  - {id: a, tool: files.read, arguments: {paht: x}}\n"
    ended = project.run(one_step(project, steps, more), "--rehearse")
    assert ended.code == 1
    assert "error: `a` failed (tool): the arguments do not fit files.read: " in ended.out


def test_outputs_that_cannot_be_made_are_found(project: Project) -> None:
    steps = "  - {id: a, run: [x], output: json}\noutputs: {b: '{{ steps.a.output.b.c }}'}\n"
    ended = project.run(one_step(project, steps), "--rehearse")
    assert ended.code == 1
    assert "error: `outputs` failed (request): outputs.b: " in ended.out


def test_an_output_that_cannot_be_made_up_needs_a_stub(project: Project) -> None:
    steps = "  - {id: a, task: A, output: {type: string, pattern: '^(?=.*7)(?=.*q)[a-z0-9]{9}$'}}\n"
    file = one_step(project, steps)
    ended = project.run(file, "--rehearse")
    assert (ended.code, ended.out) == (
        1,
        "  ✓ a  task\n"
        "\n"
        "error: nothing that fits the `output` of `a` could be made up\n"
        "  = help: write a stub for it: `bridge-run flow.yaml --rehearse --stubs-init`, then `--stubs FILE`\n"
        "\n"
        "rehearsed flow.yaml in 1 walk: 1 of 1 steps ran\n",
    )
    project.write("a.stubs.yaml", "a: abcdefq17\n")
    assert project.run(file, "--rehearse", "--stubs", "a.stubs.yaml").code == 0


def test_the_first_stubs_have_an_entry_a_step_and_are_right(branches: Project) -> None:
    ended = branches.run("branches.yaml", "--stubs-init")
    assert (ended.code, ended.out, ended.err) == (0, "", "wrote branches.stubs.yaml: 11 stubs\n")
    text = (branches.folder / "branches.stubs.yaml").read_text("utf-8")
    assert "\n\n# approve: one of go, stop, wait\ngate: go\n\n# run: a text\n" in text
    assert '\n# tool: {"type": "array", "items": {"type": "string"}}\nfar:\n  - far\n' in text
    assert '\n# task: a text\nparts/draft: "[answer of draft]"\n' in text
    assert branches.run("branches.yaml", "--rehearse", "--stubs", "branches.stubs.yaml").code == 0
    ended = branches.run("branches.yaml", "--stubs-init")
    assert (ended.code, ended.err) == (
        2,
        "error: there is a file `branches.stubs.yaml` already\n  = help: delete it first, or edit it by hand\n",
    )


def test_a_stub_that_does_not_fit_has_its_line(branches: Project) -> None:
    branches.write("wrong.yaml", "gate: maybe\nscroe: {score: 1}\nscore:\n  score: 11\nparts: {}\n")
    ended = branches.run("branches.yaml", "--rehearse", "--stubs", "wrong.yaml")
    assert (ended.code, ended.out) == (3, "")
    heads = [line for line in ended.err.splitlines() if line.startswith(("error", " -->"))]
    assert heads == [
        "error[BR220]: `maybe` is no answer to `gate`",
        " --> wrong.yaml:1:7",
        "error[BR217]: the workflow has no step `scroe`",
        " --> wrong.yaml:2:1",
        "error[BR220]: the answer of `score` does not fit its `output` at `score`: expected at most 10, got 11",
        " --> wrong.yaml:4:10",
        "error[BR220]: `parts` calls a workflow, whose steps answer",
        " --> wrong.yaml:5:1",
    ]


def test_a_stub_that_nobody_asks_for_is_told(project: Project) -> None:
    file = one_step(project, "  - {id: a, task: A}\n  - {id: b, when: 'false', task: B}\n")
    project.write("some.yaml", "a: x\n\nb: y\n")
    ended = project.run(file, "--rehearse", "--stubs", "some.yaml")
    assert ended.code == 1
    assert "error: some.yaml:3: the stub of `b` was never used\n" in ended.out


def test_a_stub_that_fails_is_no_fault_of_the_workflow(project: Project) -> None:
    steps = "  - {id: a, task: A, on_error: {output: none}}\n  - {id: b, task: 'B {{ steps.a.output }}'}\n"
    file = one_step(project, steps)
    project.write("some.yaml", "a: {fail: timeout, message: too slow}\n")
    ended = project.run(file, "--rehearse", "--stubs", "some.yaml")
    assert ended.code == 0
    assert "  ✓ a  task  ✓ it fails\n" in ended.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stubs", "x.yaml"), "`--stubs` belongs to `--rehearse`"),
        (("--rehearse", "--dry-run"), "`--rehearse` and `--dry-run` exclude each other"),
        (("--rehearse", "--simulate", "x"), "`--rehearse` and `--simulate` exclude each other"),
        (("--rehearse", "--stubs-init"), "`--stubs-init` and `--rehearse` exclude each other"),
    ],
)
def test_options_that_make_no_sense_together(project: Project, options: tuple[str, ...], said: str) -> None:
    ended = project.run("run", "flow.yaml", *options)
    assert ended.code == 2
    assert ended.err.endswith(f"Error: {said}\n")


def test_what_an_expression_asks_for_in_any_form_is_tried_in_every_item(project: Project) -> None:
    steps = (
        "  - {id: list, run: [ls], output: {type: array, items: {type: object, required: [ok],"
        " properties: {ok: {type: boolean}}}}}\n"
        "  - id: each\n"
        "    for_each: steps.list.output\n"
        "    when: item.ok\n"
        "    task: Do it.\n"
        "    expect: [{that: output | length > 3, message: more}]\n"
        "    repeat: {until: \"output.startswith('OK')\", max: 4}\n"
        "    on_error: {output: none}\n"
    )
    ended = project.run(one_step(project, steps), "--rehearse")
    assert ended.code == 0, ended
    ways = "✓ `when` false  ✓ some items  ✓ no items  ✓ `until` at once  ✓ `until` after a round  ✓ it fails"
    assert f"  ✓ each  task  {ways}\n" in ended.out


def test_an_until_that_no_made_up_answer_meets_asks_for_a_stub(project: Project) -> None:
    steps = "  - {id: a, task: A, repeat: {until: output | length > 20000, max: 2}}\n"
    ended = project.run(one_step(project, steps), "--rehearse")
    assert ended.code == 1
    assert (
        "error: `a` failed (limit): `until` did not hold after 2 rounds: output | length > 20000\n"
        "  = help: no answer that was made up is good enough; write a stub for it\n"
    ) in ended.out


def test_models_images_workspaces_and_client_files_are_not_needed(project: Project) -> None:
    more = (
        "workspace: worktree\n"
        "inputs: {size: {type: string}}\n"
        "models:\n"
        "  big: {id: 'org/{{ inputs.size }}', endpoint: gpu, fallback: [org/other], load: {context_length: 8192},"
        " sampling: {reasoning: high}}\n"
        "mcp_servers: {own: {command: nope, isolate: true}, imported: {from: .mcp.json}}\n"
    )
    steps = (
        "  - {id: see, model: big, task: Look., images: [a.png], mcp_servers: [own, imported], reads_only: true,"
        " artifacts: [out.txt]}\n"
        "  - {id: show, task: 'Show {{ steps.see.artifacts }}'}\n"
    )
    project.write(".mcp.json", {"mcpServers": {"imported": {"command": "${NOT_SET}"}}})
    ended = project.run(one_step(project, steps, more), "--rehearse")
    assert ended.err == ""
    assert ended.code == 0
