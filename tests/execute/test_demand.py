"""What a run asks of each model: settings, context, and which loaded copies will do."""

from __future__ import annotations

import pytest

from runner.chat.catalogue import Instance, ModelEntry
from runner.execute.demand import Demand, demands_of, key_of
from runner.execute.loading import smaller
from runner.plan.plan import ModelChoice, Needs, PlannedStep, ToolGrant
from runner.workflow.load import load

HOST = "http://host"


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    file = tmp_path_factory.mktemp("flow") / "flow.yaml"
    file.write_text("version: 1\nname: flow\nsteps:\n  - id: a\n    task: Go.\n")
    return load(str(file)).workflow.steps[0]


def entry(key="a", *instances, **facts):
    return ModelEntry(key=key, instances=instances, **facts)


def choice(model="a", **facts):
    facts.setdefault("entry", entry(max_context_length=65536))
    return ModelChoice(wanted=model, model=model, endpoint=HOST, origin="step", manages=True, **facts)


def planned(step, model, *, tools=False, context=0):
    grants = (ToolGrant(server="s", patterns=("*",)),) if tools else ()
    return PlannedStep(step=step, model=model, grants=grants, needs=Needs(context=context))


def context_of(demands, name="a"):
    return demands[HOST, name].settings["context_length"]


class TestContext:
    @pytest.mark.parametrize(
        ("tools", "needed", "wanted"),
        [
            (False, 0, 8192), (False, 4000, 8192), (False, 4097, 12288), (False, 20000, 40960),
            (True, 0, 16384), (True, 9000, 20480), (False, 60000, 65536),
        ],
    )  # fmt: skip
    def test_room_to_grow_within_what_the_model_has(self, step, tools, needed, wanted):
        assert context_of(demands_of([planned(step, choice(), tools=tools, context=needed)])) == wanted

    def test_the_files_own_counts_alone(self, step):
        steps = [planned(step, choice(load={"context_length": 5000}), tools=True, context=20000)]
        assert context_of(demands_of(steps)) == 5000

    def test_the_hungriest_step_decides(self, step):
        steps = [planned(step, choice(), context=n) for n in (100, 20000, 300)]
        assert context_of(demands_of(steps)) == 40960

    def test_of_two_wishes_of_the_file_the_larger(self, step):
        loads = ({"context_length": 4096, "flash_attention": True}, {"context_length": 9000, "flash_attention": False})
        demands = demands_of(planned(step, choice(load=load)) for load in loads)
        assert demands[HOST, "a"].settings == {"context_length": 9000, "flash_attention": True}

    def test_a_wish_beside_none(self, step):
        steps = [planned(step, choice()), planned(step, choice(load={"context_length": 4096}))]
        assert (context_of(demands_of(steps)), demands_of(steps)[HOST, "a"].explicit) == (4096, True)


class TestTogether:
    def test_fallbacks_are_wanted_too(self, step):
        first = choice(fallbacks=(choice("b", entry=entry("b")),))
        assert set(demands_of([planned(step, first)])) == {(HOST, "a"), (HOST, "b")}

    @pytest.mark.parametrize(("ttls", "ttl"), [((60.0, 90.0), 90.0), ((60.0, None), None), ((60.0, 60.0), 60.0)])
    def test_the_longest_time_to_live(self, step, ttls, ttl):
        assert demands_of(planned(step, choice(ttl=one)) for one in ttls)[HOST, "a"].ttl == ttl

    def test_steps_without_a_model(self, step):
        assert demands_of([PlannedStep(step=step)]) == {}

    @pytest.mark.parametrize(
        ("model", "key", "pinned"),
        [("A", "a", False), ("a", "a", False), ("a@q4", "a@q4", False), ("mine", "mine", True), ("a:2", "a:2", True)],
    )
    def test_what_is_loaded_once(self, step, model, key, pinned):
        asked = choice(model, entry=entry("a", Instance(id="mine"), Instance(id="a:2"), variants=("a@q4",)))
        assert key_of(asked) == (HOST, key)
        assert demands_of([planned(step, asked)])[HOST, key].pinned is pinned


class TestGoodEnough:
    def demand(self, **facts):
        return Demand(name="a", endpoint=HOST, entry=entry(), manages=True, loads_on_demand=False, **facts)

    @pytest.mark.parametrize(
        ("facts", "why"),
        [
            ({"context": 9000}, "its context is 8,192 tokens, and 9,000 are needed"),
            ({"context": 8192}, None),
            (
                {"context": 1, "explicit": True, "settings": {"context_length": 9000}},
                "its context is 8,192 tokens, and 9,000 are needed",
            ),
            ({"context": 100, "settings": {"context_length": 16384}}, None),
            ({"settings": {"num_experts": 4}}, "its `num_experts` is 8, and the file asks for 4"),
            ({"settings": {"eval_batch_size": 512}}, None),
        ],
    )
    def test_why_not(self, facts, why):
        assert self.demand(**facts).lacks(Instance(id="a", context_length=8192, config={"num_experts": 8})) == why

    def test_what_a_server_does_not_say_is_not_held_against_it(self):
        assert self.demand(context=9000, settings={"flash_attention": True}).lacks(Instance(id="a")) is None

    def test_a_certain_one_is_taken_as_it_is(self):
        small = Instance(id="a", context_length=1)
        assert self.demand(context=9000).best([small]) is None
        assert self.demand(context=9000, pinned=True).best([small]) is small


class TestSmaller:
    def contexts(self, context, needed, *, explicit=False):
        demand = Demand(
            name="a", endpoint=HOST, entry=entry(), manages=True, loads_on_demand=False,
            context=needed, explicit=explicit, settings={"context_length": context},
        )  # fmt: skip
        while demand is not None:
            yield demand.settings["context_length"]
            demand = smaller(demand)

    @pytest.mark.parametrize(
        ("context", "needed", "tried"),
        [(40960, 0, [40960, 20480, 8192, 4096]), (40960, 9000, [40960, 20480]), (4096, 0, [4096]), (5000, 0, [5000])],
    )
    def test_by_halves_as_long_as_the_steps_can_begin(self, context, needed, tried):
        assert list(self.contexts(context, needed)) == tried

    def test_never_what_the_file_names(self):
        assert list(self.contexts(40960, 0, explicit=True)) == [40960]
