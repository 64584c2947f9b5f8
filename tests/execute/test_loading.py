"""Loading on a pretended LM Studio over HTTP: the same rules as in virtual time, on the real wire."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise

import pytest
from kit.raw_server import DONE, delta, raw_server, reply, stream, unexpected, usage
from kit.simulator import simulator
from kit.world import PaintedBox

from runner.chat.endpoint import Endpoint
from runner.chat.toolbox import Tool
from runner.edges.model_server.lmstudio import HttpBackend
from runner.plan.setting import Setting
from runner.record.events import (
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    RequestDegraded,
    StepRetried,
)

HEAD = "version: 1\nname: flow\nlimits: {parallel: 64}\n"
LOAD, UNLOAD, CHAT = "/api/v1/models/load", "/api/v1/models/unload", "/v1/chat/completions"
RETRY = "retry: {attempts: 9, wait: 1ms, max_wait: 2ms}"


def flow(*steps, head=""):
    lines = [f"{HEAD}{head}steps:\n"]
    for step in steps:
        name, model, *more = [part.strip() for part in step.split("|")]
        lines.append(f"  - id: {name}\n    task: Go {name}.\n    model: {model}\n")
        lines += [f"    {line}\n" for line in more]
    return "".join(lines)


def script(*models, faults=(), load="30ms", first="5ms", settings=None, **facts):
    told = {"load_time": load, "first_token": first, "size": "4GB", "default": {"say": "done"}, **facts}
    data = {"models": {name: dict(told) for name in models}}
    if faults:
        data["faults"] = list(faults)
    if settings:
        data["settings"] = settings
    return data


class Run:
    """A workflow on a simulator; ``log`` are its requests in the order in which they ended."""

    def __init__(self, bench, tmp_path, text, says, *, max_loaded=None, interrupt=None, **parts):
        self.path = tmp_path / "log.jsonl"
        with simulator(says, log=self.path) as url:
            setting = Setting(servers=(Endpoint(url=url, max_loaded=max_loaded),))
            self.bench = bench(backend=HttpBackend(url), setting=setting, **parts)
            self.ran = None
            if interrupt is None:
                self.ran = self.bench.run(text)
            else:
                asyncio.run(self.interrupted(text, interrupt))
            self.left = asyncio.run(self.loaded(url))
        self.log = [json.loads(line) for line in self.path.read_text().splitlines()]

    async def interrupted(self, text, seconds):
        running = asyncio.ensure_future(self.bench.running(text))
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.wait([running])

    async def loaded(self, url):
        backend = HttpBackend(url)
        try:
            return [one.id for entry in (await backend.catalogue()).models for one in entry.instances]
        finally:
            await backend.close()

    def asked(self, path, key="model"):
        return [line["request"][key] for line in self.log if line["path"] == path]

    @property
    def statuses(self):
        return {end.status for end in self.ran.finished.values()}


@pytest.fixture
def run(bench, tmp_path):
    return lambda text, says, **facts: Run(bench, tmp_path, text, says, **facts)


class TestOneLoad:
    def test_eight_steps_on_a_cold_model(self, run):
        done = run(flow(*(f"s{n} | a" for n in range(8))), script("a"))
        assert done.statuses == {"succeeded"}
        assert (done.asked(LOAD), done.asked(UNLOAD, "instance_id"), done.left) == (["a"], ["a"], [])
        assert {line["model"] for line in done.log if line["path"] == CHAT} == {"a"}
        assert [len(done.ran.events(kind)) for kind in (ModelLoadStarted, ModelLoaded, ModelUnloaded)] == [1, 1, 1]

    def test_ten_chains_over_two_models_where_one_fits(self, run):
        steps = [s for n in range(10) for s in (f"p{n} | a", f"q{n} | b | needs: [p{n}]")]
        done = run(flow(*steps), script("a", "b", settings={"memory": "5GB"}))
        assert done.statuses == {"succeeded"}
        assert {line["status"] for line in done.log} == {200}
        assert done.asked(LOAD) == ["a", "b"]
        assert done.asked(UNLOAD, "instance_id") == ["a", "b"]
        assert done.ran.events(StepRetried) == []

    def test_two_that_fit(self, run):
        done = run(flow("s | a", "t | b"), script("a", "b", settings={"memory": "9GB"}), max_loaded=2)
        assert (done.statuses, sorted(done.asked(LOAD))) == ({"succeeded"}, ["a", "b"])

    def test_two_that_are_allowed_and_do_not_fit(self, run):
        done = run(flow("s | a", "t | b"), script("a", "b", settings={"memory": "5GB"}), max_loaded=2)
        assert (done.statuses, done.left) == ({"succeeded"}, [])
        assert done.ran.events(ModelLoadFailed)[0].kind == "overloaded"

    def test_it_is_kept(self, run):
        done = run(flow("s | a"), script("a"), keep_loaded=True)
        assert (done.left, done.asked(UNLOAD, "instance_id")) == (["a"], [])

    def test_a_persons_own_is_reused_and_stays(self, run):
        done = run(flow("s | a"), script("a", loaded={"context_length": 16384}))
        assert (done.asked(LOAD), done.left) == ([], ["a"])
        assert [(e.instance, e.reused) for e in done.ran.events(ModelLoaded)] == [("a", True)]

    def test_ours_beside_one_that_is_too_small(self, run):
        head = "models: {m: {id: a, load: {context_length: 20000}}}\n"
        done = run(flow("s | m", head=head), script("a", loaded={"context_length": 4096}))
        assert (done.asked(CHAT), done.asked(UNLOAD, "instance_id"), done.left) == (["a:2"], ["a:2"], ["a"])
        [loaded] = done.ran.events(ModelLoaded)
        assert (loaded.context_length, loaded.note) == (
            20000, "beside `a`, which was there: its context is 4,096 tokens, and 20,000 are needed",
        )  # fmt: skip

    def test_an_engine_that_gives_another_context_than_asked(self, run):
        head = "models: {m: {id: a, load: {context_length: 20000}}}\n"
        done = run(flow("s | m", head=head), script("a", fitted_context=9000))
        [loaded] = done.ran.events(ModelLoaded)
        assert loaded.note == (
            "the server loaded it with other settings than asked: its context is 9,000 tokens, and 20,000 are needed"
        )


class TestFailing:
    def test_a_load_that_fails_once(self, run):
        done = run(flow(*(f"s{n} | a | {RETRY}" for n in range(4))), script("a", faults=["load-failure"]))
        assert (done.statuses, done.asked(LOAD)) == ({"succeeded"}, ["a", "a"])
        assert len(done.ran.events(ModelLoadFailed)) == 1

    def test_memory_with_nothing_to_give(self, run):
        done = run(flow("s | a | retry: {attempts: 1}"), script("a", settings={"memory": "2GB"}))
        error = done.ran.finished["s"].error
        assert error["kind"] == "overloaded"
        assert error["message"].startswith("`a` on http://127.0.0.1:")
        assert "does not fit into memory" in error["message"]
        assert "requires approximately" in error["message"]

    @pytest.mark.parametrize("fault", ["crash", "crash-midway", "unload-midway", "no-models-loaded"])
    def test_a_model_that_goes_is_loaded_anew(self, run, fault):
        done = run(flow(f"s | a | {RETRY}"), script("a", faults=[fault]))
        assert (done.statuses, done.asked(LOAD), done.left) == ({"succeeded"}, ["a", "a"], [])
        assert len(done.ran.events(StepRetried)) == 1

    @pytest.mark.parametrize(("times", "status"), [(2, "succeeded"), (3, "failed")])
    def test_a_prompt_that_crashes_its_model_is_tried_three_times(self, run, times, status):
        done = run(flow(f"s | a | {RETRY}"), script("a", faults=["crash"] * times))
        assert (done.statuses, len(done.asked(LOAD)), done.left) == ({status}, 3, [])
        if status == "failed":
            assert done.ran.finished["s"].error["kind"] == "crash"

    def test_eight_steps_see_a_crash(self, run):
        done = run(flow(*(f"s{n} | a | {RETRY}" for n in range(8))), script("a", faults=["crash"], first="30ms"))
        assert (done.statuses, done.asked(LOAD), done.left) == ({"succeeded"}, ["a", "a"], [])

    @pytest.mark.parametrize("fault", ["cut-mid-line", "error-midway", "no-finish", "status-500", "html-page"])
    def test_what_breaks_in_one_answer_costs_no_load(self, run, fault):
        done = run(flow(*(f"s{n} | a | {RETRY}" for n in range(4))), script("a", faults=[fault]))
        assert (done.statuses, done.asked(LOAD), done.left) == ({"succeeded"}, ["a"], [])

    def test_what_is_interrupted_while_it_loads_is_unloaded_when_it_comes(self, run):
        done = run(flow("s | a"), script("a", load="700ms"), interrupt=0.3)
        assert (done.left, done.asked(UNLOAD, "instance_id")) == ([], ["a"])

    def test_what_is_interrupted_while_it_answers(self, run):
        done = run(flow("s | a"), script("a", first="10s"), interrupt=0.5)
        assert (done.left, done.asked(UNLOAD, "instance_id")) == ([], ["a"])


OLD = {"version": "0.3.9", "jit_race": True}


class TestOnDemand:
    def test_no_second_copy_though_all_begin_at_once(self, run):
        done = run(flow(*(f"s{n} | a" for n in range(8))), script("a", load="100ms", settings=OLD))
        assert done.statuses == {"succeeded"}
        assert {line["model"] for line in done.log if line["path"] == CHAT} == {"a"}
        assert done.ran.events(StepRetried) == []

    def test_two_models_take_turns(self, run):
        steps = [s for n in range(4) for s in (f"p{n} | a", f"q{n} | b | needs: [p{n}]")]
        done = run(flow(*steps), script("a", "b", settings=OLD))
        assert done.statuses == {"succeeded"}
        order = [line["model"] for line in done.log if line["path"] == CHAT]
        assert order == ["a"] * 4 + ["b"] * 4
        assert done.ran.events(StepRetried) == []

    def test_a_crash_comes_back(self, run):
        done = run(flow(f"s | a | {RETRY}"), script("a", faults=["crash"], settings=OLD))
        assert done.statuses == {"succeeded"}
        assert [e.kind for e in done.ran.events(StepRetried)] == ["crash", "server"]


LOOK = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0}, "p": {"type": "string", "pattern": "x"}},
}


class Wire:
    """A talk with tools on a server that says what ``judge(body)`` complains of; ``bodies`` are what it took."""

    def __init__(self, bench, judge, calls=4):
        self.judge, self.calls, self.bodies = judge, calls, []
        self.ran = asyncio.run(self.talk(bench))

    async def talk(self, bench):
        box = PaintedBox(
            "box", (Tool(name="look", effect="none", input_schema=LOOK),), lambda tool, given: "seen é\n" * 9
        )
        text = (
            "version: 1\nname: flow\nmcp_servers: {box: {command: painted}}\n"
            "steps:\n  - id: s\n    model: qwen3\n    system: Be brief.\n    task: Go.\n    mcp_servers: [box]\n"
        )
        async with raw_server(self.answer) as server:
            return await bench(backend=HttpBackend(server.url), boxes={"box": box}).running(text)

    def answer(self, heard):
        if heard.path == "/v1/models":
            return reply(
                {"object": "list", "data": [{"id": "qwen3", "object": "model", "created": 1, "owned_by": "me"}]}
            )
        if heard.path != CHAT:
            return unexpected(heard)
        complaint = self.judge(heard.json)
        if complaint is not None:
            return reply({"error": complaint}, status=400)
        self.bodies.append(heard.body.decode())
        made = len(self.bodies) - 1
        if made >= self.calls:
            return stream(delta(content="done"), delta(finish="stop"), usage(10, 2), DONE)
        given = json.dumps({"n": made})
        if "tools" not in heard.json:
            words = f'[TOOL_REQUEST]{{"name": "box__look", "arguments": {given}}}[END_TOOL_REQUEST]'
            return stream(delta(content=words), delta(finish="stop"), usage(10, 2), DONE)
        call = {
            "index": 0,
            "id": f"{made}00000000",
            "type": "function",
            "function": {"name": "box__look", "arguments": given},
        }
        return stream(delta(tool_calls=[call]), delta(finish="tool_calls"), usage(10, 2), DONE)

    def raw(self, key):
        """The bytes of a value of each body, as they were sent; None where the body has no such key."""
        for body in self.bodies:
            found = re.search(rf'"{key}":\s*', body)
            start = found.end() if found else 0
            yield body[start : json.JSONDecoder().raw_decode(body, start)[1]] if found else None


def once(complaint):
    """The very first request is refused, whatever stands in it."""
    left = [complaint]
    return lambda body: left.pop() if left else None


class TestEachRequestExtendsTheOneBefore:
    @pytest.mark.parametrize(
        ("judge", "forms"),
        [
            (lambda body: None, []),
            (
                lambda body: "failed to parse grammar" if "minimum" in json.dumps(body.get("tools", [])) else None,
                ["with simpler schemas"],
            ),
            (
                once("Error rendering prompt with jinja template"),
                ["with merged roles"],
            ),
            (
                lambda body: "this model does not support tools" if "tools" in body else None,
                ["with its tools described as text"],
            ),
        ],
        ids=["whole", "minimal", "merged", "text"],
    )
    def test_byte_for_byte(self, bench, judge, forms):
        wire = Wire(bench, judge)
        assert wire.ran.finished["s"].output == "done"
        assert [e.form.rpartition(", ")[2] for e in wire.ran.events(RequestDegraded)][: len(forms)] == forms
        assert len(wire.bodies) == 5
        assert len(set(wire.raw("tools"))) == 1
        for before, after in pairwise(wire.raw("messages")):
            assert before.endswith("]")
            assert after.startswith(before[:-1])
            assert len(after) > len(before)
