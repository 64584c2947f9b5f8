"""What was expected of a run, held against its result."""

from __future__ import annotations

from typing import Any

from runner.app.cases.judge import misses


def step(*warnings: str, **more: Any) -> dict[str, Any]:
    return {"warnings": list(warnings), **more}


def test_a_warning_is_found_wherever_in_the_run_it_was_given() -> None:
    inner = step("of a called step")
    items = [step("of an item"), step(steps={"draft": inner})]
    result = {"warnings": ["of the run"], "steps": {"fix": step("of a step", items=items), "call": step(steps=None)}}
    expected = ["of the run", "of a step", "of an item", "a called"]
    assert misses({"warnings": expected}, ("expect",), result, ()) == ()
    (miss,) = misses({"warnings": ["of nobody"]}, ("expect",), result, ())
    assert miss.got == '["of the run", "of a step", "of an item", "of a called step"]'
