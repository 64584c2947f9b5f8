"""How models come into memory."""

from __future__ import annotations

import pytest

from runner.chat.catalogue import Instance, ModelEntry
from runner.execute.demand import demands_of
from runner.plan.plan import ModelChoice, Needs, PlannedStep, ToolGrant
from runner.plan.residency import residences
from runner.workflow.model import Step, TaskWork

GRANT = ToolGrant(server="files", patterns=("*",))


def model(key: str = "m", *, at: str = "http://one", send: str | None = None, entry=None, **choice) -> ModelChoice:
    known = ModelEntry(key=key, **{"loaded": False, **(entry or {})})
    fields = {"manages": True, **choice}
    return ModelChoice(wanted=key, model=send or key, endpoint=at, origin="step", entry=known, **fields)


def step(name: str, choice: ModelChoice | None, context: int = 1_000, *, result: int = 0, tools: bool = False):
    needs = Needs(context=context, result=result, tools=tools)
    work = Step(id=name, path=("steps", 0), work=TaskWork(task="x"))
    return PlannedStep(step=work, model=choice, needs=needs, grants=(GRANT,) * tools)


def copies(*contexts: int | None, **rest) -> dict[str, object]:
    return {"instances": tuple(Instance(id=f"m:{n}", context_length=c, **rest) for n, c in enumerate(contexts, 1))}


@pytest.mark.parametrize(
    ("choice", "how", "context"),
    [
        (model(), "load", 8_192),
        (model(load={"context_length": 4_000}), "load", 4_000),
        (model(entry={"max_context_length": 6_000}), "load", 6_000),
        (model(entry=copies(8_000)), "loaded", 8_000),
        (model(entry=copies(2_000, 8_000, 4_000)), "loaded", 8_000),
        (model(entry=copies(None)), "loaded", None),
        (model(entry=copies(999)), "load anew", 8_192),
        (model(entry=copies(8_000), load={"context_length": 9_000}), "load anew", 9_000),
        (
            model(entry=copies(8_000, config={"flash_attention": False}), load={"flash_attention": True}),
            "load anew",
            8_192,
        ),
        (model(entry=copies(8_000), load={"num_experts": 8}), "loaded", 8_000),
        (model(entry=copies(999, 8_000), send="m:1"), "loaded", 999),
        (model(manages=False, loads_on_demand=True), "on demand", None),
        (model(manages=False, entry=copies(999)), "served", 999),
        (model(manages=False, entry={"loaded": True}, loads_on_demand=True), "served", None),
        (model(manages=False, entry={"loaded": None}), "served", None),
    ],
)
def test_how_a_model_comes_into_memory(choice, how, context):
    [one] = residences([step("a", choice)])
    assert (one.how, one.context_length) == (how, context)


@pytest.mark.parametrize(
    ("need", "tools", "context"),
    [(100, False, 8_192), (100, True, 16_384), (5_000, False, 12_288), (30_000, True, 61_440)],
)
def test_it_is_loaded_with_room_to_grow(need, tools, context):
    [one] = residences([step("a", model(), need, tools=tools)])
    assert one.context_length == context


def test_why_a_copy_is_not_good_enough():
    [one] = residences([step("a", model(entry=copies(999)))])
    assert one.lacks == "its context is 999 tokens, and 1,000 are wanted"
    wrong = model(entry=copies(8_000, config={"eval_batch_size": 256}), load={"eval_batch_size": 512})
    [one] = residences([step("a", wrong)])
    assert one.lacks == "its `eval_batch_size` is 256, and the file asks for 512"


def test_a_model_is_there_once_with_all_its_steps():
    spare = model("spare")
    there = residences(
        [
            step("a", model("spare2", fallbacks=(spare,)), 100),
            step("b", model("m", fallbacks=(spare,)), 9_000, result=5_000),
            step("c", model("m", at="http://two")),
            step("d", model("M", send="m"), 500, tools=True),
            step("e", None),
        ]
    )
    assert [(one.name, one.choice.endpoint, one.steps, one.reserve_of, one.need, one.opening) for one in there] == [
        ("spare2", "http://one", ("a",), (), 100, 100),
        ("m", "http://one", ("b",), (), 9_000, 4_000),
        ("m", "http://two", ("c",), (), 1_000, 1_000),
        ("M", "http://one", ("d",), (), 500, 500),
        ("spare", "http://one", (), ("a", "b"), 9_000, 4_000),
    ]


def test_what_the_plan_says_is_what_the_run_asks_for():
    """The run has its own account of this, made while it goes on; both must come to the same."""
    steps = [
        step("a", model("cold", load={"flash_attention": True}), 9_000),
        step("b", model("cold"), 12_000, tools=True),
        step("c", model("given", load={"context_length": 5_000})),
        step("d", model("small", entry={"max_context_length": 6_000})),
    ]
    asked = {demand.name: dict(demand.settings) for demand in demands_of(steps).values()}
    assert {one.name: dict(one.settings) for one in residences(steps)} == asked
