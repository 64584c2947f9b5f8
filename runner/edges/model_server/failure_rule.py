"""What the texts of model servers mean: one table, read from the top, the first that fits decides.

The texts were reported by users of LM Studio 0.3 and 0.4, llama.cpp, Ollama and vLLM, or stand in their sources.
"""

from __future__ import annotations

from typing import Final

from runner.words.errors import (
    ContextError,
    FailureKind,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMRateLimitError,
    LLMResponseError,
    LLMValidationError,
    ModelMemoryError,
)
from runner.words.noun import noun


@noun
class Rule:
    """Texts, in lower case, that mean one thing. ``words`` follow the name of the model in the message."""

    texts: tuple[str, ...]
    make: type[LLMError]
    kind: FailureKind
    words: str
    hint: str | None = None


RULES: Final = (
    Rule(
        texts=("unexpected endpoint or method",),
        make=LLMValidationError, kind="request", words="is on a server that does not know this request",
        hint="the server is older than the interface asked for, or is no server of models",
    ),
    Rule(
        texts=(
            "invalid_api_key", "api token is required", "malformed lm studio api token", "authentication_error",
            "incorrect api key", "invalid api key",
        ),
        make=LLMAuthenticationError, kind="auth", words="",
    ),
    Rule(
        texts=(
            "exceeds the available context size", "context size has been exceeded", "does not fit in context length",
            "n_keep", "tokens to keep from the initial prompt", "trying to keep the first", "exceed_context_size_error",
            "maximum context length", "context_length_exceeded", "exceeds context window", "exceed context window",
            "longer than the maximum model length", "longer than the context length",
        ),
        make=ContextError, kind="context", words="has no room for the prompt",
        hint="shorten the prompt or the tool results, or load the model with a larger `context_length`",
    ),
    Rule(
        texts=(
            "insufficient system resources", "out of memory", "outofmemory", "not enough memory", "insufficient memory",
            "requires more system memory", "unable to allocate", "failed to allocate",
        ),
        make=ModelMemoryError, kind="overloaded", words="does not fit into memory",
        hint="unload other models, or load it with a smaller `context_length` or a smaller quantization",
    ),
    Rule(
        texts=("peer_keepalive_timeout",),
        make=LLMConnectionError, kind="connection", words="is on a linked machine that was lost",
    ),
    Rule(
        texts=(
            "model_load_failed", "failed to load model", "failed to load llm", "failed to load embedding",
            "error loading model",
        ),
        make=LLMResponseError, kind="server", words="could not be loaded",
        hint="load it by hand once: the server's own window says more",
    ),
    Rule(
        texts=("has crashed", "exit code", "runner process has terminated", "process no longer running"),
        make=LLMResponseError, kind="crash", words="crashed",
        hint="the same prompt twice: try a smaller context, another quantization, or fewer steps at once",
    ),
    Rule(
        texts=("model unloaded", "model is unloaded"),
        make=LLMResponseError, kind="crash", words="was unloaded while it worked",
        hint="load it explicitly, so that another model's loading does not push it out",
    ),
    Rule(
        texts=("no models loaded",),
        make=LLMResponseError, kind="server", words="is not loaded",
        hint="load it in LM Studio or with `lms load`, or switch on just-in-time loading",
    ),
    Rule(
        texts=("loading model", "model is loading", "still loading"),
        make=LLMResponseError, kind="server", words="is still loading",
        hint="wait until the server has read it",
    ),
    Rule(
        texts=("maximum pending requests exceeded", "server busy", "rate_limit_exceeded", "rate limit exceeded"),
        make=LLMRateLimitError, kind="rate_limit", words="asks to wait",
    ),
    Rule(
        texts=("failed to parse tool call arguments as json",),
        make=LLMValidationError, kind="request", words="was sent a tool call that its server cannot read",
        hint="a call in the conversation has broken arguments",
    ),
    Rule(
        texts=(
            "does not support tools", "--enable-auto-tool-choice", "--tool-call-parser", "tools param requires",
            "requires --jinja", "tool_choice", "tool choice",
        ),
        make=LLMValidationError, kind="request", words="cannot be given tools as they were asked for",
        hint="name another model, or start the server with what its text asks for",
    ),
    Rule(
        texts=(
            "does not support image", "image input is not supported", "images are not supported",
            "does not support vision", "at most 0 image", "is not a multimodal model",
        ),
        make=LLMValidationError, kind="request", words="takes no images",
        hint="name a model that sees (`bridge-run models` says which)",
    ),
    Rule(
        texts=("does not support thinking", "reasoning setting", "reasoning_effort", "think value"),
        make=LLMValidationError, kind="request", words="does not know this setting of `reasoning`",
        hint="leave `reasoning` out, or use one that the model has",
    ),
    Rule(
        texts=(
            "is not an embedding model", "is not an llm", "is not a language model", "does not support chat",
            "does not support generate", "does not support embeddings", "is not a chat model",
            "does not support chat completions",
        ),
        make=LLMValidationError, kind="request", words="is a model for something else",
        hint="name a model that chats: an embedding model does not",
    ),
    Rule(
        texts=(
            "jinja", "prompt template", "chat template", "roles must alternate", "must be at the beginning",
            "cannot pass both content and thinking", "cannot pass both content and reasoning",
        ),
        make=LLMValidationError, kind="request", words="has a prompt template that refuses this conversation",
        hint="update the model or its prompt template",
    ),
    Rule(
        texts=(
            "failed to parse grammar", "failed to initialize samplers", "invalid grammar", "failed to parse schema",
            "json schema conversion failed", "unrecognized schema", "error resolving ref", "grammar error",
            "json schema contains features not supported", "json schema error", "automatic parser generation failed",
            "response_format",
        ),
        make=LLMValidationError, kind="request", words="cannot be held to this schema of an output or a tool",
        hint="simplify the schema: no `pattern`, no long `maxLength`, no `$ref`",
    ),
    Rule(
        texts=("unrecognized key(s)", "unrecognized_keys", "extra inputs are not permitted", "unsupported parameter"),
        make=LLMValidationError, kind="request", words="does not take a setting that was sent",
        hint="leave out the setting that the text names",
    ),
    Rule(
        texts=(
            "invalid 'messages'", "'messages' field is required", "invalid 'content'", "missing required field",
            "missing_required_parameter",
        ),
        make=LLMValidationError, kind="request", words="refuses the request",
    ),
    Rule(
        texts=("does not match the expected peg", "failed to parse tool call", "failed to parse input at pos"),
        make=LLMResponseError, kind="server", words="wrote a tool call that its server cannot read",
    ),
)  # fmt: skip
