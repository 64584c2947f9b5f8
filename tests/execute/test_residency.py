"""What is in the memory of a server: loaded once, shared, never pushed out while it is used. In virtual time."""

from __future__ import annotations

import asyncio
import random

import anyio
import pytest
from kit.painted_server import GIB, PaintedModel, PaintedServer
from kit.virtual_time import LoopClock, run_virtually

from runner.chat.endpoint import Endpoint
from runner.execute.demand import Demand
from runner.execute.loading import Loading
from runner.execute.residency import Residency
from runner.plan.setting import Setting
from runner.record.events import (
    CircuitChanged,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    StepRetried,
)
from runner.record.journal import Journal
from runner.words.errors import LLMConnectionError, LLMResponseError, LLMTimeoutError

HEAD = "version: 1\nname: flow\n"
LARGE = "models: {m: {id: a, load: {context_length: 32768}}}\n"
"""A context that bounds nobody."""
LOADS = ("load", "loaded", "refuse", "unload")


def flow(*steps, head="", tail=""):
    """A file with steps that are written as ``id: model`` or with more keys after it."""
    lines = [f"{HEAD}{head}limits: {{parallel: 64}}\nsteps:\n"]
    for step in steps:
        name, model, *more = [part.strip() for part in step.split("|")]
        lines.append(f"  - id: {name}\n    task: Go {name}.\n    model: {model}\n")
        lines += [f"    {line}\n" for line in more]
    return "".join(lines) + tail


def chains(number, *models):
    """So many chains of a step for each model."""
    for chain in range(number):
        for place, model in enumerate(models):
            yield f"c{chain}_{place} | {model}" + (f" | needs: [c{chain}_{place - 1}]" if place else "")


def slowly(seconds):
    """A model that takes so long for each answer."""

    async def say(request):
        await asyncio.sleep(seconds)
        return "done"

    return say


def bounded(**bounds):
    return Setting(servers=(Endpoint(url="http://painted", **bounds),))


def statuses(ran):
    return {end.status for end in ran.finished.values()}


def error(ran, step="a"):
    return ran.finished[step].error


class TestOneLoad:
    def test_many_steps_on_a_cold_model_load_it_once_and_unload_it_at_the_end(self, timeless):
        server = PaintedServer({"a": PaintedModel()}, slowly(5))
        ran = timeless(backend=server).run(flow(*(f"s{n} | a" for n in range(8))))
        assert statuses(ran) == {"succeeded"}
        assert server.did("load", "loaded", "unload") == ["load a", "loaded a", "unload a"]
        assert [(e.model, dict(e.settings)) for e in ran.events(ModelLoadStarted)] == [("a", {"context_length": 8192})]
        assert [(e.instance, e.seconds, e.context_length, e.reused, e.note) for e in ran.events(ModelLoaded)] == [
            ("a", 10.0, 8192, False, None)
        ]
        assert [(e.instance, e.reason) for e in ran.events(ModelUnloaded)] == [("a", "the run is over")]
        assert server.harm == []

    def test_it_is_kept_if_that_is_wanted(self, timeless):
        server = PaintedServer({"a": PaintedModel()})
        ran = timeless(backend=server, keep_loaded=True).run(flow("s | a"))
        assert (list(server.there), ran.events(ModelUnloaded)) == (["a"], [])

    def test_no_more_requests_at_once_than_it_answers(self, timeless):
        server = PaintedServer({"a": PaintedModel()}, slowly(5), parallel=3)
        timeless(backend=server).run(flow(*(f"s{n} | a" for n in range(9))))
        assert server.most_busy["a"] == 3

    def test_one_at_a_time_for_mlx(self, timeless):
        server = PaintedServer({"a": PaintedModel(format="mlx")}, slowly(5))
        timeless(backend=server).run(flow(*(f"s{n} | a" for n in range(4))))
        assert server.most_busy["a"] == 1

    def test_the_configuration_bounds_it_further(self, timeless):
        server = PaintedServer({"a": PaintedModel()}, slowly(5))
        timeless(backend=server, setting=bounded(parallel=2)).run(flow(*(f"s{n} | a" for n in range(6))))
        assert server.most_busy["a"] == 2

    def test_the_settings_of_the_file_go_with_the_load(self, timeless):
        head = "models: {m: {id: a, load: {context_length: 20000, flash_attention: true}}}\n"
        server = PaintedServer({"a": PaintedModel()})
        ran = timeless(backend=server).run(flow("s | m", head=head))
        [started] = ran.events(ModelLoadStarted)
        assert dict(started.settings) == {"context_length": 20000, "flash_attention": True}

    def test_a_context_is_no_larger_than_the_model_has(self, timeless):
        server = PaintedServer({"a": PaintedModel(context=2048)})
        ran = timeless(backend=server).run(flow("s | a"))
        assert ran.events(ModelLoadStarted)[0].settings == {"context_length": 2048}

    def test_two_servers_work_at_once(self, timeless):
        one = PaintedServer({"a": PaintedModel()}, slowly(5), endpoint="http://one")
        two = PaintedServer({"b": PaintedModel()}, slowly(5), endpoint="http://two")
        ran = timeless(backends=(one, two)).run(flow("s | a", "t | b"))
        assert statuses(ran) == {"succeeded"}
        assert [[(when, *what) for when, *what in server.log if what[0] == "answered"] for server in (one, two)] == [
            [(1015.0, "answered", "a")],
            [(1015.0, "answered", "b")],
        ]


