"""The order of the work: a model is loaded once for all that it answers, and the plan says so before."""

from __future__ import annotations

import json

import pytest
from kit.project import Project
from kit.shapes import assert_shapes
from kit.stage import CHAT, CODER, LOAD, THINKER, Served, Stage, endpoint, model
from syrupy.assertion import SnapshotAssertion

CHAPTER = f"""version: 1
name: chapter
inputs: {{number: {{type: integer}}}}
steps:
  - {{id: draft, model: {CODER}, task: "Draft {{{{ inputs.number }}}}."}}
  - {{id: review, model: {THINKER}, task: "Review {{{{ steps.draft.output }}}}."}}
outputs: {{text: "{{{{ steps.review.output }}}}"}}
"""
BOOK = """version: 1
name: book
steps:
  - id: chapter
    for_each: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    workflow: chapter.yaml
    with: {number: "{{ item }}"}
outputs: {texts: "{{ steps.chapter.output | map(attribute='text') | list }}"}
"""
ITEM_BY_ITEM = BOOK.replace("    for_each", "    order: items\n    for_each")
WRITTEN_OUT = "version: 1\nname: book\nsteps:\n" + "".join(
    f"  - {{id: d{n}, model: {CODER}, task: Draft {n}.}}\n"
    f"  - {{id: r{n}, model: {THINKER}, task: 'Review {{{{ steps.d{n}.output }}}}.'}}\n"
    for n in range(10)
)
STAGES = f"""version: 1
name: book
steps:
  - {{id: draft, for_each: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], model: {CODER}, task: "Draft {{{{ item }}}}."}}
  - {{id: review, for_each: steps.draft.output, model: {THINKER}, task: "Review {{{{ item }}}}."}}
outputs: {{texts: "{{{{ steps.review.output }}}}"}}
"""
CHAIN = "version: 1\nname: chain\nsteps:\n" + "".join(
    f"  - {{id: s{n}, needs: [{f's{n - 1}' if n else ''}], model: {(CODER, THINKER)[n % 2]}, task: Go.}}\n"
    for n in range(4)
)
TEXTS = [f"fine draft {n}" for n in range(10)]


def serve(stage: Stage, **settings: str) -> Served:
    drafts = [{"when": {"user": r"Draft (\d+)"}, "say": "draft {{ match[1] }}"}, {"say": "Gone."}]
    reviews = [{"when": {"user": r"Review (.*)\."}, "say": "fine {{ match[1] }}"}, {"say": "Gone."}]
    models = {
        CODER: model(turns=drafts, load_time="200ms"),
        THINKER: model(turns=reviews, load_time="200ms"),
    }
    return stage.serve(models, **settings)


@pytest.fixture
def small(stage: Stage) -> Served:
    """A server that has room for one of the two models."""
    return serve(stage, memory="30GB")


def loads(server: Served) -> list[str]:
    return [request["model"] for request in server.requests(LOAD)]


def counted(project: Project) -> dict[str, int]:
    """How often each model was loaded, as ``result.json`` has it."""
    totals: dict[str, int] = {}
    for one in project.result()["models"]:
        totals[one["model"]] = totals.get(one["model"], 0) + one["loads"]
    return totals


def schedule_of(project: Project, *options: str) -> str:
    """The last section of the plan."""
    ended = project.run("book.yaml", "--dry-run", *options)
    assert ended.code == 0, ended
    return ended.out[ended.out.index("Schedule\n") :]


def forecast_of(project: Project, name: str = "book.yaml") -> dict[str, object]:
    told: dict[str, object] = json.loads(project.run(name, "--dry-run", "--format", "json").raw_out)["forecast"]
    return told


def write(project: Project, text: str) -> None:
    project.write("chapter.yaml", CHAPTER)
    project.write("book.yaml", text)


