"""A server of our own: loaded, asked, crashed, ended. Each test runs llama.cpp on a model of noise."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit.project import processes_with, wait_until
from kit.tiny_gguf import tiny_model, write_model

from runner.chat.endpoint import Embedded, Endpoint
from runner.chat.messages import ChatRequest, Message, ToolSpec
from runner.edges.embedded.embedded import EmbeddedBackend
from runner.edges.process_group import Offspring
from runner.words import errors

ADD = ToolSpec("add", "Adds two numbers.", {"type": "object", "properties": {"a": {"type": "integer"}}})
SCHEMA = {"type": "string", "enum": ["yes"]}


def on(work, model=None, *, offspring=None, environment=None, **settings):
    """Run ``work(backend)`` on a backend that offers ``model`` and is closed afterwards."""
    settings = {"context_length": 512, **settings}
    if model is not None:
        settings["model"] = str(model)
    elif "models_folder" not in settings and environment is None:
        settings["model"] = str(tiny_model())

    async def run():
        endpoint = Endpoint(url="embedded:it", embedded=Embedded(**settings))
        backend = EmbeddedBackend(endpoint, offspring=offspring, environment=environment)
        try:
            return await work(backend)
        finally:
            await backend.close()

    return asyncio.run(run())


def asking(text="hello", model="tiny-noise-1", **settings):
    # Noise may end at once, and what says nothing is an error: only a tool call has to end by itself. By chance it is
    # half a tool call, which is an error too: with a seed it is always the same noise.
    sampling = {"max_tokens": 20, "seed": 1} if "tools" in settings else {"max_tokens": 20, "ignore_eos": True}
    settings = {"sampling": sampling, **settings}
    return ChatRequest(model=model, messages=(Message("user", text),), **settings)


def servers(path):
    """The processes that have this file: their command lines do not say it, their memory maps do (Linux)."""
    found = []
    for number in processes_with("embedded_server.py"):
        try:
            maps = Path(f"/proc/{number}/maps").read_text()
        except OSError:
            continue
        if str(path) in maps:
            found.append(number)
    return found


def command_line(process):
    return Path(f"/proc/{process}/cmdline").read_text()


async def until(holds):
    """Wait for something that the event loop brings about."""
    while not holds():  # noqa: ASYNC110 - what becomes true here tells nobody
        await asyncio.sleep(0.002)


@pytest.fixture
def own(tmp_path):
    """A model file that no other test has loaded."""
    return write_model(tmp_path / "own.gguf")


def test_the_catalogue_starts_nothing(own):
    offspring = Offspring()
    found = on(lambda backend: backend.catalogue(), own, offspring=offspring)
    [entry] = found.models
    assert (found.endpoint, found.flavour, found.manages, found.loads_on_demand) == (
        "embedded:it", "llama.cpp", True, False,
    )  # fmt: skip
    assert (entry.key, entry.instances, entry.loaded) == ("own", (), None)
    assert len(offspring) == 0


def test_a_loaded_model_is_what_was_asked_for_and_ends_with_its_process(own):
    offspring = Offspring()

    async def work(backend):
        instance = await backend.load("OWN", {"context_length": 768, "eval_batch_size": 64, "flash_attention": False})
        [entry] = (await backend.catalogue()).models
        assert entry.instances == (instance,)
        assert entry.loaded
        assert len(offspring) == 1
        assert len(servers(own)) == 1
        await backend.unload(instance.id)
        await backend.unload(instance.id)
        assert (len(offspring), servers(own)) == (0, [])
        assert (await backend.catalogue()).models[0].instances == ()
        return instance

    instance = on(work, own, offspring=offspring, parallel=2)
    assert (instance.id, instance.context_length, instance.parallel) == ("own", 768, 2)
    assert not instance.shared_context
    assert instance.config == {"eval_batch_size": 64, "flash_attention": False}


def test_more_context_than_the_model_was_trained_on_is_not_taken(tmp_path):
    path = write_model(tmp_path / "small.gguf", trained=256)
    assert on(lambda backend: backend.load("small", {"context_length": 100_000}), path).context_length == 256


def test_a_request_loads_the_model_once_however_many_wait(own):
    async def work(backend):
        answers = await asyncio.gather(*(backend.chat(asking(f"number {n}", "own")) for n in range(8)))
        return answers, servers(own)

    answers, running = on(work, own, parallel=4)
    assert len(running) == 1
    assert {answer.model for answer in answers} == {"own"}
    assert all(answer.content for answer in answers)


def test_an_answer_streams(own):
    heard = []
    answer = on(lambda backend: backend.chat(asking(model=str(own)), heard.append), own)
    assert "".join(delta.text for delta in heard) == answer.content != ""
    assert answer.usage.completion_tokens == 20


def test_a_schema_and_tools_are_understood():
    async def work(backend):
        said = await backend.chat(asking(schema=SCHEMA, sampling={"max_tokens": 200}))
        called = await backend.chat(asking(tools=(ADD,)))
        return json.loads(said.content), called.content

    said, called = on(work)
    assert said == "yes"
    assert called


def test_a_cancelled_answer_frees_the_only_slot():
    async def work(backend):
        begun = asyncio.Event()
        task = asyncio.create_task(
            backend.chat(asking(sampling={"max_tokens": 450, "ignore_eos": True}), lambda _: begun.set())
        )
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.wait_for(backend.chat(asking()), 20)

    assert on(work).content


def test_a_load_that_is_cancelled_leaves_no_process(own):
    offspring = Offspring()

    async def work(backend):
        task = asyncio.create_task(backend.load("own", {}))
        await until(lambda: len(offspring) > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(offspring) == 0
        return (await backend.catalogue()).models[0].instances

    assert on(work, own, offspring=offspring) == ()
    assert servers(own) == []


def test_two_models_at_once_and_a_second_copy(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / f"{name}-GGUF").mkdir(parents=True)
        write_model(tmp_path / name / f"{name}-GGUF" / f"{name}.gguf")

    async def work(backend):
        loaded = await asyncio.gather(*(backend.load(key, {}) for key in ("a/a", "b/b", "a/a")))
        names = [instance.id for instance in loaded]
        answers = await asyncio.gather(*(backend.chat(asking(model=name)) for name in names))
        entries = {entry.key: entry for entry in (await backend.catalogue()).models}
        assert {instance.id for instance in entries["a/a"].instances} == {"a/a", "a/a:2"}
        return names, [answer.model for answer in answers]

    names, answered = on(work, models_folder=str(tmp_path))
    assert names == ["a/a", "b/b", "a/a:2"] == answered


def test_a_crash_in_an_answer_is_told_and_the_next_request_starts_anew(own):
    """Where nobody looks after what he has loaded, that is: then the backend does, with the settings it had."""

    async def work(backend):
        first = await backend.load("own", {"context_length": 4096})

        def kill(_):
            for number in servers(own):
                os.kill(number, signal.SIGKILL)

        with pytest.raises(errors.LLMResponseError) as caught:
            # so long an answer is not over before the kill is noticed, and noise must not end it by chance
            await backend.chat(asking(model="own", sampling={"max_tokens": 3500, "ignore_eos": True}), kill)
        assert (await backend.catalogue()).models[0].instances == ()
        await backend.unload(first.id)
        assert (await backend.chat(asking(model=first.id))).content
        [again] = (await backend.catalogue()).models[0].instances
        return caught.value, first, again

    error, first, again = on(work, own)
    assert (error.kind, error.retryable) == ("crash", True)
    assert error.message.startswith("`own` on embedded:it crashed: its process was ended by SIGKILL")
    assert again == first


def test_a_crash_is_one_for_everybody_who_was_being_answered(own):
    async def work(backend):
        await backend.load("own", {"context_length": 4096})

        def kill(_):
            for number in servers(own):
                os.kill(number, signal.SIGKILL)

        long = asking(model="own", sampling={"max_tokens": 3500, "ignore_eos": True})
        return await asyncio.gather(*(backend.chat(long, kill) for _ in range(2)), return_exceptions=True)

    crashed = "`own` on embedded:it crashed: its process was ended by SIGKILL"
    assert [error.message for error in on(work, own, parallel=2)] == [crashed, crashed]


def test_a_load_after_a_crash_gets_the_old_name(own):
    async def work(backend):
        await backend.load("own", {})
        for number in servers(own):
            os.kill(number, signal.SIGKILL)
        [running] = backend._running.values()
        await until(lambda: not running.process.runs)
        return await backend.load("own", {})

    assert on(work, own).id == "own"


def test_what_was_loaded_by_somebody_and_died_is_his_to_load_anew(own):
    """A reload that nobody knows of stands in no journal, and ends with nobody's lease."""

    async def work(backend):
        first = await backend.load("own", {"context_length": 320})
        [number] = servers(own)
        os.kill(number, signal.SIGKILL)
        [running] = backend._running.values()
        await until(lambda: not running.process.runs)
        said = []
        for _ in range(2):
            with pytest.raises(errors.LLMResponseError) as caught:
                await backend.chat(asking(model=first.id))
            said.append((caught.value.kind, caught.value.message))
        assert servers(own) == []
        again = await backend.load("own", {"context_length": 320})
        assert (await backend.chat(asking(model=again.id))).content
        return said, first, again

    said, first, again = on(work, own)
    assert said == [("crash", "`own` on embedded:it crashed: its process was ended by SIGKILL")] * 2
    assert again == first


