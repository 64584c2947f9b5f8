"""When a fault strikes: counted among the requests that it can strike, and drawn alike every time."""

from __future__ import annotations

import pytest

from runner.rehearse.simulator.answer import Answer, SaidCall
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.match import Conversation
from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.script import Script, ScriptedModel
from runner.rehearse.simulator.striking import Striking, named_faults, struck_by
from runner.words.errors import UsageError

ASK = Ask(model="a", conversation=Conversation(messages=[]))
TALK = Answer(serial="s", model="a", content="hi")
CALL = Answer(serial="s", model="a", calls=(SaidCall("1", "t", "{}"),))


def script(faults: str, model: str = "{}") -> Script:
    return parse_script(f"faults: {faults}\nmodels: {{a: {model}, b: {{}}}}", "script.yaml")


def struck(faults: str, answers: list[Answer], key: str = "a", model: str = "{}") -> list[str | None]:
    striking = Striking(script(faults, model).faults)
    kinds = [striking.answer(ASK, ScriptedModel(key=key), answer) for answer in answers]
    return [None if kind is None else kind.name for kind in kinds]


def test_once_the_nth_time_or_always() -> None:
    assert struck("[stall]", [TALK] * 3) == ["stall", None, None]
    assert struck("[{name: stall, on: 2}]", [TALK] * 3) == [None, "stall", None]
    assert struck("[{name: stall, on: every}]", [TALK] * 2) == ["stall", "stall"]
    assert struck("[no-token]", [TALK] * 2) == ["no-token", "no-token"]
    assert struck("[{name: no-token, on: 1}]", [TALK] * 2) == ["no-token", None]


def test_only_what_it_can_strike_is_counted() -> None:
    assert struck("[unknown-tool]", [TALK, CALL, CALL]) == [None, "unknown-tool", None]
    assert struck("[fenced-json]", [TALK, Answer(serial="s", model="a", content='{"n": 1}')]) == [None, "fenced-json"]
    assert struck("[one-index-calls]", [CALL]) == [None]
    assert struck("[grammar-error, load-failure, old-server]", [CALL]) == [None]


def test_the_first_of_the_script_wins_and_the_next_has_its_turn() -> None:
    assert struck("[stall, crash]", [TALK] * 3) == ["stall", "crash", None]


def test_faults_of_a_model_are_its_own() -> None:
    assert struck("[]", [TALK], model="{faults: [stall]}") == ["stall"]
    assert struck("[]", [TALK], key="b", model="{faults: [stall]}") == [None]


def test_chance_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = f"[{{name: stall, probability: 0.1, seed: {seed}}}]"
        return [name is not None for name in struck(faults, [TALK] * 1000)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 60 < sum(drawn(1)) < 140


def test_names_of_a_command_line() -> None:
    assert named_faults("stall, crash,stall") == ("stall", "crash")
    assert len(named_faults("all")) > 60
    with pytest.raises(UsageError) as unknown:
        named_faults("stal")
    assert (str(unknown.value), unknown.value.hint) == ("there is no fault `stal`", "did you mean `stall`?")
    with pytest.raises(UsageError) as none:
        named_faults(" , ")
    assert str(none.value) == "`--faults` names no fault"


def test_all_of_them_strike_one_request_after_the_other() -> None:
    striking = Striking(struck_by(script("[]"), "all").faults)
    kinds = [striking.answer(ASK, ScriptedModel(key="a"), CALL) for _ in range(100)]
    names = [kind.name for kind in kinds if kind is not None]
    assert names[:2] == ["slow-first-byte", "slow-tokens"]
    assert len(names) == len(set(names)) > 50
