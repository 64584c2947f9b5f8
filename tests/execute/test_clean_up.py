"""Stopping a run, and the steps that clean up whatever happened, in a bounded time."""

from __future__ import annotations

import asyncio

from kit.world import PaintedBackend

from runner.execute.scheduler import CLEAN_UP_SECONDS
from runner.record.events import StepFinished

HEAD = "version: 1\nname: clean\n"


def stopping(after):
    """Stops the run so many seconds after it began."""

    def on_scheduler(scheduler):
        asyncio.get_running_loop().call_later(after, scheduler.stop, "the run was interrupted")

    return on_scheduler


def slowly(seconds):
    async def say(request):
        await asyncio.sleep(seconds)
        return request.messages[-1].content

    return say


def ends(ran):
    return {event.step: (event.status, event.reason) for event in ran.events(StepFinished) if event.item is None}


def test_it_runs_after_a_failure_and_after_a_skip(bench):
    ran = bench().run(
        f"{HEAD}steps:\n  - {{id: a, run: ['false']}}\n  - {{id: b, needs: [a], run: ['true']}}\n"
        "  - {id: clean, needs: [b], join: all_finished, run: [echo, '{{ steps.a.status }} {{ steps.b.status }}']}\n"
    )
    assert ran.finished["clean"].output == "failed skipped"


def test_a_run_that_is_stopped_ends_its_steps_and_cleans_up(timeless):
    text = f"""{HEAD}
steps:
  - {{id: done, task: now}}
  - {{id: slow, needs: [done], task: slow}}
  - {{id: later, needs: [slow], task: later}}
  - {{id: clean, needs: [slow], join: all_finished, task: "cleaned after {{{{ steps.slow.status }}}}"}}
  - {{id: report, needs: [clean], task: report}}
  - {{id: last, needs: [clean, later], join: all_finished, task: last}}
"""
    ran = timeless(backend=PaintedBackend(slowly(10)), on_scheduler=stopping(15)).run(text)
    why = "the run was interrupted"
    assert ends(ran) == {
        "done": ("succeeded", None),
        "slow": ("cancelled", why),
        "later": ("cancelled", why),
        "clean": ("succeeded", None),
        "report": ("cancelled", why),
        "last": ("succeeded", None),
    }
    assert ran.finished["clean"].output == "cleaned after cancelled"


def test_it_has_so_long_and_no_longer(timeless):
    text = (
        f"{HEAD}steps:\n  - {{id: slow, task: slow}}\n"
        "  - {id: clean, needs: [slow], join: all_finished, task: clean}\n"
    )
    ran = timeless(backend=PaintedBackend(slowly(1000)), on_scheduler=stopping(5)).run(text)
    assert ends(ran) == {
        "slow": ("cancelled", "the run was interrupted"),
        "clean": ("cancelled", "the clean-up was not over after 30s"),
    }
    assert ran.finished["clean"].seconds == CLEAN_UP_SECONDS


def test_a_clean_up_that_is_at_work_goes_on(timeless):
    text = f"{HEAD}steps:\n  - {{id: clean, join: all_finished, task: clean}}\n  - {{id: slow, task: slow}}\n"
    ran = timeless(backend=PaintedBackend(slowly(20)), on_scheduler=stopping(5)).run(text)
    assert ends(ran) == {"clean": ("succeeded", None), "slow": ("cancelled", "the run was interrupted")}


def test_items_are_stopped_and_an_item_that_never_began_says_so(timeless):
    text = f"{HEAD}limits: {{parallel: 2}}\nsteps:\n  - {{id: s, for_each: [a, b, c, d], task: '{{{{ item }}}}'}}\n"
    ran = timeless(backend=PaintedBackend(slowly(10)), on_scheduler=stopping(15)).run(text)
    assert [(e.item, e.status) for e in ran.events(StepFinished, "s")] == [
        (0, "succeeded"), (1, "succeeded"), (2, "cancelled"), (3, "cancelled"), (None, "cancelled"),
    ]  # fmt: skip


def test_called_files_clean_up_too(tmp_path, timeless):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "callee.yaml").write_text(
        "version: 1\nname: callee\nsteps:\n  - {id: slow, task: slow}\n"
        "  - {id: clean, needs: [slow], join: all_finished, task: clean}\n"
    )
    text = f"{HEAD}steps:\n  - {{id: call, workflow: callee.yaml}}\n"
    ran = timeless(backend=PaintedBackend(slowly(10)), on_scheduler=stopping(5)).run(text)
    assert ends(ran) == {
        "call/slow": ("cancelled", "the run was interrupted"),
        "call/clean": ("succeeded", None),
        "call": ("cancelled", "the run was interrupted"),
    }


def test_a_whole_file_may_clean_up(tmp_path, timeless):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "callee.yaml").write_text(
        "version: 1\nname: callee\nsteps:\n  - {id: a, for_each: [1, 2], task: '{{ item }}'}\n"
        "  - {id: b, needs: [a], task: long}\n"
    )
    text = (
        f"{HEAD}steps:\n  - {{id: slow, task: slow}}\n"
        "  - {id: clean, needs: [slow], join: all_finished, workflow: callee.yaml}\n"
    )
    ran = timeless(backend=PaintedBackend(slowly(20)), on_scheduler=stopping(5)).run(text)
    assert {(e.step, e.item): e.status for e in ran.events(StepFinished)} == {
        ("slow", None): "cancelled",
        ("clean/a", 0): "succeeded", ("clean/a", 1): "succeeded", ("clean/a", None): "succeeded",
        ("clean/b", None): "cancelled",
        ("clean", None): "cancelled",
    }  # fmt: skip
    assert ran.finished["clean"].reason == "the clean-up was not over after 30s"


def test_fail_fast_stops_what_is_at_work_and_still_cleans_up(timeless):
    async def say(request):
        if request.messages[-1].content == "bad":
            await asyncio.sleep(1)
            raise ValueError("no")
        await asyncio.sleep(10)
        return "done"

    text = f"""{HEAD}limits: {{fail_fast: true}}
steps:
  - {{id: bad, task: bad}}
  - {{id: slow, task: slow}}
  - {{id: clean, needs: [slow], join: all_finished, task: clean}}
"""
    ran = timeless(backend=PaintedBackend(say)).run(text)
    assert {step: end[0] for step, end in ends(ran).items()} == {
        "bad": "failed", "slow": "cancelled", "clean": "succeeded",
    }  # fmt: skip