@pytest.mark.parametrize("text", [BOOK, STAGES], ids=["called for each", "two fan-outs"])
def test_ten_items_through_two_models_of_which_one_fits(project: Project, small: Served, text: str) -> None:
    write(project, text)
    ended = project.run("book.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert loads(small) == [CODER, THINKER]
    assert counted(project) == {CODER: 1, THINKER: 1}
    assert json.loads(ended.raw_out)["outputs"] == {"texts": TEXTS}
    assert [request["model"] for request in small.requests(CHAT)] == [CODER] * 10 + [THINKER] * 10
    assert small.loaded() == {}
    assert_shapes(project)


def test_twenty_steps_written_out_in_the_worst_order(
    project: Project, small: Served, snapshot: SnapshotAssertion
) -> None:
    write(project, WRITTEN_OUT)
    ended = project.run("book.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert loads(small) == [CODER, THINKER]
    result = json.loads(ended.raw_out)
    assert list(result["steps"]) == [f"{kind}{n}" for n in range(10) for kind in "dr"]
    assert list(result["outputs"].values()) == TEXTS
    assert schedule_of(project).splitlines()[1] == snapshot


def test_items_that_must_pass_through_one_by_one(project: Project, small: Served, snapshot: SnapshotAssertion) -> None:
    """What `order: items` costs, and the result is the same."""
    write(project, ITEM_BY_ITEM)
    ended = project.run("book.yaml", "--output", "json")
    assert json.loads(ended.raw_out)["outputs"] == {"texts": TEXTS}
    assert loads(small) == [CODER, THINKER] * 10
    assert counted(project) == {CODER: 10, THINKER: 10}
    assert [request["model"] for request in small.requests(CHAT)] == [CODER, THINKER] * 10
    assert schedule_of(project).splitlines()[1] == snapshot


def test_both_fit(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    server = serve(stage)
    stage.configure(f'[endpoints.rack]\nurl = "{server.url}"\nmax_loaded = 2')
    write(project, BOOK)
    assert schedule_of(project).splitlines()[1] == snapshot
    assert project.run("book.yaml").code == 0
    assert sorted(loads(server)) == [THINKER, CODER]
    unloaded = [entry["seq"] for entry in project.journal() if entry["type"] == "model_unloaded"]
    assert min(unloaded) > max(entry["seq"] for entry in project.journal() if entry["type"] == "step_finished")


def test_two_servers_that_have_both_take_one_each(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    desk, rack = serve(stage, memory="30GB"), serve(stage, memory="30GB")
    stage.configure(endpoint("desk", desk.url), endpoint("rack", rack.url))
    write(project, BOOK)
    assert schedule_of(project).splitlines()[1] == snapshot
    ended = project.run("book.yaml", "--output", "json")
    assert json.loads(ended.raw_out)["outputs"] == {"texts": TEXTS}
    assert sorted([loads(desk), loads(rack)]) == [[THINKER], [CODER]]
    assert counted(project) == {CODER: 1, THINKER: 1}


def test_the_plan_tells_what_it_saves_and_what_it_reckoned_with(
    project: Project, small: Served, snapshot: SnapshotAssertion
) -> None:
    """Before the first run by the sizes of the models, afterwards by what was measured."""
    write(project, BOOK)
    before = schedule_of(project)
    assert before == snapshot
    assert "by its size" in before
    assert forecast_of(project)["loads"] == 2
    assert project.run("book.yaml").code == 0
    after = schedule_of(project)
    assert "by its size" not in after
    assert " ".join(after.split()).count("to load, measured") == 2


def test_what_was_measured_is_remembered_elsewhere_only_with_its_cache(project: Project, small: Served) -> None:
    write(project, BOOK)
    assert project.run("book.yaml").code == 0
    assert "measured" in schedule_of(project)
    project.environment["XDG_CACHE_HOME"] = f"{project.folder}.other"
    assert "measured" not in schedule_of(project)


def test_a_chain_is_told_that_no_order_helps(project: Project, small: Served, snapshot: SnapshotAssertion) -> None:
    write(project, CHAIN)
    assert schedule_of(project) == snapshot
    assert project.run("book.yaml").code == 0
    assert loads(small) == [CODER, THINKER, CODER, THINKER]


def test_a_rehearsal_measures_nothing(project: Project) -> None:
    write(project, BOOK)
    project.write("sim.yaml", {"models": {CODER: model(), THINKER: model()}})
    assert project.run("book.yaml", "--simulate", "sim.yaml").code == 0
    assert "measured" not in schedule_of(project, "--simulate", "sim.yaml")