class TestTakingTurns:
    def test_chains_over_two_models_on_a_server_that_fits_one(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, slowly(3), memory=5 * GIB)
        ran = timeless(backend=server).run(flow(*chains(10, "a", "b")))
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert server.did(*LOADS) == [
            "load a", "loaded a", "unload a", "load b", "loaded b", "unload b",
        ]  # fmt: skip
        assert [e.reason for e in ran.events(ModelUnloaded)] == ["`b` needs its place", "the run is over"]

    @pytest.mark.parametrize("ask", [1.0, 40.0])
    def test_whatever_the_order_nobody_is_disturbed(self, timeless, ask):
        server = PaintedServer({name: PaintedModel() for name in "abc"}, slowly(ask), memory=5 * GIB)
        ran = timeless(backend=server).run(flow(*chains(3, "a", "b", "c", "a"), *chains_named("d", 3, "c", "a")))
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert "duplicate" not in {what for _, what, _ in server.log}

    def test_as_many_stay_as_the_configuration_allows(self, timeless):
        server = PaintedServer({name: PaintedModel() for name in "abc"}, slowly(3))
        text = flow("s | a", "t | b | needs: [s]", "u | a | needs: [t]", "v | c | needs: [u]")
        ran = timeless(by_agenda=False, backend=server, setting=bounded(max_loaded=2)).run(text)
        assert server.did(*LOADS)[:6] == ["load a", "loaded a", "load b", "loaded b", "unload b", "load c"]
        assert statuses(ran) == {"succeeded"}

    def test_two_that_both_may_be_there_are_loaded_at_once(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, slowly(3))
        timeless(backend=server, setting=bounded(max_loaded=2)).run(flow("s | a", "t | b"))
        assert [when for when, what, _ in server.log if what == "loaded"] == [1010.0, 1010.0]

    def test_memory_bounds_what_is_there_together(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel(), "c": PaintedModel(size=GIB)}, slowly(3))
        text = flow("s | a", "u | c | needs: [s]", "t | b | needs: [u]")
        ran = timeless(by_agenda=False, backend=server, setting=bounded(memory=6 * GIB)).run(text)
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == [
            "load a", "loaded a", "load c", "loaded c", "unload a", "load b", "loaded b", "unload c", "unload b",
        ]  # fmt: skip

    def test_loads_under_way_count_for_memory_too(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, slowly(3))
        ran = timeless(backend=server, setting=bounded(memory=6 * GIB)).run(flow("s | a", "t | b"))
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS)[:4] == ["load a", "loaded a", "unload a", "load b"]
        assert {e.settings["context_length"] for e in ran.events(ModelLoadStarted)} == {8192}

    def test_nobody_new_joins_when_another_has_waited_for_long(self, timeless):
        """One chain keeps ``a`` busy without a gap; ``b`` waits for five minutes and then has its turn."""
        busy = [f"x{n} | a" + (f" | needs: [x{n - 2}]" if n > 1 else "") for n in range(20)]
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, staggered(60))
        ran = timeless(by_agenda=False, backend=server).run(flow(*busy, "t | b | timeout: 100s"))
        assert statuses(ran) == {"succeeded"}
        loads = [(when, name) for when, what, name in server.log if what == "load"]
        assert loads == [(1000.0, "a"), (1331.0, "b"), (1401.0, "a")]
        assert server.harm == []

    def test_a_slow_load_of_another_model_keeps_nobody_from_the_one_that_is_there(self, timeless):
        """Two may be there: while ``b`` takes its ten minutes, the steps of ``a`` go on."""
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel(load=600)}, slowly(50))
        text = flow("t | b", "x0 | a", *(f"x{n} | a | needs: [x{n - 1}]" for n in range(1, 9)))
        timeless(backend=server, setting=bounded(max_loaded=2)).run(text)
        assert [when for when, what, name in server.log if (what, name) == ("answered", "a")] == [
            1060.0 + 50 * n for n in range(9)
        ]


