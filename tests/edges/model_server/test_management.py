"""Loading, unloading and downloading: what is sent, what is made of the answers, and who cannot be told."""

from __future__ import annotations

import asyncio

import pytest
from kit.raw_server import CUT, STALL, delta, raw_server, reply, stream, unexpected

from runner.chat.catalogue import Instance
from runner.chat.messages import ChatRequest, Message
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.model_server.management import Download
from runner.words import errors

KEY = "openai/gpt-oss-20b"
CONFIG = {"context_length": 16384, "eval_batch_size": 512, "flash_attention": True}
LOADED = {"type": "llm", "instance_id": KEY, "load_time_seconds": 9.1, "status": "loaded", "load_config": CONFIG}
MEMORY = (
    "Failed to load LLM 'x': Error: Model loading was stopped due to insufficient system resources. Under the current "
    "settings, this model requires approximately 80 GB of memory."
)


def listing(*instances, quantization="MXFP4"):
    row = {
        "type": "llm",
        "key": KEY,
        "quantization": {"name": quantization},
        "variants": [f"{KEY}@mxfp4", f"{KEY}@q8_0"],
        "loaded_instances": [{"id": name, "config": config} for name, config in instances],
    }
    return {"models": [row]}


def native(message, code, **fields):
    return {"error": {"message": message, "type": "invalid_request", "code": code, **fields}}


class Server:
    """An LM Studio 0.4: ``answers`` says what each command gets, in turn; a load adds to the list what it loads."""

    def __init__(self, *answers, listed=(), after=((KEY, {**CONFIG, "parallel": 4}),), quantization="MXFP4"):
        self.answers = list(answers)
        self.before = listing(*listed, quantization=quantization)
        self.after = listing(*after) if after is not None else {"error": "gone"}
        self.commands = []
        self.asked = []
        self.told = asyncio.Event()

    def __call__(self, heard):
        if heard.path == "/lmstudio-greeting":
            return reply({"lmstudio": True})
        if heard.path == "/api/v1/models":
            return reply(self.after if self.commands else self.before)
        self.asked.append((heard.method, heard.path))
        self.commands.append(heard.json if heard.body else None)
        self.told.set()
        answer = self.answers.pop(0)
        return reply(answer) if isinstance(answer, dict) else answer


def manage(script, work):
    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url)
            try:
                return await work(backend)
            finally:
                await backend.close()

    return asyncio.run(run())


def refusal(script, work, error=errors.LLMError):
    async def fail(backend):
        with pytest.raises(error) as caught:
            await work(backend)
        return caught.value, str(caught.value).replace(backend.endpoint, "URL")

    return manage(script, fail)


def load(model=KEY, **settings):
    return lambda backend: backend.load(model, settings)


def unload(instance=KEY):
    return lambda backend: backend.unload(instance)