def test_a_process_that_died_unnoticed_is_replaced(own):
    async def work(backend):
        await backend.chat(asking(model="own"))
        [number] = servers(own)
        os.kill(number, signal.SIGKILL)
        [running] = backend._running.values()
        await until(lambda: not running.process.runs)
        return await backend.chat(asking(model="own"))

    assert on(work, own).content


def test_a_model_that_is_unloaded_while_it_works_says_so(own):
    async def work(backend):
        await backend.load("own", {})
        begun = asyncio.Event()
        task = asyncio.create_task(
            backend.chat(asking(model="own", sampling={"max_tokens": 400, "ignore_eos": True}), lambda _: begun.set())
        )
        await begun.wait()
        await backend.unload("own")
        with pytest.raises(errors.LLMResponseError) as caught:
            await task
        return caught.value

    error = on(work, own)
    assert (error.kind, error.message) == ("crash", "`own` on embedded:it was unloaded while it worked")


def test_messages_name_the_endpoint_and_no_port():
    with pytest.raises(errors.LLMValidationError) as caught:
        on(lambda backend: backend.chat(asking("word " * 2000)))
    assert caught.value.kind == "context"
    assert str(caught.value).startswith("`tiny-noise-1` on embedded:it has no room for the prompt: ")


def test_a_stranger_on_this_machine_is_refused(own):
    """The server listens on a port that everybody here can reach; what is said to it is nobody else's business."""
    from runner.edges.model_server.lmstudio import HttpBackend

    async def work(backend):
        await backend.load("own", {})
        [running] = backend._running.values()
        stranger = HttpBackend(running.process.address)
        try:
            with pytest.raises(errors.LLMAuthenticationError):
                await stranger.chat(asking(model="own"))
        finally:
            await stranger.close()
        assert running.process.address.startswith("http://127.0.0.1:")
        assert [number for number in servers(own) if running.process.token in command_line(number)] == []
        assert len(servers(own)) == 1

    on(work, own)


