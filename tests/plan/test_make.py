"""From a workflow and what the servers have to a plan, or to everything that is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.chat.catalogue import Catalogue, ModelEntry
from runner.plan.make import make_plan, needs_models
from runner.plan.overrides import Overrides
from runner.plan.plan import Plan
from runner.words.diagnostics import Diagnostic
from runner.words.errors import CannotServeError, ModelNotFoundError
from runner.words.spans import Span
from runner.workflow.model import Input, ModelWish, RunWork, Server, Step, Workflow

MakeStep = Callable[..., Step]
MakeWorkflow = Callable[..., Workflow]
MakeCatalogue = Callable[..., Catalogue]
CODER = ModelEntry(key="qwen/coder", type="llm", loaded=False, tool_use=True)
THINKER = ModelEntry(key="mistral/thinker", type="llm", loaded=True, tool_use=False)
EMBED = ModelEntry(key="nomic-embed", type="embedding", loaded=True)


def words(findings: tuple[Diagnostic, ...]) -> list[str]:
    """Each finding in a line a person could check: code, place, message, help, notes."""
    return [
        f"{one.level} {one.code} {one.span[:2] if one.span else None} {one.message}"
        + (f" | {one.help}" if one.help else "")
        + "".join(f" | {note.message}" for note in one.notes)
        for one in findings
    ]


def missing(workflow: Workflow, catalogue: Catalogue, *args: object) -> list[str]:
    with pytest.raises(CannotServeError) as caught:
        make_plan(workflow, catalogue, *args)  # type: ignore[arg-type]
    return words(caught.value.diagnostics)


def choices(plan: Plan) -> list[str]:
    return [
        f"{one.step.id}: {one.model.model} at {one.model.endpoint} by {one.model.origin}" if one.model else one.step.id
        for one in plan.steps
    ]


def test_where_a_model_comes_from(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    file = workflow(
        step("own", model="mistral/thinker"),
        step("alias", model="coder", index=1),
        step("plain", index=2),
        step("said", model="default", index=3),
        models={"coder": ModelWish(id="qwen/coder", path=("models", "coder"), alias="coder")},
        default_model="coder",
    )
    have = catalogue([THINKER], [CODER])
    assert choices(make_plan(file, have)) == [
        "own: mistral/thinker at http://one by step",
        "alias: qwen/coder at http://two by models.coder",
        "plain: qwen/coder at http://two by defaults.model, models.coder",
        "said: qwen/coder at http://two by defaults.model, models.coder",
    ]
    plan = make_plan(file, have, Overrides(default="qwen/coder", aliases={"coder": "mistral/thinker"}))
    assert choices(plan) == [
        "own: mistral/thinker at http://one by step",
        "alias: mistral/thinker at http://one by --model coder=mistral/thinker",
        "plain: qwen/coder at http://two by --model qwen/coder",
        "said: qwen/coder at http://two by --model qwen/coder",
    ]


def test_the_one_loaded_model_answers_where_none_is_named(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    plan = make_plan(workflow(step("a")), catalogue([CODER, THINKER, EMBED]))
    assert choices(plan) == ["a: mistral/thinker at http://one by the one loaded model"]


def test_none_or_several_loaded_models_are_no_choice(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    other = ModelEntry(key="other", type="llm", loaded=True)
    assert missing(workflow(step("a")), catalogue([THINKER, other])) == [
        "error BR302 (10, 5) no model is named for step `a`, and 2 are loaded: `mistral/thinker`, `other`"
        " | name one of them: `--model mistral/thinker` for once, or `defaults: {model: mistral/thinker}` in the file"
    ]
    assert missing(workflow(step("a")), catalogue([CODER, EMBED])) == [
        "error BR302 (10, 5) no model is named for step `a`, and none is loaded"
        " | name one: `--model ID` for this run, `defaults: {model: ID}` in the file, or load one: `lms load ID`"
        " | http://one has `qwen/coder`"
    ]


def test_all_missing_models_at_once_at_their_lines(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    file = workflow(
        step("a", model="coder"),
        step("b", model="coder", index=1),
        step("c", model="zzz", index=2),
        step("d", model="nomic-embed", index=3),
        models={"coder": ModelWish(id="coder", path=("models", "coder"), alias="coder")},
        spans={("models", "coder"): Span(3, 10, 3, 15), ("steps", 2, "model"): Span(20, 12, 20, 15)},
    )
    have = catalogue([THINKER, CODER, EMBED])
    notes = " | http://one has `mistral/thinker` (loaded), `qwen/coder`"
    assert missing(file, have) == [
        "error BR301 (3, 10) no server has a model named `coder` | did you mean `qwen/coder`?" + notes,
        "error BR304 (13, 5) `nomic-embed` makes embeddings; it cannot answer a prompt"
        " | name a model that answers prompts" + notes,
        "error BR301 (20, 12) no server has a model named `zzz`"
        " | download it (`lms get zzz`), or name one that is there" + notes,
    ]
    with pytest.raises(CannotServeError) as caught:
        make_plan(file, have)
    cause = caught.value.__cause__
    assert isinstance(cause, ModelNotFoundError)
    assert (cause.model_name, cause.available_models, cause.nearest) == (
        "coder",
        ("mistral/thinker", "qwen/coder", "nomic-embed"),
        ("qwen/coder",),
    )


def test_a_swap_that_is_missing_is_said_to_come_from_the_command_line(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    found = missing(workflow(step("a")), catalogue([CODER]), Overrides(default="coder"))
    assert found[0].startswith(
        "error BR301 (10, 5) no server has a model named `coder` (asked for by `--model coder`) | did you mean"
    )


def test_a_fallback_is_taken_with_a_warning(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    wish = ModelWish(id="gone", path=("models", "m"), alias="m", fallback=("qwen/coder",))
    plan = make_plan(workflow(step("a", model="m"), models={"m": wish}), catalogue([CODER]))
    assert choices(plan) == ["a: qwen/coder at http://one by models.m"]
    assert words(plan.findings) == [
        "warning BR303 None no server has the first wish `gone`; its fallback `qwen/coder` is used"
    ]


def test_tools_with_a_model_that_was_not_trained_for_them_are_a_warning(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    servers = {"files": Server(name="files", path=("mcp_servers", "files"), builtin="files")}
    file = workflow(
        step("a", model="mistral/thinker", servers=("files",)),
        step("b", model="qwen/coder", servers=("files",), index=1),
        servers=servers,
    )
    assert words(make_plan(file, catalogue([THINKER, CODER])).findings) == [
        "warning BR305 (10, 5) step `a` uses tools, and its model `mistral/thinker` was not trained for them"
        " | it may still work; a model with tool use will do better"
    ]


def test_a_name_may_be_made_of_inputs(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    file = workflow(
        step("a", model="{{ inputs.size }}/coder"),
        inputs={"size": Input(name="size", schema={"type": "string"}, required=True)},
    )
    assert choices(make_plan(file, catalogue([CODER]), Overrides(), {"size": "qwen"})) == [
        "a: qwen/coder at http://one by step"
    ]
    open_plan = make_plan(file, catalogue([CODER]))
    assert (open_plan.steps[0].model, open_plan.steps[0].wanted_model) == (None, "{{ inputs.size }}/coder")


def test_sampling_of_step_over_alias_over_defaults(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    wish = ModelWish(id="qwen/coder", path=("models", "m"), sampling={"seed": 2, "top_p": 2})
    file = workflow(
        step("a", model="m", sampling={"seed": 3}),
        models={"m": wish},
        default_sampling={"seed": 1, "top_p": 1, "top_k": 1},
    )
    choice = make_plan(file, catalogue([CODER])).steps[0].model
    assert choice is not None
    assert choice.sampling == {"seed": 3, "top_p": 2, "top_k": 1}


def test_aliases_that_name_each_other_end(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    models = {
        "a": ModelWish(id="b", path=("models", "a")),
        "b": ModelWish(id="a", path=("models", "b")),
        "d": ModelWish(id="default", path=("models", "d")),
    }
    file = workflow(step("x", model="a"), models=models, spans={("models", "b"): Span(4, 6, 4, 7)})
    assert missing(file, catalogue([CODER]))[0].startswith("error BR301 (4, 6) no server has a model named `a`")
    defaulted = workflow(step("x", model="d"), models=models, default_model="d")
    assert choices(make_plan(defaulted, catalogue([THINKER]))) == [
        "x: mistral/thinker at http://one by the one loaded model"
    ]


def test_offline_and_without_models_nobody_is_asked(step: MakeStep, workflow: MakeWorkflow) -> None:
    plan = make_plan(workflow(step("a", model="whatever")), None)
    assert (plan.offline, plan.steps[0].model, plan.steps[0].wanted_model) == (True, None, "whatever")
    run = workflow(Step(id="r", path=("steps", 0), work=RunWork(argv=("true",))))
    assert not needs_models(run)
    assert make_plan(run, Catalogue()).steps[0].model is None


def test_a_name_that_cannot_be_made_although_all_inputs_are_given(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    file = workflow(
        step("a", model="{{ inputs.models.big }}"),
        inputs={"models": Input(name="models", schema={"type": "object"}, required=True)},
    )
    (found,) = missing(file, catalogue([CODER]), Overrides(), {"models": {}})
    assert found.startswith("error BR301 (10, 5) the model's name `{{ inputs.models.big }}` cannot be made: ")
    assert found.endswith(" | a model's name may read `inputs`, nothing else")


def test_the_first_of_a_list_that_is_there(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    file = workflow(step("a", model=("gone", "qwen/coder")), step("b", model=("gone", "lost"), index=1))
    with pytest.raises(CannotServeError) as caught:
        make_plan(file, catalogue([CODER]))
    assert [(one.level, one.code, one.message) for one in caught.value.diagnostics] == [
        ("warning", "BR303", "no server has the first wish `gone`; its fallback `qwen/coder` is used"),
        ("error", "BR301", "no server has a model named `gone`"),
        ("error", "BR301", "no server has a model named `lost`"),
    ]


def test_servers_without_a_model_that_answers_prompts(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    (found,) = missing(workflow(step("a", model="x")), catalogue([EMBED]))
    assert found.endswith(" | http://one has no models that answer prompts")


@pytest.mark.parametrize("default", ["default", "m"])
def test_a_default_that_is_the_default_is_the_one_loaded_model(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue, default: str
) -> None:
    """``default`` asks for ``defaults.model``; where that asks for ``default`` again, also by an alias, it ends."""
    models = {"m": ModelWish(alias="m", path=("models", "m"), id="default")}
    file = workflow(step("a", model="default"), default_model=default, models=models)
    (choice,) = [one.model for one in make_plan(file, catalogue([CODER, THINKER])).steps]
    assert choice is not None
    assert choice.model == "mistral/thinker"
    assert choice.origin.endswith("the one loaded model")


def test_of_several_wishes_that_are_missing_only_the_first_is_told(
    step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue
) -> None:
    plan = make_plan(workflow(step("a", model=("gone", "lost", "qwen/coder"))), catalogue([CODER]))
    assert [one.message for one in plan.findings] == [
        "no server has the first wish `gone`; its fallback `qwen/coder` is used"
    ]


def test_what_is_loaded_is_listed_first(step: MakeStep, workflow: MakeWorkflow, catalogue: MakeCatalogue) -> None:
    (found,) = missing(workflow(step("a", model="zzz")), catalogue([CODER, THINKER, EMBED]))
    assert found.endswith(" | http://one has `mistral/thinker` (loaded), `qwen/coder`")