class TestLoad:
    def test_what_is_sent_and_what_the_list_then_says(self):
        server = Server(LOADED)
        instance = manage(server, load(context_length=32768, flash_attention=True, num_experts=None))
        assert server.asked == [("POST", "/api/v1/models/load")]
        assert server.commands == [
            {"model": KEY, "context_length": 32768, "flash_attention": True, "echo_load_config": True}
        ]
        assert instance == Instance(
            id=KEY,
            context_length=16384,
            parallel=4,
            shared_context=True,
            config={"eval_batch_size": 512, "flash_attention": True},
        )

    def test_a_second_copy_has_an_id_of_its_own(self):
        copies = ((KEY, CONFIG), (f"{KEY}:2", {"context_length": 4096}))
        server = Server({**LOADED, "instance_id": f"{KEY}:2"}, listed=copies[:1], after=copies)
        assert manage(server, load()) == Instance(id=f"{KEY}:2", context_length=4096, shared_context=True)

    @pytest.mark.parametrize(
        ("quantization", "model", "tried"),
        [
            ("MXFP4", KEY, [KEY]),
            ("MXFP4", f"{KEY}@mxfp4", [KEY]),
            ("MXFP4", f"{KEY}@q8_0", [f"{KEY}@q8_0"]),
            (None, f"{KEY}@q8_0", [KEY]),
            ("MXFP4", "other@q8_0", ["other"]),
        ],
    )
    def test_the_key_stands_for_a_variant_that_it_may_be(self, quantization, model, tried):
        server = Server(LOADED, quantization=quantization)
        manage(server, load(model))
        assert [command["model"] for command in server.commands] == tried

    def test_the_variant_is_tried_where_the_key_is_not_known(self):
        unknown = reply(native("Invalid model identifier", "model_not_found"), status=404)
        server = Server(unknown, LOADED)
        manage(server, load(f"{KEY}@mxfp4"))
        assert [command["model"] for command in server.commands] == [KEY, f"{KEY}@mxfp4"]

    def test_an_unknown_model_comes_with_the_known_ones(self):
        unknown = reply(native('Invalid model identifier "gpt-oss".', "model_not_found"), status=404)
        error, text = refusal(Server(unknown), load("gpt-oss"))
        assert isinstance(error, errors.ModelNotFoundError)
        assert (text, error.available_models, error.nearest) == (
            "no server has a model named `gpt-oss`", (KEY,), (KEY,),
        )  # fmt: skip

    def test_what_the_load_said_stands_where_no_list_comes(self):
        instance = manage(Server(LOADED, after=None), load())
        assert (instance.id, instance.context_length, instance.shared_context) == (KEY, 16384, True)

    def test_a_model_that_is_not_listed_after_its_load_was_lost(self):
        error, text = refusal(Server(LOADED, after=()), load())
        assert (error.kind, error.retryable) == ("server", True)
        assert text == f"URL loaded `{KEY}` as `{KEY}` and has lost it at once"

    @pytest.mark.parametrize("status", [200, 500])
    def test_no_memory(self, status):
        body = {"error": {"type": "model_load_failed", "message": MEMORY}}
        error, text = refusal(Server(reply(body, status=status)), load())
        assert isinstance(error, errors.ModelMemoryError)
        assert error.required_bytes == 80 * 1024**3
        assert text == f"`{KEY}` on URL does not fit into memory (it needs about 80.0 GB): {MEMORY}"

    @pytest.mark.parametrize(
        ("answer", "kind", "message"),
        [
            (
                reply({"error": {"type": "model_load_failed", "message": "Failed to load LLM: abort"}}, status=500),
                "server", f"`{KEY}` on URL could not be loaded: Failed to load LLM: abort",
            ),
            (
                reply(native("Unrecognized key(s) in object: 'ttl'", "unrecognized_keys"), status=400),
                "request",
                f"`{KEY}` on URL does not take a setting that was sent: Unrecognized key(s) in object: 'ttl'",
            ),
            (
                reply({"error": "Unexpected endpoint or method. (POST /api/v1/models/load)"}), "request",
                f"`{KEY}` on URL is on a server that does not know this request: "
                "Unexpected endpoint or method. (POST /api/v1/models/load)",
            ),
            (
                reply({"status": "loaded"}), "server",
                f'URL was told to load `{KEY}` and does not say what it loaded: {{"status": "loaded"}}',
            ),
            (reply("<html><title>Hi</title></html>"), "server", f"`{KEY}` on URL failed: a web page titled “Hi”"),
            ((CUT,), "connection", "the connection to URL broke (Server disconnected without sending a response.)"),
        ],
    )  # fmt: skip
    def test_failure(self, answer, kind, message):
        # a broken connection is tried again once, on a new one
        error, text = refusal(Server(answer, answer), load())
        assert (error.kind, text) == (kind, message)

    def test_a_load_without_an_end(self, monkeypatch):
        monkeypatch.setattr("runner.edges.model_server.management.LOAD_SECONDS", 0.06)
        error, text = refusal(Server((STALL,)), load())
        assert (error.kind, text) == ("timeout", f"`{KEY}` on URL was not loaded within 0.001 min")

    def test_cancelling_lets_go_at_once(self):
        server = Server((STALL,))

        async def work(backend):
            await backend.catalogue()
            task = asyncio.create_task(backend.load(KEY, {}))
            await server.told.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        manage(server, work)

    def test_a_loaded_model_is_known_by_its_settings_of_reasoning(self):
        after = listing((f"{KEY}:2", CONFIG))
        after["models"][0]["capabilities"] = {"reasoning": {"allowed_options": ["low", "high"], "default": "low"}}
        answer = stream(delta(f"{KEY}:2", content="Hi"), delta(f"{KEY}:2", finish="stop"))
        server = Server({**LOADED, "instance_id": f"{KEY}:2"}, answer)
        server.after = after

        async def work(backend):
            instance = await backend.load(KEY, {})
            await backend.chat(
                ChatRequest(model=instance.id, messages=(Message("user", "x"),), sampling={"reasoning": "off"})
            )

        manage(server, work)
        assert server.commands[1]["reasoning_effort"] == "low"


class TestUnload:
    def test_what_is_sent(self):
        server = Server({"instance_id": KEY})
        manage(server, unload())
        assert (server.asked, server.commands) == ([("POST", "/api/v1/models/unload")], [{"instance_id": KEY}])

    @pytest.mark.parametrize(
        "answer",
        [
            reply(native("Invalid model identifier", "model_not_found"), status=404),
            reply(native("whatever", "not_found"), status=404),
            reply(native("Invalid model identifier", "model_not_found"), status=400),
            reply({"error": "No models loaded. Please load a model in the developer page"}, status=400),
        ],
    )
    def test_what_is_gone_already_is_done(self, answer):
        server = Server(answer)
        manage(server, unload())
        assert len(server.commands) == 1

    @pytest.mark.parametrize(
        ("answer", "kind", "message"),
        [
            (reply({"error": "boom"}, status=500), "server", f"`{KEY}` on URL failed: boom"),
            (reply({"error": "boom"}), "server", f"`{KEY}` on URL failed: boom"),
            (
                reply("<html><title>404</title></html>", status=404), "request",
                "URL does not know this request: a web page titled “404”",
            ),
            (
                reply(native("Missing required field 'instance_id'", "missing_required_parameter"), status=400),
                "request", f"`{KEY}` on URL refuses the request: Missing required field 'instance_id'",
            ),
        ],
    )  # fmt: skip
    def test_failure(self, answer, kind, message):
        error, text = refusal(Server(answer), unload())
        assert (error.kind, text) == (kind, message)


