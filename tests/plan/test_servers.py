"""Models on several servers: bindings, fallbacks, the configured default, and one way to load each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from kit.finding_text import shown

from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.chat.endpoint import Embedded, Endpoint
from runner.plan.make import make_plan
from runner.plan.overrides import NO_OVERRIDES, Overrides
from runner.plan.plan import ModelChoice, Plan
from runner.plan.setting import Setting
from runner.words.errors import CannotServeError
from runner.words.spans import Span
from runner.workflow.model import ModelWish, Step, Workflow

MakeStep = Callable[..., Step]
MakeWorkflow = Callable[..., Workflow]
BIG = ModelEntry(key="big", type="llm", loaded=False)
SMALL = ModelEntry(key="small", type="llm", loaded=True)
DESK = EndpointCatalogue(
    endpoint="http://desk:1", name="desk", flavour="lmstudio-v1", models=(BIG, SMALL), manages=True
)
BOX = EndpointCatalogue(endpoint="http://box:1", name="box", flavour="lmstudio-v0", models=(BIG,), loads_on_demand=True)
SETTING = Setting(
    servers=tuple(
        Endpoint(url=f"http://{name}:1", name=name, origin="bridge.toml") for name in ("desk", "box", "gone")
    ),
    names=("desk", "box", "gone", "other"),
)


def wish(alias: str, id: str, **fields: Any) -> ModelWish:
    return ModelWish(id=id, path=("models", alias, "id"), alias=alias, **fields)


def planned(
    workflow: Workflow,
    catalogue: Catalogue | None = None,
    setting: Setting = SETTING,
    overrides: Overrides = NO_OVERRIDES,
    inputs: Mapping[str, Any] | None = None,
) -> Plan:
    return make_plan(workflow, catalogue or Catalogue((DESK, BOX)), overrides, inputs, setting)


def model_of(plan: Plan) -> ModelChoice:
    choice = plan.steps[0].model
    assert choice is not None
    return choice


def where(choice: ModelChoice) -> str:
    return f"{choice.model} at {choice.endpoint}"


def refused(workflow: Workflow, catalogue: Catalogue | None = None, setting: Setting = SETTING) -> str:
    with pytest.raises(CannotServeError) as caught:
        planned(workflow, catalogue, setting)
    return shown(caught.value.diagnostics)


def test_a_choice_knows_how_its_server_may_be_used(step: MakeStep, workflow: MakeWorkflow) -> None:
    aliases = {"m": wish("m", "big", load={"context_length": 9000}, ttl=60.0, endpoint="box")}
    choice = model_of(planned(workflow(step("a", model="m"), models=aliases)))
    assert where(choice) == "big at http://box:1"
    assert (choice.load, choice.ttl, choice.manages, choice.loads_on_demand) == (
        {"context_length": 9000},
        60.0,
        False,
        True,
    )
    free = model_of(planned(workflow(step("a", model="big"))))
    assert (where(free), free.manages, free.loads_on_demand) == ("big at http://desk:1", True, False)


def test_the_servers_of_the_run_stand_in_the_plan(step: MakeStep, workflow: MakeWorkflow) -> None:
    plan = planned(workflow(step("a", model="big")))
    assert plan.servers == SETTING.servers
    assert plan.endpoints == ("http://desk:1", "http://box:1")


def test_loaded_before_downloaded_before_the_order_of_the_servers(step: MakeStep, workflow: MakeWorkflow) -> None:
    loaded = replace(BOX, models=(replace(BIG, loaded=True, instances=(Instance(id="big"),)),))
    assert where(model_of(planned(workflow(step("a", model="big"))))) == "big at http://desk:1"
    warm = Catalogue((DESK, loaded))
    assert where(model_of(planned(workflow(step("a", model="BIG")), warm))) == "big at http://box:1"


def test_an_identifier_of_a_person_goes_before_the_key_it_hides(step: MakeStep, workflow: MakeWorkflow) -> None:
    hidden = ModelEntry(key="big", type="llm", loaded=True, instances=(Instance(id="big:2"),))
    other = ModelEntry(key="other", type="llm", loaded=True, instances=(Instance(id="big"),))
    choice = model_of(planned(workflow(step("a", model="big")), Catalogue((replace(DESK, models=(hidden, other)),))))
    assert (choice.model, choice.entry.key) == ("big", "other")


@pytest.mark.parametrize(
    ("endpoint", "finding"),
    [
        (
            "desck",
            "BR313 3:9-3:14 error: the model `big` is bound to the server `desck`, which is not configured\n"
            "  help: did you mean `desk`?",
        ),
        (
            "zzzzzz",
            "BR313 3:9-3:14 error: the model `big` is bound to the server `zzzzzz`, which is not configured\n"
            "  help: the configured servers are `desk`, `box`, `gone`, `other`",
        ),
        (
            "gone",
            "BR314 3:9-3:14 error: the model `big` is bound to the server `gone`, which cannot be reached at"
            " http://gone:1\n"
            "  help: start it, or take `endpoint: gone` out: then any server that has the model will do",
        ),
        (
            "other",
            "BR314 3:9-3:14 error: the model `big` is bound to the server `other`, which this run does not ask\n"
            "  help: add `--endpoint other`; `--endpoint` and the environment name the servers of this run",
        ),
    ],
)
def test_a_server_that_is_not_there(step: MakeStep, workflow: MakeWorkflow, endpoint: str, finding: str) -> None:
    spans = {("models", "m", "endpoint"): Span(3, 9, 3, 14)}
    file = workflow(step("a", model="m"), models={"m": wish("m", "big", endpoint=endpoint)}, spans=spans)
    assert refused(file) == finding


def test_without_a_configuration_it_is_said_where_to_name_servers(step: MakeStep, workflow: MakeWorkflow) -> None:
    file = workflow(step("a", model="m"), models={"m": wish("m", "big", endpoint="desk")})
    assert refused(file, Catalogue((replace(DESK, name=None),)), Setting()).splitlines()[1:] == [
        "  help: name it in `bridge.toml`: `[endpoints.NAME]`"
    ]


def test_a_bound_model_that_its_server_lacks(step: MakeStep, workflow: MakeWorkflow) -> None:
    file = workflow(step("a", model="m"), models={"m": wish("m", "small", endpoint="box")})
    assert refused(file) == (
        "BR301 10:5-10:9 error: the server `box` has no model named `small`\n"
        "  note -: box has `big`\n"
        "  help: download it (`lms get small`), or name one that is there"
    ).replace("BR301 10:5-10:9", "BR301 -")


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("zzz", "see to gone, download it (`lms get zzz`), or name one that is there"),
        ("smal", "did you mean `small`?"),
    ],
)
def test_a_model_that_may_be_on_a_server_that_was_not_asked(
    step: MakeStep, workflow: MakeWorkflow, name: str, help: str
) -> None:
    assert refused(workflow(step("a", model=name))) == (
        f"BR301 10:5-10:9 error: no server has a model named `{name}`\n"
        "  note -: desk has `small` (loaded), `big`\n"
        "  note -: box has `big`\n"
        "  note -: gone could not be asked\n"
        f"  help: {help}"
    )


def test_a_simulator_stands_in_for_every_server(step: MakeStep, workflow: MakeWorkflow) -> None:
    simulator = Setting(servers=(Endpoint(url="http://sim"),), names=("desk",), simulated=True)
    only = Catalogue((EndpointCatalogue(endpoint="http://sim", flavour="lmstudio-v1", models=(BIG,)),))
    file = workflow(step("a", model="m"), models={"m": wish("m", "big", endpoint="desk")})
    assert where(model_of(planned(file, only, simulator))) == "big at http://sim"


def test_fallbacks_are_the_further_wishes_that_exist_each_as_its_own_alias_says(
    step: MakeStep, workflow: MakeWorkflow
) -> None:
    aliases = {
        "m": wish(
            "m",
            "big",
            fallback=("lost", "spare", "BIG", "small"),
            load={"context_length": 9000},
            ttl=60.0,
            sampling={"seed": 1, "top_k": 1},
            endpoint="box",
        ),
        "spare": wish("spare", "small", load={"context_length": 5000}, sampling={"seed": 2}),
    }
    plan = planned(workflow(step("a", model="m", sampling={"top_k": 3}), models=aliases))
    choice = model_of(plan)
    assert (where(choice), choice.sampling) == ("big at http://box:1", {"seed": 1, "top_k": 3})
    assert [where(one) for one in choice.fallbacks] == ["small at http://desk:1", "big at http://desk:1"]
    spare, unbound = choice.fallbacks
    assert (spare.origin, spare.load, spare.ttl) == ("models.m, models.spare", {"context_length": 5000}, 60.0)
    assert spare.sampling == {"seed": 2, "top_k": 3}
    assert (unbound.load, unbound.sampling, unbound.fallbacks) == ({"context_length": 9000}, choice.sampling, ())
    assert not {one.code for one in plan.findings} & {"BR303", "BR315"}


def test_a_first_wish_that_is_missing_is_a_warning(step: MakeStep, workflow: MakeWorkflow) -> None:
    wishes = {
        "lost": "no server has the first wish `lost`; its fallback `small` is used",
        "away": "the model `big` is bound to the server `gone`, which cannot be reached at http://gone:1;"
        " its fallback `small` is used",
        "lack": "the server `box` lacks the first wish `small`; its fallback `small` is used",
    }
    aliases = {"away": wish("away", "big", endpoint="gone"), "lack": wish("lack", "small", endpoint="box")}
    for name, message in wishes.items():
        plan = planned(workflow(step("a", model=(name, "small")), models=aliases))
        assert where(model_of(plan)) == "small at http://desk:1"
        assert [(one.code, one.level, one.message) for one in plan.findings] == [("BR303", "warning", message)]


def test_when_all_wishes_are_missing_each_is_named(step: MakeStep, workflow: MakeWorkflow) -> None:
    aliases = {"away": wish("away", "big", endpoint="gone")}
    found = refused(workflow(step("a", model=("lost", "away", "sma")), models=aliases))
    assert {line.split(": ", 1)[1] for line in found.splitlines() if line.startswith("BR")} == {
        "no server has a model named `lost`",
        "the model `big` is bound to the server `gone`, which cannot be reached at http://gone:1",
        "no server has a model named `sma`",
    }


def test_the_configured_default_stands_below_the_files(step: MakeStep, workflow: MakeWorkflow) -> None:
    setting = replace(SETTING, default_model="big")
    plain, own = workflow(step("a")), workflow(step("a"), default_model="small")
    assert model_of(planned(plain)).origin == "the one loaded model"
    assert (where(model_of(planned(plain, setting=setting))), model_of(planned(plain, setting=setting)).origin) == (
        "big at http://desk:1",
        "the configured default_model",
    )
    assert model_of(planned(own, setting=setting)).model == "small"
    assert model_of(planned(workflow(step("a", model="default")), setting=setting)).model == "big"
    assert model_of(planned(workflow(step("a"), default_model="default"), setting=setting)).model == "big"
    swapped = planned(plain, setting=setting, overrides=Overrides(default="small"))
    assert model_of(swapped).model == "small"
    alias = workflow(step("a"), models={"big": wish("big", "small")})
    assert model_of(planned(alias, setting=setting)).model == "big"


def test_a_configured_default_that_is_missing_is_an_error(step: MakeStep, workflow: MakeWorkflow) -> None:
    found = refused(workflow(step("a")), setting=replace(SETTING, default_model="lost"))
    assert found.splitlines()[0] == (
        "BR301 10:5-10:9 error: no server has a model named `lost` (asked for by `default_model` of the configuration)"
    )


def test_one_model_is_loaded_in_one_way(step: MakeStep, workflow: MakeWorkflow) -> None:
    aliases = {
        "quick": wish("quick", "big", load={"context_length": 8000, "flash_attention": True}),
        "long": wish("long", "big", load={"context_length": 32000, "flash_attention": False, "num_experts": 2}),
    }
    spans = {("models", "quick", "load"): Span(3, 9, 3, 14), ("models", "long", "load"): Span(4, 9, 4, 14)}
    steps = (
        step("a", model="quick"),
        step("b", model="long", index=1),
        step("c", model="big", index=2),
        step("d", model=("small", "quick"), index=3),
    )
    plan = planned(workflow(*steps, models=aliases, spans=spans))
    agreed = {"context_length": 32000, "flash_attention": True, "num_experts": 2}
    choices = [one.model for one in plan.steps if one.model is not None]
    assert [choice.load for choice in choices] == [agreed, agreed, agreed, {}]
    assert [choice.load for choice in choices[3].fallbacks] == [agreed]
    assert shown(plan.findings) == (
        "BR315 3:9-3:14 warning: `big` is loaded once for all steps, and not as `models.quick` asks: with"
        " context_length 32000\n"
        "  help: give all aliases of one model the same `load`\n"
        "BR315 4:9-4:14 warning: `big` is loaded once for all steps, and not as `models.long` asks: with"
        " flash_attention true\n"
        "  help: give all aliases of one model the same `load`"
    )


def test_the_same_model_of_two_servers_is_two_models(step: MakeStep, workflow: MakeWorkflow) -> None:
    aliases = {
        "here": wish("here", "big", load={"context_length": 8000}, endpoint="desk"),
        "there": wish("there", "big", load={"context_length": 32000}, endpoint="box"),
    }
    plan = planned(workflow(step("a", model="here"), step("b", model="there", index=1), models=aliases))
    assert [one.model.load for one in plan.steps if one.model] == [{"context_length": 8000}, {"context_length": 32000}]
    assert not {one.code for one in plan.findings} & {"BR303", "BR315"}


def test_a_name_and_its_fallback_may_be_made_of_inputs(step: MakeStep, workflow: MakeWorkflow) -> None:
    aliases = {"m": wish("m", "{{ inputs.size }}", fallback=("{{ inputs.spare }}",))}
    plan = planned(workflow(step("a", model="m"), models=aliases), inputs={"size": "big", "spare": "small"})
    assert [where(one) for one in (model_of(plan), *model_of(plan).fallbacks)] == [
        "big at http://desk:1",
        "small at http://desk:1",
    ]


def test_a_server_of_our_own_loads_with_the_context_it_is_configured_with(
    step: MakeStep, workflow: MakeWorkflow
) -> None:
    own = replace(DESK, endpoint="embedded:own", name="own", models=(BIG, SMALL))
    server = Endpoint(url="embedded:own", name="own", embedded=Embedded(context_length=4096))
    aliases = {"m": wish("m", "small", load={"context_length": 8192})}
    steps = (step("a", model="big"), step("b", model="m", index=1))
    plan = planned(workflow(*steps, models=aliases), Catalogue((own,)), Setting(servers=(server,)))
    loads = [one.model.load for one in plan.steps if one.model]
    assert loads == [{"context_length": 4096}, {"context_length": 8192}]


@pytest.mark.parametrize(
    ("takes", "model", "level"),
    [
        (("context_length", "num_experts"), "m", None),
        (("context_length",), "m", "error"),
        (("context_length",), ("small", "m"), "warning"),
    ],
)
def test_a_setting_that_a_server_has_not(
    step: MakeStep,
    workflow: MakeWorkflow,
    takes: tuple[str, ...],
    model: str | tuple[str, ...],
    level: str | None,
) -> None:
    """It would refuse to load the model; one that only stands in may fail."""
    server = Catalogue((replace(DESK, load_settings=takes),))
    flow = workflow(step("a", model=model), models={"m": wish("m", "big", load={"num_experts": 4})})
    if level == "error":
        with pytest.raises(CannotServeError) as caught:
            planned(flow, server)
        findings = caught.value.diagnostics
    else:
        findings = planned(flow, server).findings
    told = [one for one in findings if one.code == "BR325"]
    assert [one.level for one in told] == [level] * (level is not None)
    for one in told:
        assert one.message == "`big` on http://desk:1 cannot be loaded with `num_experts`: it has no such setting"
        assert one.help == "take it out; that server knows `context_length`"


def test_two_servers_hold_two_models_instead_of_one_swapping(step: MakeStep, workflow: MakeWorkflow) -> None:
    other = ModelEntry(key="other", type="llm", loaded=False)
    servers = tuple(
        EndpointCatalogue(
            endpoint=f"http://{name}:1", name=name, flavour="lmstudio-v1", models=(BIG, other), manages=True
        )
        for name in ("desk", "box")
    )
    steps = (step("a", model="big"), step("b", "a", model="other", index=1), step("c", "b", model="big", index=2))
    plan = planned(workflow(*steps), Catalogue(servers))
    assert [where(one.model) for one in plan.steps if one.model] == [
        "big at http://desk:1",
        "other at http://box:1",
        "big at http://desk:1",
    ]
