"""LM Studio before 0.4, and before 0.3.6: it works, loads once, and what cannot be had is said aloud."""

from __future__ import annotations

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project
from kit.stage import CHAT, CODER, HEAD, THINKER, Stage, flow, model
from syrupy.assertion import SnapshotAssertion

VERSIONS = ("0.3.20", "0.3.5")
EIGHT = flow(*(f"{{id: s{number}, model: {CODER}, task: Say {number}.}}" for number in range(8)))


@pytest.mark.parametrize("version", VERSIONS)
class TestOld:
    def test_what_a_person_sees(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion, version: str
    ) -> None:
        stage.serve({CODER: model()}, version=version)
        project.write("ask.yaml", flow(f"{{id: answer, model: {CODER}, task: Hi.}}"))
        assert str(project.run("ask.yaml", "--dry-run")) == snapshot(name="plan")
        assert str(project.run("ask.yaml")) == snapshot(name="run")
        assert_closed(project, "succeeded")

    def test_eight_steps_at_once_load_one_copy(self, project: Project, stage: Stage, version: str) -> None:
        """Who is asked while it loads on demand loads a copy of its own: so the first request goes alone."""
        server = stage.serve({CODER: model(load_time="300ms")}, version=version, jit_race=True)
        project.write("ask.yaml", EIGHT)
        assert project.run("ask.yaml").code == 0
        assert len(server.requests(CHAT)) == 8
        assert {one["model"] for one in events(project, "model_answered")} == {CODER}

    def test_two_models_take_turns_and_neither_is_pushed_out_in_use(
        self, project: Project, stage: Stage, version: str
    ) -> None:
        """Only one model that was loaded on demand is kept: another one's load ends the answers of the first."""
        slow = {"load_time": "100ms", "first_token": "200ms"}
        stage.serve({CODER: model(**slow), THINKER: model(**slow)}, version=version)
        steps = (f"{{id: s{n}, model: {(CODER, THINKER)[n % 2]}, task: Say {n}.}}" for n in range(6))
        project.write("ask.yaml", flow(*steps))
        assert project.run("ask.yaml").code == 0
        assert events(project, "step_retried") == []

    def test_settings_of_the_file_have_no_effect(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion, version: str
    ) -> None:
        server = stage.serve({CODER: model()}, version=version)
        head = f"models: {{coder: {{id: {CODER}, load: {{context_length: 16384}}, ttl: 5m}}}}\n"
        project.write("ask.yaml", flow("{id: answer, model: coder, task: Hi.}", head=head))
        assert str(project.run("check", "ask.yaml")) == snapshot
        assert project.run("ask.yaml", "-q").code == 0
        assert server.requests(CHAT)[-1]["ttl"] == 300

    def test_a_step_with_tools(self, project: Project, stage: Stage, snapshot: SnapshotAssertion, version: str) -> None:
        turns = [
            {"when": {"tool_result": "."}, "say": "One file."},
            {"call": [{"tool": "files__list", "arguments": {"path": "."}}]},
        ]
        stage.serve({CODER: model(turns=turns, max_context_length=8192)}, version=version, jit_context=8192)
        project.write(
            "ask.yaml",
            flow(
                f"{{id: survey, model: {CODER}, mcp_servers: [files], task: Count.}}",
                head="mcp_servers: {files: {builtin: files, root: .}}\n",
            ),
        )
        assert str(project.run("check", "ask.yaml")) == snapshot
        assert project.run("ask.yaml").out == "One file.\n"

    def test_a_comment_silences_it(self, project: Project, stage: Stage, version: str) -> None:
        stage.serve({CODER: model()}, version=version)
        step = f"  - id: answer\n    model: {CODER} # bridge: allow BR319\n    task: Hi.\n"
        project.write("ask.yaml", f"{HEAD}steps:\n{step}")
        assert "BR319" not in project.run("check", "ask.yaml").err


def test_a_model_that_is_not_loaded_and_cannot_be(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    stage.serve({CODER: model()}, version="0.3.20", jit=False)
    project.write("ask.yaml", flow(f"{{id: answer, model: {CODER}, task: Hi.}}"))
    assert str(project.run("ask.yaml")) == snapshot