class TestDownload:
    def test_from_its_beginning_to_its_end(self):
        total = 2279145003
        begun = {"job_id": "job_4/9", "status": "downloading", "total_size_bytes": total}
        half = {**begun, "bytes_per_second": 1000, "downloaded_bytes": total - 5000}
        server = Server(begun, half, {**begun, "status": "completed", "downloaded_bytes": total})

        async def work(backend):
            first = await backend.download("ibm/granite-4-micro", "Q4_K_M")
            return [first, *[await backend.download_status(first.job) for _ in range(2)]]

        assert manage(server, work) == [
            Download(status="downloading", job="job_4/9", total_bytes=total),
            Download(status="downloading", job="job_4/9", bytes=total - 5000, total_bytes=total, seconds_left=5.0),
            Download(status="completed", job="job_4/9", bytes=total, total_bytes=total),
        ]
        assert server.commands[0] == {"model": "ibm/granite-4-micro", "quantization": "Q4_K_M"}
        assert server.asked[1:] == [("GET", "/api/v1/models/download/status/job_4%2F9")] * 2

    def test_what_is_there_already(self):
        found = manage(Server({"status": "already_downloaded"}), lambda backend: backend.download("a"))
        assert (found, found.over) == (Download(status="already_downloaded"), True)

    @pytest.mark.parametrize(
        ("status", "over"), [("downloading", False), ("paused", False), ("completed", True), ("failed", True)]
    )
    def test_what_is_over(self, status, over):
        found = manage(Server({"status": status}), lambda backend: backend.download_status("j"))
        assert (found.job, found.over) == ("j", over)

    @pytest.mark.parametrize(
        ("answer", "kind", "message"),
        [
            (
                reply(native("no such model", "model_not_found"), status=404), "model_not_found",
                "URL finds no model `a` to download: no such model",
            ),
            (reply({"status": "odd"}), "server", "URL says nothing known of the download of `a`: 'odd'"),
            (reply("no JSON"), "server", "`a` on URL failed: no JSON"),
            (reply({"error": "no space left"}, status=500), "server", "`a` on URL failed: no space left"),
        ],
    )  # fmt: skip
    def test_failure(self, answer, kind, message):
        error, text = refusal(Server(answer), lambda backend: backend.download("a"))
        assert (error.kind, text) == (kind, message)

    @pytest.mark.parametrize("status", [404, 400])
    def test_an_unknown_job(self, status):
        answer = reply({"error": {"type": "job_not_found", "message": "no such job"}}, status=status)
        error, text = refusal(Server(answer), lambda backend: backend.download_status("j"))
        assert (error.kind, text) == ("request", "URL knows no download `j`: no such job")


V0 = {"data": [{"id": "a", "state": "loaded"}]}
NAMES = {"data": [{"id": "a", "created": 1}]}
SERVERS = [
    pytest.param(
        {"/lmstudio-greeting": {"lmstudio": True}, "/api/v0/models": V0}, "an LM Studio older than 0.4", id="0.3.6"
    ),
    pytest.param(
        {"/lmstudio-greeting": {"lmstudio": True}, "/v1/models": NAMES}, "an LM Studio older than 0.3.6", id="0.3.5"
    ),
    pytest.param(
        {"/props": {"default_generation_settings": {}}, "/v1/models": NAMES}, "llama.cpp's server", id="llama.cpp"
    ),
    pytest.param(
        {"/api/version": {"version": "0.12"}, "/api/tags": {"models": []}, "/v1/models": NAMES},
        "Ollama, which loads on demand", id="Ollama",
    ),
    pytest.param({"/version": {"version": "0.11"}, "/v1/models": NAMES}, "vLLM", id="vLLM"),
    pytest.param({"/v1/models": NAMES}, "a server of no known kind", id="other"),
]  # fmt: skip


@pytest.mark.parametrize(("pages", "kind"), SERVERS)
def test_who_cannot_be_told_to_load_says_so_without_being_asked(pages, kind):
    posted = []

    def script(heard):
        if heard.method == "POST":
            posted.append(heard.path)
        return reply(pages[heard.path]) if heard.path in pages else unexpected(heard)

    tried = [(load("a"), "load `a`"), (unload("a"), "unload `a`"), (lambda b: b.download("a"), "download `a`")]
    for work, purpose in tried:
        error, text = refusal(script, work, errors.LLMValidationError)
        assert text == f"URL is {kind}, and cannot be told to {purpose}"
        assert error.hint
    assert posted == []