def chains_named(letter, number, *models):
    return (step.replace("c", letter, 1).replace("[c", f"[{letter}") for step in chains(number, *models))


def staggered(seconds):
    """Answers take longer for steps with an even number, so that there is never a moment without any."""

    async def say(request):
        await asyncio.sleep(seconds + (47 if request.messages[-1].content.rstrip(".")[-1] in "02468" else 0))
        return "done"

    return say


class TestWhatAPersonLoaded:
    def test_it_is_used_as_it_is_and_never_unloaded(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()})
        server.put("a", id="mine", context=16384)
        ran = timeless(backend=server).run(flow("s | a", "t | b | needs: [s]", "u | a | needs: [t]"))
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == ["load b", "loaded b", "unload b"]
        assert [request.model for request in server.asked] == ["mine", "b", "mine"]
        assert [(e.instance, e.reused, e.context_length) for e in ran.events(ModelLoaded)] == [
            ("mine", True, 16384),
            ("b", False, 8192),
        ]

    def test_the_good_enough_one_with_the_largest_context(self, timeless):
        server = PaintedServer({"a": PaintedModel()})
        for name, context in (("small", 4096), ("large", 32768), ("middle", 16384)):
            server.put("a", id=name, context=context)
        timeless(backend=server).run(flow("s | a"))
        assert [request.model for request in server.asked] == ["large"]

    @pytest.mark.parametrize(
        ("load", "config", "why"),
        [
            ("context_length: 20000", {}, "its context is 8,192 tokens, and 20,000 are needed"),
            (
                "flash_attention: true",
                {"flash_attention": False},
                "its `flash_attention` is false, and the file asks for true",
            ),
            ("eval_batch_size: 9", {"eval_batch_size": 512}, "its `eval_batch_size` is 512, and the file asks for 9"),
        ],
    )
    def test_one_that_is_not_good_enough_stays_and_ours_comes_beside_it(self, timeless, load, config, why):
        server = PaintedServer({"a": PaintedModel()})
        server.put("a", **config)
        ran = timeless(backend=server).run(flow("s | m", head=f"models: {{m: {{id: a, load: {{{load}}}}}}}\n"))
        assert [request.model for request in server.asked] == ["a:2"]
        assert [(e.instance, e.note) for e in ran.events(ModelLoaded)] == [
            ("a:2", f"beside `a`, which was there: {why}")
        ]
        assert list(server.there) == ["a"]

    def test_one_that_a_person_unloads_is_replaced_by_ours(self, timeless):
        server = PaintedServer({"a": PaintedModel()})
        server.put("a")

        def say(request):
            if len(server.asked) == 1:
                server.take("a")
            return "done"

        server.say = say
        ran = timeless(backend=server).run(flow("s | a", "t | a | needs: [s]"))
        assert statuses(ran) == {"succeeded"}
        assert [e.kind for e in ran.events(StepRetried)] == ["server"]
        assert server.did(*LOADS) == ["load a", "loaded a", "unload a"]

    def test_a_certain_instance_is_used_or_missed_but_never_loaded(self, timeless):
        server = PaintedServer({"a": PaintedModel()})
        server.put("a", id="mine")

        def say(request):
            server.take("mine")
            raise LLMResponseError("`mine` is not loaded")

        server.say = say
        ran = timeless(backend=server).run(flow("a | mine"))
        assert error(ran) == {
            "kind": "model_not_found",
            "message": "no server has a model named `mine`",
            "hint": "it was loaded when the run began; it has been unloaded since",
        }
        assert server.did("load") == []


