"""Who uses which model: names are followed as a plan follows them."""

from __future__ import annotations

import pytest

from runner.app.models.uses import model_uses
from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.plan.setting import Setting
from runner.show.models_view import Use

HOME, LAB = "http://127.0.0.1:1234", "http://lab:1234"
BIG = ModelEntry(key="qwen/qwen3-32b", type="llm", variants=("qwen/qwen3-32b@q8_0",), loaded=False)
SMALL = ModelEntry(key="qwen/qwen3-4b", type="llm", instances=(Instance(id="mine"),), loaded=True)
SERVERS = Catalogue(
    (
        EndpointCatalogue(endpoint=HOME, flavour="lmstudio-v1", models=(BIG, SMALL)),
        EndpointCatalogue(endpoint=LAB, flavour="lmstudio-v1", models=(BIG,), name="lab"),
    )
)


@pytest.fixture
def uses(tmp_path, monkeypatch):
    """``uses(step lines, more lines, **setting)``: who uses what, the file being ``workflows/a.yaml``."""
    monkeypatch.chdir(tmp_path)

    def found(steps, head="", **setting):
        folder = tmp_path / "workflows"
        folder.mkdir()
        (folder / "a.yaml").write_text(f"version: 1\nname: a\n{head}steps:\n{steps}")
        return model_uses(SERVERS, Setting(names=("lab", "gone"), **setting))

    return found


def use(*steps, fallback=False):
    return (Use(file="workflows/a.yaml", steps=steps, fallback=fallback),)


@pytest.mark.parametrize(
    ("model", "key"),
    [("QWEN/qwen3-32b", BIG.key), ("qwen/qwen3-32b@Q8_0", BIG.key), ("mine", SMALL.key), ("default", SMALL.key)],
)
def test_every_form_of_a_name_counts_for_its_model(uses, model, key):
    assert uses(f"  - {{id: one, task: Go., model: {model}}}\n").found == {(HOME, key): use("one")}


def test_a_step_without_a_model_uses_the_configured_default(uses):
    found = uses("  - {id: one, task: Go.}\n", default_model=BIG.key)
    assert found.found == {(HOME, BIG.key): use("one")}


def test_an_alias_bound_to_a_server_counts_there_and_nowhere_else(uses):
    """Of one bound to a server that does not answer nobody knows whether it is there."""
    head = f"models:\n  far: {{id: {BIG.key}, endpoint: lab}}\n  lost: {{id: {BIG.key}, endpoint: gone}}\n"
    found = uses("  - {id: one, task: Go., model: far}\n  - {id: two, task: Go., model: lost}\n", head)
    assert found.found == {(LAB, BIG.key): use("one")}
    assert found.missing == {}
    assert found.notes == (
        f"workflows/a.yaml, step `two`: the model `{BIG.key}` is bound to the server `gone`, "
        "which this run does not ask",
    )


def test_fallbacks_count_as_such(uses):
    found = uses(f"  - {{id: one, task: Go., model: [{BIG.key}, {SMALL.key}]}}\n")
    assert found.found == {(HOME, BIG.key): use("one"), (HOME, SMALL.key): use("one", fallback=True)}


def test_steps_that_ask_no_model_use_none(uses):
    assert uses("  - {id: one, run: [echo, hello]}\n").found == {}


def test_without_a_folder_of_workflows_nobody_uses_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = model_uses(SERVERS, Setting())
    assert (found.found, found.missing, found.notes) == ({}, {}, ())
