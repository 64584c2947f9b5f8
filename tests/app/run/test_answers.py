"""Who answers a question: the command line, a person, the default, or nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.app.run.answers import GivenAnswers, parse_answers
from runner.execute.questions import Answer, Question
from runner.words.errors import UsageError
from runner.workflow.load import load
from runner.workflow.model import Workflow

DEPLOY = """
version: 1
name: deploy
steps:
  - {id: gate, approve: Ship it?}
  - {id: size, approve: How much?, choices: [all, a tenth, none], default: none}
  - {id: each, for_each: [a, b, c], approve: "Ship {{ item }}?"}
  - {id: later, for_each: steps.list.output, approve: "Ship {{ item }}?"}
  - {id: rows, matrix: {os: [linux, mac]}, approve: "Ship for {{ matrix.os }}?"}
  - {id: call, for_each: [1, 2, 3], workflow: ./inner.yaml}
  - {id: list, run: [echo, "[]"], output: json}
"""
INNER = """
version: 1
name: inner
steps:
  - {id: gate, approve: Really?, for_each: [x, y]}
"""


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    monkeypatch.chdir(tmp_path)
    Path("deploy.yaml").write_text(DEPLOY)
    Path("inner.yaml").write_text(INNER)
    return load("deploy.yaml").workflow


def question(unit: str = "gate", *choices: str, default: str | None = None) -> Question:
    return Question(unit=unit, text="Ship it?", choices=choices or ("yes", "no"), default=default)


def answer(answers: GivenAnswers, asked: Question) -> Answer | None:
    return asyncio.run(answers.answer(asked))


def said(deploy: Workflow, *texts: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_answers(texts, deploy)
    error = caught.value
    assert error.exit_code == 2
    return error.message + (f" | {error.hint}" if error.hint else "")


def test_names_with_and_without_indices_are_taken(deploy: Workflow) -> None:
    texts = ("gate=yes", "size=a tenth", "each[2]=no", "later[99]=yes", "call/gate=yes", "call[2]/gate[0]=no")
    assert parse_answers(texts, deploy) == {
        "gate": "yes",
        "size": "a tenth",
        "each[2]": "no",
        "later[99]": "yes",
        "call/gate": "yes",
        "call[2]/gate[0]": "no",
    }
    assert parse_answers(("gate=yes", " gate =yes"), deploy) == {"gate": "yes"}
    assert parse_answers((), deploy) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gate", "`--answer gate` is no answer | write `--answer gate=yes`"),
        ("=yes", "`--answer =yes` is no answer | write `--answer gate=yes`"),
        ("gate=", "`--answer gate=` is no answer | write `--answer gate=yes`"),
        ("gaet=yes", "`--answer gaet=yes`: there is no question `gaet` | did you mean `gate`?"),
        ("cal[0]/gate=no", "`--answer cal[0]/gate=no`: there is no question `cal[0]/gate` | did you mean `call/gate`?"),
        (
            "list=yes",
            "`--answer list=yes`: there is no question `list`"
            " | the workflow asks `gate`, `size`, `each`, `later`, `rows`, `call/gate`",
        ),
        (
            "gate=yse",
            "`--answer gate=yse`: `yse` is no answer to `gate` | did you mean `yes`? the choices are `yes`, `no`",
        ),
        ("gate=<yes|no>", "`--answer gate=<yes|no>`: `<yes|no>` is no answer to `gate` | the choices are `yes`, `no`"),
        (
            "gate[1]=yes",
            "`--answer gate[1]=yes`: `gate` does not fan out, so it has no item 1 | write `gate` without `[1]`",
        ),
        ("each[3]=yes", "`--answer each[3]=yes`: `each` has 3 items, so none has the index 3 | indices count from 0"),
        ("rows[2]=yes", "`--answer rows[2]=yes`: `rows` has 2 items, so none has the index 2 | indices count from 0"),
        (
            "call[0]/gate[2]=no",
            "`--answer call[0]/gate[2]=no`: `call/gate` has 2 items, so none has the index 2 | indices count from 0",
        ),
        ("each[-1]=no", "`--answer each[-1]=no`: there is no question `each[-1]` | did you mean `each`?"),
    ],
)
def test_a_wrong_answer_is_refused_before_anything_starts(deploy: Workflow, text: str, words: str) -> None:
    assert said(deploy, text) == words


def test_all_wrong_answers_are_told_at_once(deploy: Workflow) -> None:
    assert said(deploy, "gate=yes", "gate=no", "gaet=yes", "size=al").split("\n") == [
        "3 complaints about the answers:",
        "`--answer gate=no` says otherwise than `--answer gate=yes`; keep one of the two",
        "`--answer gaet=yes`: there is no question `gaet`; did you mean `gate`?",
        "`--answer size=al`: `al` is no answer to `size`; did you mean `all`? the choices are `all`, `a tenth`, `none`",
    ]


def test_the_name_of_a_step_alone_is_near_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inner.yaml").write_text(INNER)
    calls = "".join(f"  - {{id: call_{n}, workflow: ./inner.yaml}}\n" for n in range(10))
    Path("outer.yaml").write_text(f"version: 1\nname: outer\nsteps:\n{calls}")
    outer = load("outer.yaml").workflow
    assert said(outer, "gate=yes") == "`--answer gate=yes`: there is no question `gate` | did you mean `call_0/gate`?"
    assert said(outer, "zzzzzz=yes").endswith("`call_6/gate`, `call_7/gate` and 2 more")


def test_a_workflow_that_asks_nothing_takes_no_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hello.yaml").write_text("version: 1\nname: hello\nsteps: [{id: greet, run: [echo, hi]}]\n")
    assert said(load("hello.yaml").workflow, "gate=yes") == (
        "`--answer gate=yes`: the workflow `hello` asks nothing | it has no `approve` step; leave the option out"
    )


@pytest.mark.parametrize(
    ("given", "unit", "choice"),
    [
        ({"gate": "yes"}, "gate", "yes"),
        ({"gate": "yes"}, "gate[7]", "yes"),
        ({"gate": "yes", "gate[7]": "no"}, "gate[7]", "no"),
        ({"gate[7]": "no", "gate": "yes"}, "gate[8]", "yes"),
        ({"gate[7]": "no"}, "gate[8]", None),
        ({"gate": "yes"}, "call/gate", None),
        ({"call/gate": "yes"}, "gate", None),
        ({"call/gate": "yes"}, "call[2]/gate[0]", "yes"),
        ({"call/gate": "yes", "call[2]/gate": "no"}, "call[2]/gate[0]", "no"),
        ({"call/gate[0]": "yes", "call[2]/gate": "no"}, "call[2]/gate[0]", "no"),
        ({"call/gate[0]": "yes", "call[2]/gate": "no"}, "call[1]/gate[0]", "yes"),
        ({"a/call/gate": "yes"}, "a/call[1]/gate[12]", "yes"),
    ],
)  # fmt: skip
def test_the_name_that_says_most_answers(given: Mapping[str, str], unit: str, choice: str | None) -> None:
    answered = answer(GivenAnswers(given), question(unit))
    assert answered == (None if choice is None else Answer(choice=choice, by="--answer"))


@pytest.mark.parametrize(
    ("choices", "default", "choice"),
    [(("no", "yes"), "no", "yes"), (("all", "none"), "none", "none"), (("all", "none"), None, "all")],
)
def test_yes_to_everything(choices: tuple[str, ...], default: str | None, choice: str) -> None:
    answered = answer(GivenAnswers({}, yes=True), question("gate", *choices, default=default))
    assert answered == Answer(choice=choice, by="--yes")


def test_an_answer_beats_yes_a_person_and_the_default() -> None:
    async def nobody_is_asked(asked: Question) -> Answer | None:
        raise AssertionError(asked)

    answers = GivenAnswers({"gate": "no"}, yes=True, ask=nobody_is_asked)
    assert answer(answers, question(default="yes")) == Answer(choice="no", by="--answer")
    assert answer(answers, question("other", default="no")) == Answer(choice="yes", by="--yes")


def test_a_person_beats_the_default_also_by_saying_nothing() -> None:
    async def ask(asked: Question) -> Answer | None:
        return Answer(choice="no", by="terminal") if asked.unit == "gate" else None

    answers = GivenAnswers({}, ask=ask)
    assert answer(answers, question(default="yes")) == Answer(choice="no", by="terminal")
    assert answer(answers, question("other", default="yes")) is None


def test_without_anybody_the_default_holds_at_once_and_without_one_the_run_pauses() -> None:
    answers = GivenAnswers({})
    assert answer(answers, question(default="no")) == Answer(choice="no", by="default")
    assert answer(answers, question()) is None


def test_kept_answers_are_given_again_in_their_order_then_others_answer() -> None:
    kept = {"gate": (Answer(choice="no", by="terminal"), Answer(choice="yes", by="--answer"))}
    answers = GivenAnswers({"gate": "no"}, kept=kept)
    given = [answer(answers, question()) for _ in range(3)]
    assert given == [*kept["gate"], Answer(choice="no", by="--answer")]


def test_a_kept_answer_that_the_file_no_longer_knows_is_asked_for_again() -> None:
    answers = GivenAnswers({}, kept={"gate": (Answer(choice="maybe", by="terminal"),)})
    assert answer(answers, question()) is None