class TestTimeToLive:
    HEAD = "models: {m: {id: a, ttl: 1m}}\nmcp_servers: {}\n"

    def text(self, pause):
        head = "models: {m: {id: a, ttl: 1m}}\n"
        return flow("s | m", "w | other | needs: [s]", "t | m | needs: [w]", head=head), pause

    @pytest.mark.parametrize(
        ("pause", "log"),
        [
            (30, ["load a", "loaded a", "unload a"]),
            (90, ["load a", "loaded a", "unload a", "load a", "loaded a", "unload a"]),
        ],
    )
    def test_it_is_unloaded_when_nobody_used_it_for_so_long_and_loaded_again(self, timeless, pause, log):
        text, seconds = self.text(pause)
        server = PaintedServer({"a": PaintedModel()})
        other = PaintedServer({"other": PaintedModel(load=0)}, slowly(seconds), endpoint="http://other")
        ran = timeless(backends=(server, other)).run(text)
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == log
        assert [e.reason for e in ran.events(ModelUnloaded) if e.model == "a"] == [
            *["idle for its `ttl` of 1m00s"] * (len(log) // 3 - 1),
            "the run is over",
        ]

    def test_time_counts_from_the_last_use(self, timeless):
        server = PaintedServer({"a": PaintedModel()}, slowly(5))
        other = PaintedServer({"other": PaintedModel(load=0)}, slowly(50), endpoint="http://other")
        head = "models: {m: {id: a, ttl: 1m}}\n"
        steps = [
            "s | m",
            "w | other | needs: [s]",
            "t | m | needs: [w]",
            "x | other | needs: [t]",
            "u | m | needs: [x]",
        ]
        timeless(backends=(server, other)).run(flow(*steps, head=head))
        assert server.did(*LOADS) == ["load a", "loaded a", "unload a"]

    def test_a_persons_model_stays(self, timeless):
        text, seconds = self.text(90)
        server = PaintedServer({"a": PaintedModel()})
        server.put("a")
        other = PaintedServer({"other": PaintedModel(load=0)}, slowly(seconds), endpoint="http://other")
        timeless(backends=(server, other)).run(text)
        assert list(server.there) == ["a"]


class TestNoMemory:
    def test_our_own_idle_model_goes_first(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, memory=6 * GIB)
        bench = timeless(by_agenda=False, backend=server, setting=bounded(max_loaded=2))
        ran = bench.run(flow("s | a", "t | b | needs: [s]"))
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == [
            "load a", "loaded a", "load b", "refuse b", "unload a", "load b", "loaded b", "unload b",
        ]  # fmt: skip
        [failed] = ran.events(ModelLoadFailed)
        assert (failed.kind, failed.then) == ("overloaded", "`a`, which is idle, is unloaded")

    def test_a_context_of_our_own_making_becomes_smaller(self, timeless):
        server = PaintedServer({"a": PaintedModel(size=GIB, token_size=1024**2)}, memory=6 * GIB)
        ran = timeless(backend=server).run(flow("s | a"))
        assert statuses(ran) == {"succeeded"}
        assert [e.settings["context_length"] for e in ran.events(ModelLoadStarted)] == [8192, 4096]
        assert [e.then for e in ran.events(ModelLoadFailed)] == ["it is tried with a context of 4,096 tokens"]
        assert ran.events(ModelLoaded)[0].context_length == 4096

    def test_the_files_own_context_does_not(self, timeless):
        head = "models: {m: {id: a, load: {context_length: 8192}}}\n"
        server = PaintedServer({"a": PaintedModel(size=GIB, token_size=1024**2)}, memory=6 * GIB)
        ran = timeless(backend=server).run(flow("a | m | retry: {attempts: 1}", head=head))
        assert error(ran)["kind"] == "overloaded"
        assert error(ran)["message"] == "`a` on http://painted does not fit into memory: it needs 9 GB"

    def test_one_that_works_is_waited_for_and_then_the_whole_context_is_asked_for_again(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, slowly(100), memory=6 * GIB)
        text = flow("s | a", "t | b | timeout: 2m")
        ran = timeless(backend=server, setting=bounded(max_loaded=2)).run(text)
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert [e.then for e in ran.events(ModelLoadFailed)] == [
            "it is tried with a context of 4,096 tokens",
            "it waits until another model is not used any more",
            "`a`, which is idle, is unloaded",
        ]
        assert ran.events(ModelLoaded)[-1].context_length == 8192

    def test_with_a_fallback_nobody_waits(self, timeless):
        head = "models: {m: {id: b, fallback: [c]}}\n"
        models = {"a": PaintedModel(), "b": PaintedModel(), "c": PaintedModel(size=GIB)}
        server = PaintedServer(models, slowly(100), memory=6 * GIB)
        ran = timeless(backend=server, setting=bounded(max_loaded=2)).run(flow("s | a", "t | m", head=head))
        assert statuses(ran) == {"succeeded"}
        assert [(e.model, e.to_model, e.kind) for e in ran.events(ModelFellBack)] == [("b", "c", "overloaded")]
        assert ran.finished["t"].model == "c"
        assert ran.result["steps"]["t"]["model"] == "c"

    def test_nor_before_the_last_fallback(self, timeless):
        head = "models: {m: {id: b, fallback: [d, c]}}\n"
        models = {"a": PaintedModel(), "b": PaintedModel(), "d": PaintedModel(), "c": PaintedModel(size=GIB)}
        server = PaintedServer(models, slowly(100), memory=6 * GIB)
        ran = timeless(backend=server, setting=bounded(max_loaded=2)).run(flow("s | a", "t | m", head=head))
        assert [(e.model, e.to_model) for e in ran.events(ModelFellBack)] == [("b", "d"), ("d", "c")]
        assert server.did("loaded") == ["loaded a", "loaded c"]

    def test_nothing_helps(self, timeless):
        server = PaintedServer({"a": PaintedModel(size=9 * GIB), "z": PaintedModel()}, memory=6 * GIB)
        server.put("z")
        ran = timeless(backend=server).run(flow("a | a | retry: {attempts: 1}"))
        assert error(ran)["kind"] == "overloaded"
        assert "it needs 9 GB" in error(ran)["message"]
        assert list(server.there) == ["z"]

    def test_the_memory_of_the_configuration_is_named_with_what_is_there(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "z": PaintedModel()})
        server.put("z")
        ran = timeless(backend=server, setting=bounded(memory=6 * GIB)).run(flow("a | a | retry: {attempts: 1}"))
        assert error(ran) == {
            "kind": "overloaded",
            "message": "`a` on http://painted needs 4.0 GB, and of its `memory` of 6.0 GB only 2.0 GB are free"
            " (loaded: `z` 4.0 GB)",
            "hint": "unload what is not needed (`bridge-run models unload ID`), or raise `memory` in the configuration",
        }
        assert server.did("load") == []
        assert len(ran.events(ModelLoadFailed)) == 1


