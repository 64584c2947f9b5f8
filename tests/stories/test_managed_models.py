"""Models that the run loads itself: once, with the file's settings, and unloaded again, whatever happens."""

from __future__ import annotations

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project, interrupt, wait_until
from kit.stage import CHAT, CODER, LOAD, THINKER, UNLOAD, Served, Stage, flow, happened, model, of_the_run
from syrupy.assertion import SnapshotAssertion

SLOW = {"load_time": "300ms"}


def at_once(*models: str) -> str:
    return flow(*(f"{{id: s{number}, model: {name}, task: Say {number}.}}" for number, name in enumerate(models)))


def loads(server: Served) -> list[str]:
    return [request["model"] for request in server.requests(LOAD)]


class TestOnce:
    def test_eight_steps_at_once_on_a_cold_model(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model(**SLOW)})
        project.write("ask.yaml", at_once(*[CODER] * 8))
        ended = project.run("ask.yaml")
        assert ended.code == 0
        assert of_the_run(ended) == snapshot
        assert server.requests(LOAD) == [{"model": CODER, "context_length": 8192, "echo_load_config": True}]
        assert len(server.requests(CHAT)) == 8
        assert server.loaded() == {}
        assert_closed(project, "succeeded")

    def test_two_models_of_which_one_fits(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(**SLOW), THINKER: model(**SLOW)}, memory="30GB")
        project.write("ask.yaml", at_once(*[CODER, THINKER] * 4))
        ended = project.run("ask.yaml")
        assert ended.code == 0
        assert of_the_run(ended) == snapshot
        assert sorted(loads(server)) == [THINKER, CODER]
        assert server.loaded() == {}

    def test_a_rack_that_may_hold_both_loads_both_at_once(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model(**SLOW), THINKER: model(**SLOW)})
        stage.configure(f'[endpoints.rack]\nurl = "{server.url}"\nmax_loaded = 2')
        project.write("ask.yaml", at_once(*[CODER, THINKER] * 4))
        assert project.run("ask.yaml").code == 0
        assert sorted(loads(server)) == [THINKER, CODER]
        unloaded = [entry["seq"] for entry in events(project, "model_unloaded")]
        assert min(unloaded) > max(entry["seq"] for entry in events(project, "step_finished"))


class TestWhatAPersonLoaded:
    def test_it_is_used_and_stays(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(loaded={"context_length": 16384})})
        project.write("ask.yaml", at_once(CODER))
        assert str(project.run("ask.yaml")) == snapshot
        assert loads(server) == server.requests(UNLOAD) == []
        assert server.loaded() == {CODER: 16384}

    def test_too_small_it_stays_and_a_better_copy_comes_and_goes(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model(loaded={"context_length": 2048})})
        head = f"models: {{coder: {{id: {CODER}, load: {{context_length: 16384}}}}}}\n"
        project.write("ask.yaml", flow("{id: answer, model: coder, task: Hi.}", head=head))
        assert str(project.run("ask.yaml", "--dry-run")) == snapshot(name="plan")
        assert str(project.run("ask.yaml")) == snapshot(name="run")
        assert [request["model"] for request in server.requests(CHAT)] == [f"{CODER}:2"]
        assert server.requests(UNLOAD) == [{"instance_id": f"{CODER}:2"}]
        assert server.loaded() == {CODER: 2048}


class TestHowLong:
    def test_with_keep_loaded_the_next_run_finds_it(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model()})
        project.write("ask.yaml", at_once(CODER))
        kept = project.run("ask.yaml", "--keep-loaded")
        assert "unloaded" not in kept.err
        assert server.loaded() == {CODER: 8192}
        again = project.run("ask.yaml")
        assert f"uses {CODER} as it is loaded" in again.err
        assert loads(server) == [CODER]
        assert server.loaded() == {CODER: 8192}

    def test_idle_for_its_ttl_it_goes_and_comes_back(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model()})
        steps = (
            "{id: before, model: coder, task: Hi.}",
            "{id: pause, needs: [before], run: [sleep, '1']}",
            "{id: after, needs: [pause], model: coder, task: Hi.}",
        )
        project.write("ask.yaml", flow(*steps, head=f"models: {{coder: {{id: {CODER}, ttl: 200ms}}}}\n"))
        assert str(project.run("ask.yaml")) == snapshot
        assert loads(server) == [CODER, CODER]
        assert server.loaded() == {}

    def test_without_a_ttl_it_stays_while_the_run_does_other_things(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model()})
        steps = (
            f"{{id: before, model: {CODER}, task: Hi.}}",
            "{id: pause, needs: [before], run: [sleep, '1']}",
            f"{{id: after, needs: [pause], model: {CODER}, task: Hi.}}",
        )
        project.write("ask.yaml", flow(*steps))
        assert project.run("ask.yaml").code == 0
        assert loads(server) == [CODER]


