"""Scenarios of retry: what passes is asked again, what does not is told at once, and no effect happens twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kit.bad_day import bad_day, once, said
from kit.raw_server import reply
from kit.scene import Scene, loaded, servers, tool_server

from runner.words.errors import LLMAuthenticationError, LLMError, LLMRateLimitError, LLMValidationError

TALLY = 'Path(sys.argv[1]).open("a").write("called\\n")'


@pytest.mark.parametrize(
    "fault", ["status-429", "status-500", "status-503", "cut-mid-line", "html-page", "empty-answer"]
)
def test_what_passes_is_asked_again(scene: Scene, fault: str) -> None:
    scene.studio({"small/one": loaded()}, faults=[fault])
    assert scene.do().text == "Hi."
    assert len(scene.heard()) == 2


def test_what_fails_three_times_is_told_as_it_failed(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": "status-500", "on": "every"}])
    with pytest.raises(LLMError) as failed:
        scene.do()
    assert failed.value.kind == "server"
    assert failed.value.retryable
    assert len(scene.heard()) == 3


def test_a_server_that_stays_busy_is_told_as_such(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": "status-429", "on": "every"}])
    with pytest.raises(LLMError) as busy:
        scene.do()
    assert (busy.value.kind, busy.value.retryable) == ("rate_limit", True)
    assert isinstance(busy.value, LLMRateLimitError)
    assert len(scene.heard()) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, LLMValidationError),
        (401, LLMAuthenticationError),
        (403, LLMAuthenticationError),
        (404, LLMValidationError),
    ],
)
def test_what_will_not_pass_is_asked_once(scene: Scene, status: int, error: type[LLMError]) -> None:
    scene.studio({"small/one": loaded({"fault": {"error": {"status": status, "body": "no"}}})})
    with pytest.raises(error) as failed:
        scene.do()
    assert not failed.value.retryable
    assert len(scene.heard()) == 1


def test_a_call_that_may_have_changed_something_is_not_made_twice(scene: Scene) -> None:
    """The conversation goes on where it was: the model is asked again, the tool is not called again."""
    scene.studio(
        {
            "small/one": loaded(
                {"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]},
                {"fault": {"error": {"status": 500, "body": "oops"}}, "times": 1},
                {"say": "Once."},
            )
        }
    )
    given = servers(odd=tool_server("tallying", TALLY, "tally"))
    end = scene.do(servers=given)
    assert (end.text, end.tool_calls) == ("Once.", 1)
    assert Path("tally").read_text("utf-8") == "called\n"


def test_a_call_in_which_the_server_dies_is_not_made_twice(scene: Scene) -> None:
    """Nobody knows whether it did its work: the model is told, and decides."""
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]})})
    end = scene.do(servers=servers(odd=tool_server("dying", f"{TALLY}; os._exit(7)", "tally")))
    assert (end.text, Path("tally").read_text("utf-8")) == ("Hi.", "called\n")
    assert "Whether the call had an effect is not known" in scene.heard()[-1]["messages"][-1]["content"]


def test_two_failures_and_a_good_answer_are_three_requests_and_two_lines_of_the_journal(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"fault": {"error": {"status": 500, "body": "oops"}}, "times": 2})})
    end = scene.do()
    assert (end.text, len(scene.heard())) == ("Hi.", 3)
    assert [line["kind"] for line in _retries(end.folder)] == ["server", "server"]


def test_a_server_that_says_how_long_to_wait_is_given_that_long(scene: Scene) -> None:
    wait = reply({"error": "Too Many Requests"}, status=429, headers="Retry-After: 1\r\n")
    with bad_day(once(wait, said("fine"))) as day:
        scene.url = day.url
        end = scene.do()
    assert (end.text, len(day.asked)) == ("fine", 2)
    assert [(line["kind"], line["wait"]) for line in _retries(end.folder)] == [("rate_limit", 1.0)]


def _retries(folder: str) -> list[dict[str, object]]:
    lines = map(json.loads, Path(folder, "journal.jsonl").read_text("utf-8").splitlines())
    return [line for line in lines if line["type"] == "step_retried"]