class Memory:
    """Where a journal goes that nobody reads."""

    def write(self, line):
        pass

    def sync(self):
        pass

    def close(self):
        pass


class TestFailingLoads:
    def test_all_who_wait_hear_of_one_failure_and_try_once_more_together(self, timeless):
        broken = [LLMResponseError("`a` on http://painted could not be loaded: no reason")]
        server = PaintedServer({"a": PaintedModel(load_errors=broken)}, slowly(1))
        ran = timeless(by_agenda=False, backend=server).run(flow(*(f"s{n} | a" for n in range(8))))
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == ["load a", "refuse a", "load a", "loaded a", "unload a"]
        assert len(ran.events(StepRetried)) == 8
        assert len(ran.events(ModelLoadFailed)) == 1
        assert ran.events(CircuitChanged) == []

    def test_five_failed_loads_open_the_circuit(self, timeless):
        broken = [LLMResponseError("`a` on http://painted could not be loaded") for _ in range(5)]
        server = PaintedServer({"a": PaintedModel(load=1, load_errors=broken)})
        retry = "retry: {attempts: 9, wait: 10ms, max_wait: 10ms}"
        ran = timeless(backend=server).run(flow(f"s | a | {retry}"))
        assert statuses(ran) == {"succeeded"}
        assert [(e.state, e.failures) for e in ran.events(CircuitChanged)] == [
            ("open", 5), ("half_open", 5), ("closed", 0),
        ]  # fmt: skip

    def test_a_step_that_gives_up_does_not_end_the_load_others_wait_for(self, timeless):
        server = PaintedServer({"a": PaintedModel(load=100)})

        async def impatient():
            listing = await server.catalogue()
            demand = Demand(
                name="a", endpoint=server.endpoint, entry=listing.models[0], manages=True, loads_on_demand=False
            )
            clock = LoopClock()
            journal = Journal(Memory(), "run", clock.now, None)
            residency = Residency(
                Endpoint(url=server.endpoint), Loading(Endpoint(url=""), server, journal, clock), clock
            )
            async with anyio.create_task_group() as group:
                residency.open(group)
                with anyio.move_on_after(50) as first:
                    await residency.acquire(demand, has_fallback=False)
                resident = await residency.acquire(demand, has_fallback=False)
            return first.cancelled_caught, resident.address, resident.users

        assert run_virtually(impatient()) == (True, "a", 1)
        assert server.log == [(1000.0, "load", "a"), (1100.0, "loaded", "a")]

    def test_the_end_of_the_runs_time_strikes_a_step_that_waits(self, timeless):
        server = PaintedServer({"a": PaintedModel(load=100)})
        text = flow("a | a | timeout: 10s").replace("limits: {parallel: 64}", "limits: {time: 1m}")
        ran = timeless(backend=server).run(text)
        assert error(ran) == {
            "kind": "timeout",
            "message": "the run's time limit of 1m00s is over",
            "hint": "raise `time` in the `limits` of the workflow, if the work needs more",
        }

    def test_waiting_is_not_the_steps_own_time(self, timeless):
        server = PaintedServer({"a": PaintedModel(load=100)}, slowly(8))
        assert statuses(timeless(backend=server).run(flow("a | a | timeout: 10s"))) == {"succeeded"}

    def test_its_own_time_goes_on_after_the_wait(self, timeless):
        server = PaintedServer({"a": PaintedModel(load=100)}, slowly(12))
        ran = timeless(backend=server).run(flow("a | a | timeout: 10s | retry: {attempts: 1}"))
        assert (error(ran)["kind"], error(ran)["message"]) == ("timeout", "the step's timeout of 10s is over")


