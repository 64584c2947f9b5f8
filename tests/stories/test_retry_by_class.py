"""What a failure leads to, by its class, as the server sees it: the bodies of the questions, the loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kit.bad_day import BadDay, bad_day, called, said
from kit.raw_server import Script, reply

from runner.cli.main import exit_code_of

pytestmark = [pytest.mark.timeout(30)]

HEAD = """version: 1
name: ask
models:
  one: {id: qwen3, fallback: [gemma]}
  alone: {id: qwen3}
mcp_servers:
  files: {builtin: files, root: .}
defaults: {retry: {attempts: 9, wait: 1ms, max_wait: 2ms}}
steps:
"""
ALONE = f"{HEAD}  - {{id: answer, model: alone, task: Say something.}}\n"
WITH_FALLBACK = f"{HEAD}  - {{id: answer, model: one, task: Say something.}}\n"
READ = f"{HEAD}  - {{id: answer, model: alone, mcp_servers: [files], task: Read long.txt.}}\n"
FINE = said("fine")
Run = Callable[[str, BadDay], dict[str, Any]]


def refused(text: str, status: int = 400, *, headers: str = "") -> Script:
    return reply({"error": text}, status=status, headers=headers)


CRASH = refused("The model has crashed without additional information. (Exit code: 6)")
NO_MEMORY = refused("CUDA error: out of memory", 500)
NO_TOKEN = refused("An LM Studio API token is required", 401)
GRAMMAR = refused("Failed to initialize samplers: failed to parse grammar")
TEMPLATE = refused("Error rendering prompt with jinja template")
TOO_LONG = refused(
    "Engine protocol predict request returned 400: "
    '{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (8192 tokens), try '
    'increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}'
)
GUARD = reply(
    {
        "error": {
            "type": "model_load_failed",
            "message": "Model loading was stopped due to insufficient system resources",
        }
    },
    status=500,
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in ("BRIDGE_RUN_ENDPOINT", "LMSTUDIO_HOST", "LMSTUDIO_PORT", "LM_API_TOKEN", "LMSTUDIO_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "long.txt").write_text("buy milk, and never forget the bread\n" * 300, encoding="utf-8")

    def command(flow: str, day: BadDay) -> dict[str, Any]:
        (tmp_path / "flow.yaml").write_text(flow, encoding="utf-8")
        exit_code_of(["flow.yaml", "--quiet", "--endpoint", day.url])
        [result] = tmp_path.glob(".bridge/runs/*/result.json")
        step: dict[str, Any] = json.loads(result.read_text("utf-8"))["steps"]["answer"]
        return step

    return command


def in_turn(answers: Sequence[Script]) -> Callable[[BadDay, dict[str, Any]], Script]:
    """One after the other; the last for all that come after."""
    return lambda day, body: answers[min(len(day.asked), len(answers)) - 1]


def by_model(**answers: Script) -> Callable[[BadDay, dict[str, Any]], Script]:
    return lambda day, body: answers[body["model"]]


def crashing(day: BadDay, body: dict[str, Any]) -> Script:
    day.crash()
    return CRASH


def tool_results(body: dict[str, Any]) -> list[int]:
    return [len(message["content"]) for message in body["messages"] if message["role"] == "tool"]


class TestContext:
    def test_it_is_asked_again_with_less_and_never_with_the_same(self, run: Run):
        call = called("files__read", '{"path": "long.txt"}')
        with bad_day(in_turn([call, TOO_LONG, TOO_LONG, FINE])) as day:
            assert run(READ, day)["output"] == "fine"
        lengths = [tool_results(body) for body in day.asked]
        assert lengths[0] == []
        assert lengths[1] > lengths[2] > lengths[3]
        assert [len(body["messages"]) for body in day.asked] == [1, 3, 3, 3]

    def test_it_ends_where_nothing_can_be_shortened(self, run: Run):
        call = called("files__read", '{"path": "long.txt"}')
        with bad_day(in_turn([call, TOO_LONG])) as day:
            assert run(READ, day)["error"]["kind"] == "context"
        assert len(day.asked) <= 5
        assert len({json.dumps(body) for body in day.asked}) == len(day.asked)

    def test_one_question_alone_is_asked_once_and_then_of_another_model(self, run: Run):
        with bad_day(by_model(qwen3=TOO_LONG, gemma=said("fine", model="gemma")), models=("qwen3", "gemma")) as day:
            step = run(WITH_FALLBACK, day)
        assert (step["output"], [body["model"] for body in day.asked]) == ("fine", ["qwen3", "gemma"])
        assert step["fallbacks"]


class TestCrash:
    def test_it_is_loaded_anew_and_asked_the_same_twice_at_most(self, run: Run):
        with bad_day(crashing, contexts={}) as day:
            step = run(ALONE, day)
        assert (step["error"]["kind"], step["attempts"]) == ("crash", 3)
        assert day.asked[0] == day.asked[1] == day.asked[2]
        assert [len(day.asked), len(day.loads)] == [3, 3]
        assert day.loads[0] == day.loads[1] == day.loads[2]

    def test_what_a_person_loaded_is_replaced_once_it_is_gone(self, run: Run):
        def once(day: BadDay, body: dict[str, Any]) -> Script:
            return crashing(day, body) if len(day.asked) == 1 else FINE

        with bad_day(once) as day:
            assert run(ALONE, day)["output"] == "fine"
        assert (len(day.asked), len(day.loads)) == (2, 1)

    def test_then_the_fallback_has_the_same_talk(self, run: Run):
        def one(day: BadDay, body: dict[str, Any]) -> Script:
            return crashing(day, body) if body["model"] == "qwen3" else said("fine", model="gemma")

        with bad_day(one, models=("qwen3", "gemma")) as day:
            assert run(WITH_FALLBACK, day)["output"] == "fine"
        assert [body["model"] for body in day.asked] == ["qwen3"] * 3 + ["gemma"]
        assert day.asked[3]["messages"] == day.asked[0]["messages"]


class TestMemory:
    def test_a_load_is_tried_with_less_and_less_context(self, run: Run):
        def room(context: int) -> Script | None:
            return GUARD if context > 4096 else None

        with bad_day(in_turn([FINE]), contexts={}, refuse_load=room) as day:
            assert run(ALONE, day)["output"] == "fine"
        assert [load["context_length"] for load in day.loads] == [8192, 4096]

    def test_then_the_fallback_is_asked_and_nobody_waits(self, run: Run):
        def full(day: BadDay, body: dict[str, Any]) -> Script:
            return said("fine", model=body["model"])

        with bad_day(full, models=("qwen3", "gemma"), contexts={"gemma": 8192}, refuse_load=lambda _: GUARD) as day:
            assert run(WITH_FALLBACK, day)["output"] == "fine"
        assert [body["model"] for body in day.asked] == ["gemma"]
        assert [load["context_length"] for load in day.loads] == [8192, 4096]

    def test_a_model_that_runs_out_of_it_at_work_is_loaded_with_less(self, run: Run):
        with bad_day(in_turn([NO_MEMORY, FINE]), contexts={}) as day:
            assert run(ALONE, day)["output"] == "fine"
        assert [load["context_length"] for load in day.loads] == [8192, 4096]
        assert day.unloads == ["qwen3", "qwen3"]

    def test_what_a_person_loaded_is_left_alone_and_not_asked_the_same_again(self, run: Run):
        with bad_day(in_turn([NO_MEMORY])) as day:
            assert run(ALONE, day)["error"]["kind"] == "overloaded"
        assert (len(day.asked), day.loads, day.unloads) == (1, [], [])


def test_a_refused_token_ends_it_at_once_fallback_or_not(run: Run):
    with bad_day(in_turn([NO_TOKEN]), models=("qwen3", "gemma")) as day:
        step = run(WITH_FALLBACK, day)
    assert (step["error"]["kind"], step["attempts"], len(day.asked)) == ("auth", 1, 1)
    assert not step.get("fallbacks")


class TestRequest:
    def test_each_rung_is_tried_once_down_to_tools_as_text(self, run: Run):
        with bad_day(in_turn([GRAMMAR])) as day:
            step = run(READ, day)
        assert (step["error"]["kind"], step["attempts"]) == ("request", 1)
        assert ["tools" in body for body in day.asked] == [True, True, False]
        assert len(json.dumps(day.asked[0]["tools"])) > len(json.dumps(day.asked[1]["tools"]))
        assert "files__read" in day.asked[2]["messages"][0]["content"]

    def test_the_form_that_passed_is_kept(self, run: Run):
        call = called("files__read", '{"path": "long.txt"}')
        with bad_day(in_turn([GRAMMAR, call, FINE])) as day:
            assert run(READ, day)["output"] == "fine"
        assert day.asked[1]["tools"] == day.asked[2]["tools"] != day.asked[0]["tools"]

    def test_a_template_is_given_merged_roles_then_text(self, run: Run):
        flow = READ.replace("task:", "system: Be brief., task:")
        with bad_day(in_turn([TEMPLATE, TEMPLATE, FINE])) as day:
            assert run(flow, day)["output"] == "fine"
        assert ["tools" in body for body in day.asked] == [True, True, False]

    def test_what_no_form_mends_is_asked_once(self, run: Run):
        with bad_day(in_turn([refused("'messages' field is required")])) as day:
            assert run(READ, day)["error"]["kind"] == "request"
        assert len(day.asked) == 1


class TestGone:
    def test_another_model_that_answers_for_one_that_was_unloaded(self, run: Run):
        """LM Studio unloads what was idle for its time, and then the one model that is there answers to any name."""

        def other(day: BadDay, body: dict[str, Any]) -> Script:
            if len(day.asked) > 1:
                return FINE
            day.crash()
            return said("I am somebody else.", model="gemma")

        with bad_day(other, models=("qwen3", "gemma")) as day:
            step = run(ALONE, day)
        assert (step["output"], step["attempts"]) == ("fine", 1)
        assert (len(day.asked), [load["model"] for load in day.loads]) == (2, ["qwen3"])

    def test_one_that_stays_another(self, run: Run):
        with bad_day(by_model(qwen3=said("no", model="gemma"), gemma=said("fine", model="gemma")),
                     models=("qwen3", "gemma")) as day:  # fmt: skip
            assert run(WITH_FALLBACK, day)["output"] == "fine"
        assert [body["model"] for body in day.asked] == ["qwen3", "qwen3", "gemma"]


def test_who_asks_to_wait_is_asked_again_as_late_as_he_says(run: Run):
    wait = refused("Too Many Requests", 429, headers="Retry-After: 0\r\n")
    with bad_day(in_turn([wait, FINE])) as day:
        step = run(ALONE.replace("wait: 1ms, max_wait: 2ms", "wait: 20s, max_wait: 20s"), day)
    assert (step["output"], len(day.asked)) == ("fine", 2)