class TestRefused:
    def test_no_memory_and_no_way_out(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model()}, memory="10GB")
        project.write("ask.yaml", at_once(CODER))
        assert str(project.run("ask.yaml")) == snapshot
        assert {request["context_length"] for request in server.requests(LOAD)} == {8192, 4096}
        assert server.requests(CHAT) == []
        error = project.result()["steps"]["s0"]["error"]
        assert error["kind"] == "overloaded"
        assert "(it needs about 20.0 GB)" in error["message"]

    def test_no_memory_for_the_context_and_a_smaller_one_will_do(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model(token_size="1MB")}, memory="25GB")
        project.write("ask.yaml", at_once(CODER))
        assert str(project.run("ask.yaml")) == snapshot
        assert [request["context_length"] for request in server.requests(LOAD)] == [8192, 4096]

    def test_a_context_that_the_file_names_is_not_made_smaller(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model(token_size="1MB")}, memory="25GB")
        head = f"models: {{coder: {{id: {CODER}, load: {{context_length: 8192}}}}}}\n"
        project.write("ask.yaml", flow("{id: a, model: coder, task: Hi.}", head=head))
        assert project.run("ask.yaml").code == 1
        assert {request["context_length"] for request in server.requests(LOAD)} == {8192}

    def test_what_the_configuration_allows_counts_before_the_server_is_asked(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model(), THINKER: model(loaded={"context_length": 4096})})
        stage.configure(f'[endpoints.rack]\nurl = "{server.url}"\nmemory = "32GB"')
        project.write("ask.yaml", at_once(CODER))
        assert str(project.run("ask.yaml")) == snapshot
        assert loads(server) == []
        assert server.loaded() == {THINKER: 4096}

    def test_a_file_that_the_engine_cannot_read(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        stage.serve({CODER: model(load_error="unknown model architecture: 'qwen9'")})
        project.write("ask.yaml", at_once(CODER))
        assert str(project.run("ask.yaml")) == snapshot


class TestEnds:
    def test_interrupted_while_it_loads(self, project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
        server = stage.serve({CODER: model(load_time="1s")})
        project.write("ask.yaml", at_once(CODER))
        process = project.start("ask.yaml")
        wait_until(lambda: happened(project, "model_load_started"), "the load has begun")
        interrupt(process)
        ended = project.ended(process)
        assert str(ended) == snapshot
        assert ended.code == 130
        assert server.loaded() == {}
        assert_closed(project, "cancelled")

    def test_a_load_that_goes_on_after_the_interrupt_is_told(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        stage.serve({CODER: model(load_time="60s")})
        project.write("ask.yaml", at_once(CODER))
        process = project.start("ask.yaml")
        wait_until(lambda: happened(project, "model_load_started"), "the load has begun")
        interrupt(process)
        assert str(project.ended(process)) == snapshot
        assert_closed(project, "cancelled")

    def test_interrupted_while_it_answers(self, project: Project, stage: Stage) -> None:
        server = stage.serve({CODER: model(first_token="60s")})
        project.write("ask.yaml", at_once(CODER))
        process = project.start("ask.yaml")
        wait_until(lambda: happened(project, "model_asked"), "the model has been asked")
        interrupt(process)
        assert project.ended(process).code == 130
        assert server.loaded() == {}
        assert_closed(project, "cancelled")

    def test_what_a_killed_run_left_loaded_the_next_one_uses_and_leaves(
        self, project: Project, stage: Stage, snapshot: SnapshotAssertion
    ) -> None:
        server = stage.serve({CODER: model(first_token="500ms")})
        project.write("ask.yaml", at_once(CODER))
        process = project.start("ask.yaml")
        wait_until(lambda: happened(project, "model_asked"), "the model has been asked")
        process.kill()
        project.ended(process)
        assert server.loaded() == {CODER: 8192}
        assert str(project.run("ask.yaml")) == snapshot
        assert loads(server) == [CODER]
        listed = project.run("models", "ls")
        assert "loaded" in listed.out
        assert project.run("models", "unload", CODER).code == 0
        assert server.loaded() == {}

    @pytest.mark.parametrize("settings", [{"flash_attention": False}, {"eval_batch_size": 256}])
    def test_settings_of_the_file_reach_the_server(self, project: Project, stage: Stage, settings: dict) -> None:
        server = stage.serve({CODER: model()})
        [(name, value)] = settings.items()
        head = f"models: {{coder: {{id: {CODER}, load: {{{name}: {str(value).lower()}}}}}}}\n"
        project.write("ask.yaml", flow("{id: a, model: coder, task: Hi.}", head=head))
        assert project.run("ask.yaml").code == 0
        [asked] = server.requests(LOAD)
        assert asked[name] is value or asked[name] == value