class TestBeingCancelled:
    def test_what_comes_through_after_all_is_unloaded(self, timeless):
        """The painted server ends a load that is cancelled; a person's eye sees it come through a moment later."""
        server = PaintedServer({"a": PaintedModel(load=100)})
        bench = timeless(backend=server)

        async def interrupted():
            running = asyncio.ensure_future(bench.running(flow("s | a")))
            await asyncio.sleep(50)
            asyncio.get_running_loop().call_later(2, server.put, "a")
            running.cancel()
            await asyncio.wait([running])
            return running.cancelled()

        assert bench.start(interrupted())
        assert server.there == {}
        journal = (bench.folder / "runs" / "run-1" / "journal.jsonl").read_text()
        assert "its load was cancelled, and came through all the same" in journal

    def test_it_is_not_waited_for_without_end(self, timeless):
        server = PaintedServer({"a": PaintedModel(load=100)})
        bench = timeless(backend=server)

        async def interrupted():
            running = asyncio.ensure_future(bench.running(flow("s | a")))
            await asyncio.sleep(50)
            running.cancel()
            await asyncio.wait([running])
            return asyncio.get_running_loop().time()

        assert bench.start(interrupted()) == 1055.0
        journal = (bench.folder / "runs" / "run-1" / "journal.jsonl").read_text()
        assert "the load of `a` was cancelled, and may still come through" in journal

    def test_an_unload_that_was_begun_is_ended(self, timeless):
        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()})
        bench, unload = timeless(backend=server), server.unload

        async def slow(instance):
            await asyncio.sleep(3)
            await unload(instance)

        server.unload = slow

        async def interrupted():
            running = asyncio.ensure_future(bench.running(flow("s | a", "t | b | needs: [s]")))
            await asyncio.sleep(11)
            running.cancel()
            await asyncio.wait([running])

        bench.start(interrupted())
        assert server.there == {}
        assert server.did("unload") == ["unload a"]

    def test_fail_fast_unloads_what_is_loaded(self, timeless):
        async def say(request):
            if request.messages[-1].content == "Go bad.":
                raise LLMResponseError("no", kind="request")
            await asyncio.sleep(30)
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say)
        text = flow("s | a", "bad | a").replace("parallel: 64", "parallel: 64, fail_fast: true")
        ran = timeless(backend=server).run(text)
        assert (ran.finished["s"].status, ran.finished["bad"].status) == ("cancelled", "failed")
        assert server.there == {}


