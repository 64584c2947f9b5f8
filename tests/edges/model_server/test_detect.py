"""Telling servers apart, and reading what they say of their models."""

from __future__ import annotations

import asyncio

import pytest
from kit.raw_server import CUT, STALL, raw_server, reply, unexpected

from runner.chat.catalogue import Instance, ModelEntry
from runner.edges.model_server.lmstudio import HttpBackend
from runner.words import errors

GREETING = {"lmstudio": True}
V1 = {
    "models": [
        {
            "type": "llm", "publisher": "google", "key": "google/gemma-4-26b-a4b", "display_name": "Gemma 4 26B A4B",
            "architecture": "gemma4", "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
            "size_bytes": 17990911801, "params_string": "26B-A4B",
            "loaded_instances": [
                {
                    "id": "google/gemma-4-26b-a4b",
                    "config": {
                        "context_length": 16384, "parallel": 4, "eval_batch_size": 512, "flash_attention": True,
                        "remaining_ttl_seconds": 61, "reasoning_budget_message": "", "odd": {},
                    },
                },
                {"id": "mine", "config": {"context_length": 4096}},
            ],
            "max_context_length": 262144, "format": "gguf",
            "capabilities": {
                "vision": True, "trained_for_tool_use": True,
                "reasoning": {"allowed_options": ["off", "on"], "default": "on"},
            },
            "description": None, "variants": ["google/gemma-4-26b-a4b@q4_k_m"],
            "selected_variant": "google/gemma-4-26b-a4b@q4_k_m",
        },
        {
            "type": "embedding", "publisher": "nomic-ai", "key": "text-embedding-nomic-embed-text-v1.5",
            "quantization": None, "params_string": None, "loaded_instances": [], "format": "gguf",
        },
    ]
}  # fmt: skip
V0 = {
    "object": "list",
    "data": [
        {"id": "qwen2-vl-7b", "type": "vlm", "publisher": "mlx-community", "arch": "qwen2_vl",
         "compatibility_type": "mlx", "quantization": "4bit",
         "state": "loaded", "max_context_length": 32768, "loaded_context_length": 8192,
         "capabilities": ["tool_use"]},
        {"id": "qwen2-vl-7b:2", "type": "vlm", "state": "loaded", "loaded_context_length": 4096},
        {"id": "nomic", "type": "embeddings", "state": "not-loaded"},
    ],
}  # fmt: skip
NAMES = {
    "data": [
        {"id": "qwen3-8b", "object": "model", "owned_by": "organization_owner"},
        {"id": "text-embedding-nomic", "object": "model", "owned_by": "organization_owner"},
    ],
    "object": "list",
}
PROPS = {
    "default_generation_settings": {"n_ctx": 512}, "total_slots": 2, "modalities": {"vision": False},
    "chat_template_caps": {"supports_tool_calls": True},
}  # fmt: skip
TAGS = {
    "models": [
        {"name": "llama3:latest", "size": 4661224676,
         "details": {"format": "gguf", "family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_0"}},
        {"name": "qwen3:4b", "details": None},
    ]
}  # fmt: skip
HTML = "<html><head><title>Welcome to nginx!</title></head></html>"


def missing(heard):
    """What servers other than LM Studio say to a route that they do not know."""
    return reply({"detail": "Not Found"}, status=404)


def catalogue(pages, otherwise=unexpected):
    """What a server with these pages is taken for, and the paths that it was asked for."""

    def script(heard):
        page = pages.get(heard.path)
        return otherwise(heard) if page is None else page if isinstance(page, tuple) else reply(page)

    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url)
            try:
                found = await backend.catalogue()
            finally:
                await backend.close()
            assert found.endpoint == server.url
            return found, [heard.path for heard in server.heard]

    return asyncio.run(run())


def refusal(script, error):
    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url)
            try:
                with pytest.raises(error) as caught:
                    await backend.catalogue()
            finally:
                await backend.close()
            return str(caught.value).replace(server.url, "URL"), caught.value.hint

    return asyncio.run(run())


