"""What a schema allows at a place."""

from __future__ import annotations

from runner.workflow.schema import workflow_schema
from runner.workflow.schema_walk import keys_at, words_at


def test_keys_of_mappings_through_references_branches_names_and_items() -> None:
    schema = workflow_schema()
    assert "steps" in keys_at(schema, ())
    assert {"task", "needs", "for_each"} <= set(keys_at(schema, ("steps", 3)))
    assert {"attempts", "wait"} <= set(keys_at(schema, ("steps", 0, "retry")))
    assert {"fallback", "load"} <= set(keys_at(schema, ("models", "coder")))
    assert "command" in keys_at(schema, ("mcp_servers", "git"))


def test_a_place_that_the_schema_knows_nothing_about_has_no_keys() -> None:
    assert keys_at(workflow_schema(), ("steps", 0, "arguments", "deep", 1)) == ()
    assert keys_at(workflow_schema(), ("nothing", "here")) == ()


def test_words_of_a_choice() -> None:
    assert words_at(workflow_schema(), ("steps", 0, "join")) == (
        "all_succeeded",
        "none_failed",
        "any_succeeded",
        "all_finished",
    )
    assert words_at(workflow_schema(), ("version",)) == ()