class TestDoubt:
    def test_a_broken_connection_of_one_does_not_take_the_model_from_another(self, timeless):
        """The first step's connection breaks; ``b`` waits for the place while the second step still works on ``a``."""

        async def say(request):
            what = request.messages[-1].content
            if what == "Go s." and len([r for r in server.asked if r.messages[-1].content == what]) == 1:
                await asyncio.sleep(1)
                raise LLMConnectionError("the connection broke")
            await asyncio.sleep({"Go t.": 100}.get(what, 5))
            return "done"

        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, say)
        ran = timeless(backend=server).run(flow("s | a", "t | a", "u | b | needs: [s]"))
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert server.did(*LOADS) == ["load a", "loaded a", "unload a", "load b", "loaded b", "unload b"]

    def test_nor_does_it_double_the_slots(self, timeless):
        failed = set()

        async def say(request):
            what = request.messages[-1].content
            if what not in failed and what in ("Go s0.", "Go s1."):
                failed.add(what)
                await asyncio.sleep(1)
                raise LLMConnectionError("the connection broke")
            await asyncio.sleep(20)
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say)
        ran = timeless(backend=server).run(flow(*(f"s{n} | m" for n in range(12)), head=LARGE))
        assert statuses(ran) == {"succeeded"}
        assert server.most_busy["a"] == 4

    def test_a_model_in_doubt_still_takes_its_place(self, timeless):
        """Nobody asks ``a`` again after its failure; ``b`` may not come beside it."""

        def say(request):
            if request.messages[-1].content == "Go s.":
                raise LLMConnectionError("the connection broke")
            return "done"

        server = PaintedServer({"a": PaintedModel(), "b": PaintedModel()}, say)
        text = flow("s | a | retry: {attempts: 1} | on_error: continue", "t | b | needs: [s]")
        ran = timeless(backend=server).run(text)
        assert ran.finished["t"].status == "succeeded"
        assert server.did(*LOADS) == ["load a", "loaded a", "unload a", "load b", "loaded b", "unload b"]

    @pytest.mark.parametrize(("crashes", "status"), [(1, "succeeded"), (2, "succeeded"), (3, "failed")])
    def test_a_crashed_model_is_loaded_anew_and_asked_at_most_twice_more(self, timeless, crashes, status):
        left = [crashes]

        def say(request):
            if left[0]:
                left[0] -= 1
                raise LLMResponseError("`a` crashed", kind="crash")
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say)
        ran = timeless(backend=server).run(flow("s | a | retry: {attempts: 9, wait: 1ms}"))
        assert ran.finished["s"].status == status
        assert ran.finished["s"].attempts == min(crashes + 1, 3)
        again = ["unload a", "load a", "loaded a"] * min(crashes, 2)
        assert server.did(*LOADS) == ["load a", "loaded a", *again, "unload a"]
        assert [e.reason for e in ran.events(ModelUnloaded)][:-1] == ["it crashed"] * min(crashes, 2)

    def test_a_crash_that_several_steps_see_is_one_reload(self, timeless):
        crashed = []

        async def say(request):
            await asyncio.sleep(1)
            if len(crashed) < 4:
                crashed.append(request)
                raise LLMResponseError("`a` crashed", kind="crash")
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say)
        ran = timeless(backend=server).run(flow(*(f"s{n} | m" for n in range(4)), head=LARGE))
        assert statuses(ran) == {"succeeded"}
        assert server.did(*LOADS) == ["load a", "loaded a", "unload a", "load a", "loaded a", "unload a"]

    def test_who_waits_for_a_slot_of_a_crashed_model_asks_the_new_one(self, timeless):
        crashed = []

        async def say(request):
            await asyncio.sleep(1)
            if not crashed:
                crashed.append(server.there.clear())
                raise LLMResponseError("`a` crashed", kind="crash")
            await asyncio.sleep(20)
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say)
        ran = timeless(backend=server).run(flow(*(f"s{n} | m" for n in range(9)), head=LARGE))
        assert statuses(ran) == {"succeeded"}
        assert [e.kind for e in ran.events(StepRetried)] == ["crash"]
        assert server.did("load") == ["load a", "load a"]