def test_lm_studio_04_costs_two_questions_at_once():
    found, asked = catalogue({"/lmstudio-greeting": GREETING, "/api/v1/models": V1})
    assert sorted(asked) == ["/api/v1/models", "/lmstudio-greeting"]
    assert (found.flavour, found.notes) == ("lmstudio-v1", ())
    assert (found.name, found.manages, found.loads_on_demand) == (None, True, True)
    assert found.models == (
        ModelEntry(
            key="google/gemma-4-26b-a4b", type="llm", publisher="google", architecture="gemma4", quantization="Q4_K_M",
            format="gguf", size_bytes=17990911801, parameters="26B-A4B", max_context_length=262144, vision=True,
            tool_use=True, reasoning_options=("off", "on"), reasoning_default="on",
            variants=("google/gemma-4-26b-a4b@q4_k_m",),
            instances=(
                Instance(
                    id="google/gemma-4-26b-a4b", context_length=16384, parallel=4, shared_context=True,
                    config={"eval_batch_size": 512, "flash_attention": True},
                ),
                Instance(id="mine", context_length=4096, shared_context=True),
            ),
            loaded=True,
        ),
        ModelEntry(
            key="text-embedding-nomic-embed-text-v1.5", type="embedding", publisher="nomic-ai", format="gguf",
            loaded=False,
        ),
    )  # fmt: skip


def test_lm_studio_with_nothing_downloaded():
    found, _ = catalogue({"/lmstudio-greeting": GREETING, "/api/v1/models": {"models": []}})
    assert (found.flavour, found.models) == ("lmstudio-v1", ())


def test_lm_studio_behind_a_proxy_that_hides_the_greeting():
    assert catalogue({"/api/v1/models": V1}, missing)[0].flavour == "lmstudio-v1"


def test_lm_studio_03_says_less():
    found, asked = catalogue({"/lmstudio-greeting": GREETING, "/api/v0/models": V0, "/v1/models": NAMES})
    assert len(asked) == 4
    assert (found.flavour, found.manages, found.loads_on_demand) == ("lmstudio-v0", False, True)
    assert found.notes == (
        "this LM Studio is older than 0.4: it does not say which reasoning settings or how many slots a model has, "
        "and cannot be told to load one",
    )
    assert found.models == (
        ModelEntry(
            key="qwen2-vl-7b", type="vlm", publisher="mlx-community", architecture="qwen2_vl", quantization="4bit",
            format="mlx", max_context_length=32768, vision=True, tool_use=True, loaded=True,
            instances=(
                Instance(id="qwen2-vl-7b", context_length=8192, shared_context=True),
                Instance(id="qwen2-vl-7b:2", context_length=4096, shared_context=True),
            ),
        ),
        ModelEntry(key="nomic", type="embedding", loaded=False),
    )  # fmt: skip


@pytest.mark.parametrize("greeting", [GREETING, None])
def test_lm_studio_before_036_only_names_its_models(greeting):
    found, _ = catalogue({"/lmstudio-greeting": greeting, "/v1/models": NAMES})
    assert found.flavour == "lmstudio"
    assert found.notes == (
        "this LM Studio is older than 0.3.6: it names its models, but not which are loaded nor their context, "
        "and cannot be told to load one",
    )
    assert found.models == (ModelEntry(key="qwen3-8b"), ModelEntry(key="text-embedding-nomic", type="embedding"))


def test_llama_cpp():
    row = {
        "id": "tiny",
        "aliases": ["tiny", "t"],
        "owned_by": "llamacpp",
        "created": 1,
        "meta": {"n_ctx_train": 8192, "size": 9},
    }
    found, asked = catalogue({"/props": PROPS, "/v1/models": {"models": [], "data": [row]}}, missing)
    assert len(asked) == 7
    assert found.flavour == "llama.cpp"
    assert found.models == (
        ModelEntry(
            key="tiny", type="llm", format="gguf", size_bytes=9, max_context_length=8192, vision=False, tool_use=True,
            variants=("t",), instances=(Instance(id="tiny", context_length=512, parallel=2),), loaded=True,
        ),
    )  # fmt: skip


def test_llama_cpp_with_several_models():
    rows = [{"id": "a", "status": {"value": "loaded"}}, {"id": "b", "status": {"value": "unloaded"}}]
    found, _ = catalogue({"/props": PROPS, "/v1/models": {"data": rows}}, missing)
    assert [(model.key, model.loaded) for model in found.models] == [("a", True), ("b", False)]


def test_ollama():
    pages = {
        "/api/version": {"version": "0.12.3"},
        "/api/tags": TAGS,
        "/api/ps": {"models": [{"name": "qwen3:4b", "context_length": 4096}]},
        "/v1/models": {"data": [{"id": "llama3:latest", "created": 1}]},
    }
    found, _ = catalogue(pages, missing)
    assert found.flavour == "ollama"
    assert found.models == (
        ModelEntry(
            key="llama3:latest", type="llm", architecture="llama", quantization="Q4_0", format="gguf",
            size_bytes=4661224676, parameters="8.0B", variants=("llama3",), loaded=False,
        ),
        ModelEntry(
            key="qwen3:4b", type="llm", instances=(Instance(id="qwen3:4b", context_length=4096),), loaded=True
        ),
    )  # fmt: skip


