"""Who answers when the first wish cannot: missing, crashing, too large; and who is told."""

from __future__ import annotations

from typing import Any

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project
from kit.stage import CHAT, CODER, LOAD, THINKER, Stage, flow, model
from syrupy.assertion import SnapshotAssertion

CHAIN = f"models: {{coder: {{id: {CODER}, fallback: [{THINKER}]}}}}\n"
ANSWER = "{id: answer, model: coder, task: Hi.}"
CRASHES: list[Any] = [{"name": "crash", "on": "every"}]


def answered_by(project: Project) -> tuple[Any, Any]:
    """Who answered the one step, and whom for: in ``result.json``, which must agree with the journal."""
    [step] = project.result()["steps"].values()
    [finished] = events(project, "step_finished")
    assert finished["model"] == step["model"]
    fell = [(one["model"], one["to_model"], one["kind"]) for one in events(project, "model_fell_back")]
    assert [(one["model"], one["to"], one["kind"]) for one in step["fallbacks"]] == fell
    return step["model"], [kind for _, _, kind in fell]


class TestBeforeTheRun:
    @pytest.mark.parametrize(
        "wish",
        [f"[nobody/nothing-1b, {CODER}]", "coder"],
        ids=["a list of the step", "an alias"],
    )
    def test_a_first_wish_that_nobody_has(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion, wish: str
    ) -> None:
        stage.serve({CODER: model(loaded=True)})
        head = f"models: {{coder: {{id: nobody/nothing-1b, fallback: [{CODER}]}}}}\n" if wish == "coder" else ""
        project.write("ask.yaml", flow(f"{{id: answer, model: {wish}, task: Hi.}}", head=head))
        assert str(project.run("ask.yaml")) == snapshot
        assert answered_by(project) == (CODER, [])
        checked = project.run("check", "ask.yaml")
        assert (checked.code, "warning[BR303]" in checked.err) == (0, True)

    def test_all_wishes_are_missing(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        stage.serve({CODER: model(loaded=True)})
        wish = "[nobody/nothing-1b, qwen/qwen3-codr-30b]"
        project.write("ask.yaml", flow(f"{{id: answer, model: {wish}, task: Hi.}}"))
        assert str(project.run("ask.yaml")) == snapshot
        assert project.runs() == []

    def test_the_plan_names_who_stands_by(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        stage.serve({CODER: model(), THINKER: model()})
        project.write("ask.yaml", flow(ANSWER, head=CHAIN))
        assert str(project.run("ask.yaml", "--dry-run")) == snapshot


class TestInTheRun:
    def test_the_first_crashes(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(faults=CRASHES), THINKER: model("From the other.")})
        project.write("ask.yaml", flow(ANSWER, head=CHAIN))
        assert str(project.run("ask.yaml")) == snapshot
        assert answered_by(project) == (THINKER, ["crash"])
        assert server.loaded() == {}
        assert_closed(project, "succeeded")

    def test_the_first_does_not_fit(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(), THINKER: model("From the other.", size="8GB")}, memory="10GB")
        project.write("ask.yaml", flow(ANSWER, head=CHAIN))
        assert str(project.run("ask.yaml")) == snapshot
        assert answered_by(project) == (THINKER, ["overloaded"])
        assert [request["model"] for request in server.requests(LOAD)] == [CODER, CODER, THINKER]

    def test_all_fail(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(faults=CRASHES), THINKER: model(load_error="the file is broken")})
        project.write("ask.yaml", flow(ANSWER, head=CHAIN))
        assert str(project.run("ask.yaml")) == snapshot
        assert answered_by(project) == (THINKER, ["crash"])
        assert server.loaded() == {}
        assert_closed(project, "failed")

    def test_what_was_done_is_not_done_again(self, project: Project, stage: Stage) -> None:
        call = [{"tool": "files__write", "arguments": {"path": "out.txt", "content": "x"}}]
        turns = [{"when": {"tool_result": "."}, "say": "Never."}, {"call": call}]
        server = stage.serve(
            {CODER: model(turns=turns, faults=[{"name": "crash", "on": 2}]), THINKER: model("It is written.")}
        )
        step = "{id: answer, model: coder, task: Write., mcp_servers: [files], retry: {attempts: 1}}"
        head = CHAIN + "mcp_servers: {files: {builtin: files, root: ., write: true}}\n"
        project.write("ask.yaml", flow(step, head=head))
        assert project.run("ask.yaml").out == "It is written.\n"
        assert len(events(project, "tool_called")) == 1
        last = server.requests(CHAT)[-1]["messages"]
        assert [message["role"] for message in last] == ["user", "assistant", "tool"]


class TestWishes:
    def test_default_is_the_one_loaded_model(self, project: Project, stage: Stage) -> None:
        stage.serve({CODER: model(loaded=True), THINKER: model()})
        project.write("ask.yaml", flow("{id: answer, model: default, task: Hi.}"))
        assert project.run("ask.yaml").code == 0
        assert answered_by(project) == (CODER, [])

    def test_default_is_what_the_configuration_says(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model(loaded=True), THINKER: model()})
        stage.configure(f'default_model = "{THINKER}"', f'[endpoints.rack]\nurl = "{server.url}"')
        project.write("ask.yaml", flow("{id: answer, model: default, task: Hi.}"))
        assert project.run("ask.yaml").code == 0
        assert answered_by(project) == (THINKER, [])

    def test_an_alias_for_this_run(self, project: Project, stage: Stage) -> None:
        stage.serve({CODER: model(loaded=True), THINKER: model()})
        project.write("ask.yaml", flow(ANSWER, head=f"models: {{coder: {CODER}}}\n"))
        assert project.run("ask.yaml", "--model", f"coder={THINKER}").code == 0
        assert answered_by(project) == (THINKER, [])

    def test_an_alias_of_an_alias_and_a_list_of_both(self, project: Project, stage: Stage) -> None:
        stage.serve({CODER: model(loaded=True), THINKER: model()})
        head = f"models: {{small: nobody/nothing-1b, large: [small, {CODER}], any: [large, {THINKER}]}}\n"
        project.write("ask.yaml", flow("{id: answer, model: any, task: Hi.}", head=head))
        assert project.run("ask.yaml").code == 0
        assert answered_by(project) == (CODER, [])

    @pytest.mark.parametrize("name", [CODER.upper(), f"{CODER}@q4_k_m"])
    def test_a_key_in_capitals_and_with_its_quantization(self, project: Project, stage: Stage, name: str) -> None:
        server = stage.serve({CODER: model(), THINKER: model()})
        project.write("ask.yaml", flow(f"{{id: answer, model: '{name}', task: Hi.}}"))
        assert project.run("ask.yaml").code == 0
        assert len(server.requests(LOAD)) == 1
        assert server.loaded() == {}

    def test_half_a_name_is_offered_and_not_taken(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        stage.serve({CODER: model(), THINKER: model()})
        project.write("ask.yaml", flow("{id: answer, model: qwen3-coder-30b, task: Hi.}"))
        assert str(project.run("ask.yaml")) == snapshot