class TestOnDemand:
    """Servers that load when they are asked, and cannot be told to."""

    def server(self, say, **models):
        return PaintedServer(models, say, manages=False, loads_on_demand=True)

    def test_the_first_request_goes_alone_and_the_others_follow(self, timeless):
        server = self.server(slowly(5), a=PaintedModel())
        ran = timeless(backend=server).run(flow(*(f"s{n} | a" for n in range(8))))
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert server.did("load") == ["load a"]
        assert [(when, what) for when, what, _ in server.log if what == "ask"][:6] == [
            (1010.0, "ask"), *[(1015.0, "ask")] * 4, (1020.0, "ask"),
        ]  # fmt: skip

    def test_two_models_take_turns(self, timeless):
        server = self.server(slowly(5), a=PaintedModel(), b=PaintedModel())
        ran = timeless(backend=server).run(flow(*chains(5, "a", "b")))
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []
        assert server.did("load") == ["load a", "load b"]

    def test_a_ttl_goes_with_the_request_that_loads(self, timeless):
        server = self.server(slowly(1), a=PaintedModel())
        timeless(backend=server).run(flow("s | m", head="models: {m: {id: a, ttl: 90s}}\n"))
        assert [(request.model, request.ttl) for request in server.asked] == [("a", 90.0)]

    def test_after_it_vanished_one_goes_first_again(self, timeless):
        gone = []

        async def say(request):
            await asyncio.sleep(5)
            if len(server.asked) == 4 and not gone:
                gone.append(server.there.clear())
                raise LLMResponseError("`a` on http://painted is not loaded")
            return "done"

        server = self.server(say, a=PaintedModel())
        ran = timeless(backend=server).run(
            flow(*(f"s{n} | a" for n in range(3)), *(f"t{n} | a | needs: [s0, s1, s2]" for n in range(6)))
        )
        assert statuses(ran) == {"succeeded"}
        assert server.harm == []


class TestWhateverHappens:
    """Random models, bounds, waits and failures: nobody is disturbed, nothing is left behind, everything ends."""

    @pytest.mark.parametrize("seed", [*range(10), 101])
    def test_it_ends_and_leaves_nothing(self, timeless, seed):
        chance = random.Random(seed)

        async def say(request):
            await asyncio.sleep(chance.choice([0, 1, 5, 60, 200]))
            if chance.random() < 0.15:
                raise chance.choice([LLMConnectionError("broke"), LLMResponseError("odd"), LLMTimeoutError("late")])
            return "done"

        models = {
            name: PaintedModel(
                size=chance.choice([1, 3, 4]) * GIB,
                load=chance.choice([0, 10, 400]),
                load_errors=[LLMResponseError("could not be loaded")] * chance.choice([0, 0, 1]),
            )
            for name in "abc"
        }
        server = PaintedServer(models, say, memory=chance.choice([5, 8, 100]) * GIB)
        steps = []
        for number in range(40):
            needs = f" | needs: [s{chance.randrange(number)}]" if number and chance.random() < 0.6 else ""
            steps.append(f"s{number} | {chance.choice('abc')}{needs} | on_error: continue | timeout: 1h")
        bounds = chance.choice([{}, {"max_loaded": 2}, {"max_loaded": 3}, {"memory": 6 * GIB}])
        ran = timeless(backend=server, setting=bounded(**bounds), chance=chance.random).run(flow(*steps))
        assert len(ran.finished) == 40
        assert statuses(ran) <= {"succeeded", "failed"}
        assert (server.harm, server.there) == ([], {})
        assert "duplicate" not in {what for _, what, _ in server.log}
        assert sum(end.status == "succeeded" for end in ran.finished.values()) >= 30
