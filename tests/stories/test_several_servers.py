"""Several servers beside each other: who is asked, what they are called, and what one of them must not learn."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from kit.leftover import events
from kit.llama_server import MODEL as TINY
from kit.llama_server import llama_server
from kit.project import Project
from kit.stage import CHAT, CODER, LOAD, THINKER, Stage, endpoint, flow, model
from syrupy.assertion import SnapshotAssertion

NOBODY = "http://127.0.0.1:9"
TOKENS = ("sk-lm-AAAAAAAA:BBBBBBBBBBBBBBBBBBBB", "sk-lm-CCCCCCCC:DDDDDDDDDDDDDDDDDDDD")
ASK = flow(f"{{id: answer, model: {CODER}, task: Hi.}}")


def bound(to: str) -> str:
    head = f"models: {{coder: {{id: {CODER}, endpoint: {to}}}}}\n"
    return flow("{id: answer, model: coder, task: Hi.}", head=head)


class TestWhoIsAsked:
    def test_loaded_wins_over_downloaded(self, project: Project, stage: Stage) -> None:
        desk = stage.serve({CODER: model("From the desk.")})
        rack = stage.serve({CODER: model("From the rack.", loaded={"context_length": 16384})})
        stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url))
        project.write("ask.yaml", ASK)
        assert project.run("ask.yaml").out == "From the rack.\n"
        assert desk.requests(LOAD) == desk.requests(CHAT) == []

    def test_downloaded_at_both_the_first_one_loads(self, project: Project, stage: Stage) -> None:
        desk, rack = stage.serve({CODER: model("From the desk.")}), stage.serve({CODER: model("From the rack.")})
        stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url))
        project.write("ask.yaml", ASK)
        assert project.run("ask.yaml").out == "From the desk.\n"
        assert (len(desk.requests(LOAD)), rack.requests(LOAD)) == (1, [])

    def test_a_model_may_be_bound_to_one(self, project: Project, stage: Stage) -> None:
        desk = stage.serve({CODER: model("From the desk.")})
        rack = stage.serve({CODER: model("From the rack.", loaded=True)})
        stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url))
        project.write("ask.yaml", bound("desk"))
        assert project.run("ask.yaml").out == "From the desk.\n"

    def test_two_at_once_each_with_its_own_token(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        desk = stage.serve({CODER: model("From the desk.")}, token=TOKENS[0])
        rack = stage.serve({THINKER: model("From the rack.")}, token=TOKENS[1])
        stage.configure(endpoint("desk", desk.url, token_env="DESK"), endpoint("rack", rack.url, token_env="RACK"))
        steps = (f"{{id: a, model: {CODER}, task: Hi.}}", f"{{id: b, model: {THINKER}, task: Hi.}}")
        project.write("ask.yaml", flow(*steps))
        tokens = dict(zip(("DESK", "RACK"), TOKENS, strict=True))
        assert str(project.run("ask.yaml", "--dry-run", env=tokens)) == snapshot
        ended = project.run("ask.yaml", env=tokens)
        assert ended.out == "a: From the desk.\n\nb: From the rack.\n"
        spans = [[one["seq"] for one in events(project, kind)] for kind in ("model_load_started", "model_unloaded")]
        assert max(spans[0]) < min(spans[1])
        kept = (project.runs()[-1] / "journal.jsonl").read_text() + json.dumps(project.result()) + ended.err
        assert not any(token in kept for token in TOKENS)


class TestWhatIsWrong:
    def test_one_is_down(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        rack = stage.serve({CODER: model("From the rack.", loaded=True)})
        stage.configure(endpoint("desk", NOBODY), endpoint("rack", rack.url))
        project.write("ask.yaml", ASK)
        assert str(project.run("ask.yaml")) == snapshot

    def test_the_one_that_a_model_is_bound_to_is_down(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        rack = stage.serve({CODER: model(loaded=True)})
        stage.configure(endpoint("desk", NOBODY), endpoint("rack", rack.url))
        project.write("ask.yaml", bound("desk"))
        assert str(project.run("ask.yaml")) == snapshot
        assert project.runs() == []

    def test_the_first_is_down_in_mid_run_and_the_fallback_is_on_the_other(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        desk = stage.serve({CODER: model(loaded=True, faults=[{"name": "cut-mid-line", "on": "every"}])})
        rack = stage.serve({THINKER: model("From the rack.", loaded=True)})
        stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url))
        project.write("ask.yaml", flow(f"{{id: answer, model: [{CODER}, {THINKER}], task: Hi.}}"))
        assert str(project.run("ask.yaml")) == snapshot
        [fell] = events(project, "model_fell_back")
        assert (fell["endpoint"], fell["to_endpoint"]) == (desk.url, rack.url)

    @pytest.mark.parametrize("options", [[], ["--endpoint", "dsk"]], ids=["in the file", "on the command line"])
    def test_a_name_that_is_not_configured(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion, options: list[str]
    ) -> None:
        desk = stage.serve({CODER: model(loaded=True)})
        stage.configure(endpoint("desk", desk.url))
        project.write("ask.yaml", bound("dsk"))
        assert str(project.run("ask.yaml", *options)) == snapshot

    def test_a_token_that_is_not_set(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        desk = stage.serve({CODER: model(loaded=True)})
        rack = stage.serve({THINKER: model()}, token=TOKENS[0])
        stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url, token_env="RACK"))
        project.write("ask.yaml", flow(f"{{id: answer, model: {THINKER}, task: Hi.}}"))
        assert str(project.run("ask.yaml")) == snapshot


class TestWhereTheyAre:
    @pytest.mark.parametrize("scheme", ["host and port", "port alone", "both in one", "an address"])
    def test_the_variables_of_lm_studio(self, project: Project, stage: Stage, scheme: str) -> None:
        address = urlsplit(stage.serve({CODER: model()}).url)
        variables = {
            "host and port": {"LMSTUDIO_HOST": "127.0.0.1", "LMSTUDIO_PORT": str(address.port)},
            "port alone": {"LMSTUDIO_PORT": str(address.port)},
            "both in one": {"LMSTUDIO_HOST": f"127.0.0.1:{address.port}"},
            "an address": {"LMSTUDIO_HOST": address.geturl()},
        }
        project.environment.pop("BRIDGE_RUN_ENDPOINT")
        project.write("ask.yaml", ASK)
        assert project.run("ask.yaml", env=variables[scheme]).code == 0

    def test_a_port_that_is_none(self, project: Project, snapshot: SnapshotAssertion) -> None:
        project.environment.pop("BRIDGE_RUN_ENDPOINT")
        project.write("ask.yaml", ASK)
        assert str(project.run("ask.yaml", env={"LMSTUDIO_PORT": "lmstudio"})) == snapshot

    @pytest.mark.parametrize("variable", ["LM_API_TOKEN", "LMSTUDIO_API_TOKEN"])
    def test_the_tokens_of_lm_studio(self, project: Project, stage: Stage, variable: str) -> None:
        stage.serve({CODER: model()}, token=TOKENS[0])
        project.write("ask.yaml", ASK)
        assert project.run("ask.yaml", env={variable: TOKENS[0]}).code == 0

    def test_the_command_line_takes_several(self, project: Project, stage: Stage) -> None:
        desk, rack = stage.serve({CODER: model("Desk.")}), stage.serve({THINKER: model("Rack.")})
        project.environment.pop("BRIDGE_RUN_ENDPOINT")
        project.write("ask.yaml", flow(f"{{id: answer, model: {THINKER}, task: Hi.}}"))
        assert project.run("ask.yaml", "--endpoint", desk.url, "--endpoint", rack.url).out == "Rack.\n"


def test_a_server_of_llama_cpp_beside_lm_studio(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    desk = stage.serve({CODER: model("From LM Studio.")})
    with llama_server() as other:
        stage.configure(endpoint("desk", desk.url), endpoint("box", other))
        steps = (
            f"{{id: noise, model: {TINY}, task: Hi., sampling: {{max_tokens: 8, seed: 7}}}}",
            f"{{id: answer, model: {CODER}, task: Hi.}}",
        )
        project.write("ask.yaml", flow(*steps))
        assert str(project.run("ask.yaml", "--dry-run")) == snapshot
        assert project.run("ask.yaml").code == 0
    assert {step["model"] for step in project.result()["steps"].values()} == {TINY, CODER}
    assert [one["model"] for one in events(project, "model_unloaded")] == [CODER]