SHOWN = {
    "capabilities": ["completion", "tools", "thinking"],
    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
}


def ollama(shown, tags=TAGS, running=("qwen3:4b",), **settings):
    """The models of an Ollama that shows ``shown``, and those of which it was asked to."""
    pages = {
        "/api/version": {"version": "0.12.3"},
        "/api/tags": tags,
        "/api/ps": {"models": [{"name": name, "context_length": 4096} for name in running]},
        "/api/show": shown,
    }
    asked = []

    def script(heard):
        if heard.path == "/api/show":
            asked.append(heard.json["model"])
        page = pages.get(heard.path)
        return missing(heard) if page is None else page if isinstance(page, tuple) else reply(page)

    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url, **settings)
            try:
                return await backend.catalogue()
            finally:
                await backend.close()

    found = asyncio.run(run())
    return {model.key: model for model in found.models}, sorted(asked), found


def test_ollama_is_asked_what_a_model_can_do_only_of_those_that_are_loaded_or_named():
    models, asked, found = ollama(SHOWN)
    assert asked == ["qwen3:4b"]
    qwen = models["qwen3:4b"]
    assert (qwen.tool_use, qwen.vision, qwen.reasoning_options) == (True, False, ("off", "on"))
    assert (qwen.max_context_length, qwen.instances[0].context_length) == (40960, 4096)
    assert models["llama3:latest"].tool_use is None
    assert (found.manages, found.loads_on_demand) == (False, True)
    assert found.notes == (
        "Ollama cuts a prompt that exceeds a model's `num_ctx` without a word, and takes no `top_k` or `min_p`",
    )
    assert ollama(SHOWN, named=("LLAMA3",))[1] == ["llama3:latest", "qwen3:4b"]
    assert ollama(SHOWN, running=())[1] == []


@pytest.mark.parametrize(
    ("capabilities", "architecture", "type_", "options"),
    [
        (["embedding"], "bert", "embedding", ()),
        (["completion", "vision"], "gemma3", "llm", ()),
        (["completion", "thinking"], "gptoss", "llm", ("low", "medium", "high")),
    ],
)
def test_what_ollama_says_a_model_can_do(capabilities, architecture, type_, options):
    tags = {"models": [{"name": "m", "details": {"family": architecture}}]}
    models, _, _ = ollama({"capabilities": capabilities}, tags, running=("m",))
    assert (models["m"].type, models["m"].vision, models["m"].reasoning_options) == (
        type_, "vision" in capabilities, options,
    )  # fmt: skip
    assert models["m"].max_context_length is None


@pytest.mark.parametrize("shown", [None, {}, reply("no JSON"), reply("", status=500), (CUT,), {"model_info": []}])
def test_an_ollama_that_shows_nothing_still_has_its_models(shown):
    models, _, _ = ollama(shown)
    assert (models["qwen3:4b"].tool_use, models["qwen3:4b"].loaded) == (None, True)


@pytest.mark.parametrize("lost", [reply("", status=500), reply({"error": "busy"}, status=503), (CUT,)])
def test_an_lm_studio_whose_newer_list_does_not_come_is_not_called_old(lost):
    pages = {"/lmstudio-greeting": GREETING, "/api/v1/models": lost, "/api/v0/models": V0, "/v1/models": NAMES}
    found, _ = catalogue(pages)
    assert (found.flavour, found.manages) == ("lmstudio-v0", False)
    assert found.notes == (
        "this LM Studio did not give its list of models: an older one is used, which does not say which reasoning "
        "settings or how many slots a model has, and nothing can be loaded",
    )