def test_what_is_more_than_the_memory_is_refused_before_it_is_taken(tmp_path):
    path = write_model(tmp_path / "wide.gguf", trained=2**31 - 1)
    with pytest.raises(errors.ModelMemoryError) as caught:
        on(lambda backend: backend.load("wide", {"context_length": 10**9}), path)
    error = caught.value
    assert error.kind == "overloaded"
    assert error.required_bytes == 512 * 10**9 + path.stat().st_size
    assert 0 < error.available_bytes < error.required_bytes
    assert error.message.startswith("`wide` on embedded:it does not fit into memory: it needs 476.8 GB, ")


@contextmanager
def address_space(size):
    """What is started meanwhile gets no more than this many bytes from the system."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_memory_refusal_of_llama_cpp_itself_is_told_as_one(tmp_path):
    path = write_model(tmp_path / "wide.gguf", trained=2**31 - 1)
    with address_space(3 * 1024**3), pytest.raises(errors.ModelMemoryError) as caught:
        on(lambda backend: backend.load("wide", {"context_length": 8_000_000}), path)
    assert caught.value.required_bytes == 512 * 8_000_000


def test_a_file_that_is_cut_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_model().read_bytes()[:60_000])
    with pytest.raises(errors.LLMResponseError) as caught:
        on(lambda backend: backend.load("cut", {}), path)
    assert (caught.value.kind, caught.value.retryable) == ("request", False)
    assert caught.value.message == (
        "`cut` on embedded:it could not be loaded: tensor 'token_embd.weight' data is not within the file bounds, "
        "model is corrupted or incomplete"
    )


def test_a_file_that_is_no_model_is_refused_before_anything_starts(tmp_path):
    path = tmp_path / "a.gguf"
    path.write_text("hello")
    for work in (lambda backend: backend.catalogue(), lambda backend: backend.load("a", {})):
        with pytest.raises(errors.LLMResponseError) as caught:
            on(work, path)
        assert caught.value.message == f"the model file {path} is no GGUF file"


def test_an_unknown_name_and_an_unknown_setting_are_refused():
    with pytest.raises(errors.ModelNotFoundError) as missing:
        on(lambda backend: backend.chat(asking(model="tiny-nose-1")))
    assert missing.value.nearest == ("tiny-noise-1",)
    with pytest.raises(errors.LLMValidationError) as caught:
        on(lambda backend: backend.load("tiny-noise-1", {"num_experts": 4}))
    assert caught.value.message == (
        "`tiny-noise-1` on embedded:it cannot be loaded with `num_experts`: an embedded server has no such setting"
    )


def test_an_empty_machine_says_where_models_are_looked_for(tmp_path):
    found = on(lambda backend: backend.catalogue(), environment={"HOME": str(tmp_path)})
    assert found.models == ()
    assert found.notes == (f"there is no models folder {tmp_path}/.lmstudio/models; name a file: embedded:FILE.gguf",)


def test_without_the_wheel_nothing_is_offered(monkeypatch):
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if "site-packages" not in folder])
    with pytest.raises(errors.LLMValidationError) as caught:
        on(lambda backend: backend.catalogue())
    assert caught.value.message == "an embedded server needs llama.cpp, and the package `xllamacpp` is not installed"
    assert caught.value.hint == "pip install 'bridge-run[embedded]'"


def test_a_wheel_that_cannot_be_used_says_why(tmp_path):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libsomething.so.6: not found')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with pytest.raises(errors.LLMValidationError) as caught:
        on(lambda backend: backend.load("tiny-noise-1", {}), environment=environment, model=str(tiny_model()))
    assert caught.value.message == (
        "`tiny-noise-1` on embedded:it needs llama.cpp, and the package `xllamacpp` cannot be used: "
        "libsomething.so.6: not found"
    )
    assert caught.value.hint == "pip install 'bridge-run[embedded]'"


PARENT = """
import asyncio, sys
from runner.chat.endpoint import Embedded, Endpoint
from runner.edges.embedded.embedded import EmbeddedBackend

async def main():
    backend = EmbeddedBackend(Endpoint(url="embedded", embedded=Embedded(model=sys.argv[1])))
    await backend.load("own", {})
    print("loaded", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_nothing_is_left_when_the_runner_is_killed(own):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(own)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"loaded\n"
        assert len(servers(own)) == 1
        parent.kill()
    wait_until(lambda: not servers(own), "the server has ended with its parent", within=5)


def test_nothing_is_left_when_the_guard_is_killed(own):
    offspring = Offspring()

    async def work(backend):
        await backend.load("own", {})
        [leader] = offspring._groups
        os.kill(leader, signal.SIGKILL)
        [running] = backend._running.values()
        await until(lambda: not running.process.runs)
        assert (await backend.catalogue()).models[0].instances == ()

    on(work, own, offspring=offspring)
    assert servers(own) == []