def test_vllm():
    row = {"id": "Qwen/Qwen3-8B", "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 40960}
    found, _ = catalogue({"/version": {"version": "0.11.0"}, "/v1/models": {"data": [row]}}, missing)
    assert found.flavour == "vllm"
    instance = Instance(id="Qwen/Qwen3-8B", context_length=40960)
    assert found.models == (
        ModelEntry(key="Qwen/Qwen3-8B", max_context_length=40960, instances=(instance,), loaded=True),
    )


def test_any_other_server():
    found, _ = catalogue({"/v1/models": {"data": [{"id": "m", "created": 1}]}}, missing)
    assert (found.flavour, found.models) == ("openai", (ModelEntry(key="m"),))
    assert (found.manages, found.loads_on_demand) == (False, False)
    assert found.notes == ("this server names its models, but does not say which are loaded nor what they can do",)


@pytest.mark.parametrize("odd", [None, 7, "text", [], [None], {"id": 3}, {"name": {}}])
@pytest.mark.parametrize(
    "field",
    ["type", "publisher", "architecture", "quantization", "size_bytes", "params_string", "loaded_instances",
     "max_context_length", "format", "capabilities", "variants", "selected_variant"],
)  # fmt: skip
def test_an_odd_field_costs_that_field_alone(field, odd):
    row = {**V1["models"][0], field: odd}
    found, _ = catalogue({"/lmstudio-greeting": GREETING, "/api/v1/models": {"models": [odd, row]}})
    assert [model.key for model in found.models] == ["google/gemma-4-26b-a4b"]


class TestRefusals:
    def test_nothing_listens(self):
        async def run():
            async with raw_server((CUT,)) as server:
                url = server.url
            backend = HttpBackend(url)
            with pytest.raises(errors.LLMConnectionError) as caught:
                await backend.catalogue()
            await backend.close()
            return str(caught.value).replace(url, "URL"), caught.value.hint

        assert asyncio.run(run()) == (
            "no connection to URL: refused, nothing listens there",
            "start the server (LM Studio: Developer > Start server, or `lms server start`), "
            "or name another with --endpoint",
        )

    def test_a_server_that_accepts_and_says_nothing(self, monkeypatch):
        monkeypatch.setattr("runner.edges.model_server.detect.LIST_SECONDS", 0.05)
        monkeypatch.setattr("runner.edges.model_server.detect.MARK_SECONDS", 0.05)
        assert refusal((STALL,), errors.LLMConnectionError)[0] == "URL did not answer within 0.05 s"

    def test_something_that_is_not_http(self):
        text, hint = refusal((b"220 mail.example.org ESMTP\r\n\r\n", CUT), errors.LLMResponseError)
        assert text.startswith("what answers at URL does not speak HTTP (illegal status line")
        assert hint == "is this the address of a server of models?"

    @pytest.mark.parametrize(
        ("script", "looks"),
        [
            (reply(HTML, status=404, kind="text/html"), "status 404, a web page titled “Welcome to nginx!”"),
            (reply(HTML, kind="text/html"), "status 200, a web page titled “Welcome to nginx!”"),
            (
                reply("", status=301, headers="Location: https://example.org/login\r\n"),
                "it sends on to https://example.org/login",
            ),
            (
                reply("", status=302, headers="Location: https://me:pass@example.org/a@b?token=abc#d\r\n"),
                "it sends on to https://example.org/a@b",
            ),
            (reply({"hello": "world"}), 'status 200, {"hello": "world"}'),
            (reply({"data": 3}), 'status 200, {"data": 3}'),
            (reply(b"\x1b[31m\xff\x00"), "status 200, [31m\ufffd"),
            (reply("", status=502), "status 502, no text"),
        ],
    )
    def test_something_that_is_no_server_of_models(self, script, looks):
        text, hint = refusal(script, errors.LLMResponseError)
        assert text == f"URL answers, but is no server of models: GET /v1/models gave {looks}"
        assert hint == "check the address and the port; for a server behind a path, give the part before /v1"

    @pytest.mark.parametrize(
        ("script", "retryable"),
        [
            (reply(HTML, kind="text/html"), False),
            (reply("", status=404), False),
            (reply("", status=301), False),
            ((b"220 mail.example.org ESMTP\r\n\r\n", CUT), False),
            (reply("", status=502), True),
        ],
    )
    def test_asking_again_helps_only_where_the_trouble_may_pass(self, script, retryable):
        async def run():
            async with raw_server(script) as server:
                backend = HttpBackend(server.url)
                with pytest.raises(errors.LLMResponseError) as caught:
                    await backend.catalogue()
                await backend.close()
                return caught.value.retryable

        assert asyncio.run(run()) is retryable

    @pytest.mark.parametrize("greets", [True, False])
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_token_is_wanted(self, status, greets):
        refused = reply(
            {"error": {"message": "An LM Studio API token is required", "code": "invalid_api_key"}}, status=status
        )

        def script(heard):
            return reply(GREETING) if greets and heard.path == "/lmstudio-greeting" else refused

        text, hint = refusal(script, errors.LLMAuthenticationError)
        assert text == "URL refuses the token: An LM Studio API token is required"
        assert hint == "set LM_API_TOKEN to a token that the server knows"
