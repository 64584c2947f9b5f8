"""The catalogue of complaints: what servers of models say when they refuse or fail, and what each means.

One row: how it is said, its HTTP status, the body; the class, the kind, whether it is retried, the whole message.
``plain`` is a body of its own; ``event`` an error event after a word, ``first`` before any; ``data`` an event without
the line of its type.
"""

from __future__ import annotations

import json

from kit.raw_server import DONE, delta, reply, stream

from runner.words import errors

NAME = "`qwen3` on URL"
ROOM = f"{NAME} has no room for the prompt: "
NO_MEMORY = f"{NAME} does not fit into memory"
MEMORY = f"{NO_MEMORY}: "
TEMPLATE = f"{NAME} has a prompt template that refuses this conversation: "
SCHEMA = f"{NAME} cannot be held to this schema of an output or a tool: "
TOOLS = f"{NAME} cannot be given tools as they were asked for: "
EYES = f"{NAME} takes no images: "
LEVEL = f"{NAME} does not know this setting of `reasoning`: "
OTHER = f"{NAME} is a model for something else: "
UNREAD = f"{NAME} wrote a tool call that its server cannot read: "
CRASHED = f"{NAME} crashed: "
UNLOADABLE = f"{NAME} could not be loaded: "
REFUSES = f"{NAME} refuses the request: "
SETTING = f"{NAME} does not take a setting that was sent: "
WAIT = f"{NAME} asks to wait: "
MISSING = "no server has a model named `qwen3`"
TOKEN = "URL refuses the token: "

NO_MODELS = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
KEEP = (
    "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context "
    "length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide "
    "a shorter input"
)
N_KEEP = (
    "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= n_ctx: "
    "4096). Try to load the model with a larger context length, or provide a shorter input."
)
ENGINE = "request (17246 tokens) exceeds the available context size (8192 tokens), try increasing it"
POOL = "Context size has been exceeded."
GUARD = (
    "Failed to load LLM 'x': Error: Model loading was stopped due to insufficient system resources. Under the current "
    "settings, this model requires approximately 80.5 GB of memory."
)
NO_TOKEN = "An LM Studio API token is required to make requests to this server, but none was provided."
BAD_TOKEN = "Malformed LM Studio API token provided: sk-bogus-E**** Ensure you are using a valid token."
MLX = (
    "Input does not fit in context length. The input has 31430 tokens, but the context length only supports 30000 "
    "tokens."
)
JINJA = 'Error rendering prompt with jinja template: "Conversation roles must alternate".'
UNSAID = "The model has crashed without additional information. (Exit code: null)"
CRASH = "The model has crashed without additional information. (Exit code: 6)"
IMAGES = "The provided messages contain images, but qwen3 does not support image inputs."
OLLAMA_SIZE = "model requires more system memory (20.1 GiB) than is available (9.9 GiB)"
VLLM_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
LONG_VLLM = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, "
    "1000 in the completion)."
)


def flat(text):
    return {"error": text}


def nested(message, **fields):
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


def native(message, **fields):
    return {"error": {"type": "invalid_request", "message": message, **fields}}


def sse(message):
    return {"error": {"message": message}, "message": message}


def llama(message, status, kind="invalid_request_error", **fields):
    return {"error": {"code": status, "message": message, "type": kind, **fields}}


def vllm(message, status=400, kind="BadRequestError"):
    return {"object": "error", "message": message, "type": kind, "code": status}


def engine(text, code=500):
    body = json.dumps({"code": code, "message": text, "type": "server_error"})
    return flat(f"Engine protocol predict stream returned an error: {body}")


ENGINE_400 = flat(
    "Engine protocol predict request returned 400: "
    + json.dumps(llama(ENGINE, 400, "exceed_context_size_error", n_prompt_tokens=17246, n_ctx=8192))
)

E = errors
ROWS = [
    # a prompt that is too long
    ("plain", 400, engine(POOL), E.ContextError, "context", False, ROOM + POOL),
    ("event", 200, sse(POOL), E.ContextError, "context", False, ROOM + POOL),
    ("plain", 400, ENGINE_400, E.ContextError, "context", False, ROOM + ENGINE),
    ("event", 200, sse(MLX), E.ContextError, "context", False, ROOM + MLX),
    ("first", 200, sse(MLX), E.ContextError, "context", False, ROOM + MLX),
    ("plain", 400, flat(KEEP), E.ContextError, "context", False, ROOM + KEEP),
    ("plain", 400, flat(N_KEEP), E.ContextError, "context", False, ROOM + N_KEEP),
    ("event", 200, flat("Cannot truncate prompt with n_keep (4270) >= n_ctx (4096)"), E.ContextError, "context", False,
     ROOM + "Cannot truncate prompt with n_keep (4270) >= n_ctx (4096)"),
    ("plain", 400, llama(ENGINE, 400, "exceed_context_size_error"), E.ContextError, "context", False, ROOM + ENGINE),
    ("data", 200, llama(ENGINE, 400, "exceed_context_size_error"), E.ContextError, "context", False, ROOM + ENGINE),
    ("plain", 400, vllm(LONG_VLLM), E.ContextError, "context", False, ROOM + LONG_VLLM),
    ("plain", 400, nested("Requested tokens (3000) exceed context window of 2048", code="context_length_exceeded"),
     E.ContextError, "context", False, ROOM + "Requested tokens (3000) exceed context window of 2048"),
    # memory
    ("plain", 500, {"error": {"type": "model_load_failed", "message": GUARD}}, E.ModelMemoryError, "overloaded", True,
     f"{NO_MEMORY} (it needs about 80.5 GB): {GUARD}"),
    ("plain", 200, {"error": {"type": "model_load_failed", "message": GUARD}}, E.ModelMemoryError, "overloaded", True,
     f"{NO_MEMORY} (it needs about 80.5 GB): {GUARD}"),
    ("plain", 500, flat(OLLAMA_SIZE), E.ModelMemoryError, "overloaded", True,
     f"{NO_MEMORY} (it needs about 20.1 GB, 9.9 GB are available): {OLLAMA_SIZE}"),
    ("event", 200, sse("CUDA error: out of memory"), E.ModelMemoryError, "overloaded", True,
     MEMORY + "CUDA error: out of memory"),
    ("data", 200, flat("[METAL] Command buffer execution failed: Insufficient Memory"), E.ModelMemoryError,
     "overloaded", True, MEMORY + "[METAL] Command buffer execution failed: Insufficient Memory"),
    # the engine, and what becomes of models
    ("plain", 400, flat(UNSAID), E.LLMResponseError, "crash", True, CRASHED + UNSAID),
    ("event", 200, sse(CRASH), E.LLMResponseError, "crash", True, CRASHED + CRASH),
    ("first", 200, sse(CRASH), E.LLMResponseError, "crash", True, CRASHED + CRASH),
    ("plain", 400, flat(CRASH.replace("6", "18446744072635812000")), E.LLMResponseError, "crash", True,
     CRASHED + CRASH.replace("6", "18446744072635812000")),
    ("plain", 500, flat("llama runner process has terminated: signal: killed"), E.LLMResponseError, "crash", True,
     CRASHED + "llama runner process has terminated: signal: killed"),
    ("plain", 400, flat("Model unloaded."), E.LLMResponseError, "crash", True,
     f"{NAME} was unloaded while it worked: Model unloaded."),
    ("event", 200, sse("Model is unloaded."), E.LLMResponseError, "crash", True,
     f"{NAME} was unloaded while it worked: Model is unloaded."),
    ("plain", 400, nested(NO_MODELS, param="model", code=None), E.LLMResponseError, "server", True,
     f"{NAME} is not loaded: {NO_MODELS}"),
    ("plain", 404, nested(NO_MODELS, param="model", code=None), E.LLMResponseError, "server", True,
     f"{NAME} is not loaded: {NO_MODELS}"),
    ("plain", 400, {"error": {"message": 'Failed to load model "x". Error: Failed to load model.'}}, E.LLMResponseError,
     "server", True, UNLOADABLE + 'Failed to load model "x". Error: Failed to load model.'),
    ("plain", 500, {"error": {"type": "model_load_failed", "message": "Error: aborted (Exit code: 6)"}},
     E.LLMResponseError, "server", True, UNLOADABLE + "Error: aborted (Exit code: 6)"),
    ("plain", 500, flat("error loading model: file not found"), E.LLMResponseError, "server", True,
     UNLOADABLE + "error loading model: file not found"),
    ("plain", 503, llama("Loading model", 503, "unavailable_error"), E.LLMResponseError, "server", True,
     f"{NAME} is still loading: Loading model"),
    ("data", 200, llama("Loading model", 503, "unavailable_error"), E.LLMResponseError, "server", True,
     f"{NAME} is still loading: Loading model"),
    ("plain", 400, flat("peer_keepalive_timeout"), E.LLMConnectionError, "connection", True,
     f"{NAME} is on a linked machine that was lost: peer_keepalive_timeout"),
    ("event", 200, sse("peer_keepalive_timeout"), E.LLMConnectionError, "connection", True,
     f"{NAME} is on a linked machine that was lost: peer_keepalive_timeout"),
    # tokens
    ("plain", 401, native(NO_TOKEN, code="invalid_api_key"), E.LLMAuthenticationError, "auth", False,
     TOKEN + NO_TOKEN),
    ("plain", 401, native(BAD_TOKEN, code="invalid_api_key"), E.LLMAuthenticationError, "auth", False,
     TOKEN + BAD_TOKEN),
    ("plain", 200, native(BAD_TOKEN, code="invalid_api_key"), E.LLMAuthenticationError, "auth", False,
     TOKEN + BAD_TOKEN),
    ("data", 200, llama("Invalid API Key", 401, "authentication_error"), E.LLMAuthenticationError, "auth", False,
     TOKEN + "Invalid API Key"),
    ("plain", 403, native("Permission denied to use plugin 'mcp/playwright'."), E.LLMAuthenticationError, "auth", False,
     TOKEN + "Permission denied to use plugin 'mcp/playwright'."),
    ("plain", 401, "Unauthorized", E.LLMAuthenticationError, "auth", False, TOKEN + "Unauthorized"),
    # the model's name
    ("plain", 400, nested('Invalid model identifier "x".', code="model_not_found"), E.ModelNotFoundError,
     "model_not_found", False, MISSING),
    ("plain", 400, nested("Multiple models are loaded. Please specify a model.", code="model_not_found"),
     E.ModelNotFoundError, "model_not_found", False, MISSING),
    ("plain", 400, flat("Invalid model identifier 'x'. There are no downloaded llm models."), E.ModelNotFoundError,
     "model_not_found", False, MISSING),
    ("plain", 404, flat('Model "x" not found. Please specify a valid model.\n\nYour models:'), E.ModelNotFoundError,
     "model_not_found", False, MISSING),
    ("plain", 404, {"error": {"message": "model 'x' not found", "type": "api_error"}}, E.ModelNotFoundError,
     "model_not_found", False, MISSING),
    ("plain", 404, vllm("The model `x` does not exist.", 404, "NotFoundError"), E.ModelNotFoundError,
     "model_not_found", False, MISSING),
    # what was asked
    ("plain", 400, flat("'messages' field is required"), E.LLMValidationError, "request", False,
     REFUSES + "'messages' field is required"),
    ("event", 200, sse("Invalid 'messages' in payload"), E.LLMValidationError, "request", False,
     REFUSES + "Invalid 'messages' in payload"),
    ("plain", 400, flat("Invalid 'content': 'content' objects must have a 'type' field"), E.LLMValidationError,
     "request", False, REFUSES + "Invalid 'content': 'content' objects must have a 'type' field"),
    ("plain", 400, native("Missing required field 'instance_id'", code="missing_required_parameter"),
     E.LLMValidationError, "request", False, REFUSES + "Missing required field 'instance_id'"),
    ("plain", 400, native("Unrecognized key(s) in object: 'ttl'", code="unrecognized_keys"), E.LLMValidationError,
     "request", False, SETTING + "Unrecognized key(s) in object: 'ttl'"),
    ("plain", 400, flat("Invalid tool_choice type: 'object'. Supported string values: none, auto, required"),
     E.LLMValidationError, "request", False,
     TOOLS + "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"),
    ("plain", 400, {"error": {"message": "registry.ollama.ai/library/gemma:2b does not support tools",
                              "type": "api_error"}},
     E.LLMValidationError, "request", False, TOOLS + "registry.ollama.ai/library/gemma:2b does not support tools"),
    ("plain", 400, vllm(VLLM_TOOLS), E.LLMValidationError, "request", False, TOOLS + VLLM_TOOLS),
    ("plain", 500, llama("tools param requires --jinja flag", 500, "server_error"), E.LLMValidationError, "request",
     False, TOOLS + "tools param requires --jinja flag"),
    ("plain", 400, nested(IMAGES, param="messages", code="invalid_value"), E.LLMValidationError, "request", False,
     EYES + IMAGES),
    ("plain", 500, llama("image input is not supported - hint: provide the mmproj", 500, "server_error"),
     E.LLMValidationError, "request", False, EYES + "image input is not supported - hint: provide the mmproj"),
    ("plain", 400, native("Reasoning setting 'off' is not supported by model 'x'.", code="invalid_value"),
     E.LLMValidationError, "request", False, LEVEL + "Reasoning setting 'off' is not supported by model 'x'."),
    ("plain", 400, flat('"llama3" does not support thinking'), E.LLMValidationError, "request", False,
     LEVEL + '"llama3" does not support thinking'),
    ("plain", 400, nested("Model 'nomic' is not an LLM."), E.LLMValidationError, "request", False,
     OTHER + "Model 'nomic' is not an LLM."),
    ("plain", 400, flat('"all-minilm:latest" does not support chat'), E.LLMValidationError, "request", False,
     OTHER + '"all-minilm:latest" does not support chat'),
    ("plain", 400, flat(JINJA + "\n\nThis is usually an issue with the model."), E.LLMValidationError, "request", False,
     TEMPLATE + JINJA + " This is usually an issue with the model."),
    ("event", 200, sse(JINJA), E.LLMValidationError, "request", False, TEMPLATE + JINJA),
    ("first", 200, sse("Cannot pass both content and thinking in an assistant message with tool calls!"),
     E.LLMValidationError, "request", False,
     TEMPLATE + "Cannot pass both content and thinking in an assistant message with tool calls!"),
    ("plain", 400, flat("'response_format.type' must be 'json_schema' or 'text'"), E.LLMValidationError, "request",
     False, SCHEMA + "'response_format.type' must be 'json_schema' or 'text'"),
    ("plain", 400, flat("Failed to initialize samplers: failed to parse grammar"), E.LLMValidationError, "request",
     False, SCHEMA + "Failed to initialize samplers: failed to parse grammar"),
    ("event", 200, sse("Failed to initialize samplers: failed to parse grammar"), E.LLMValidationError, "request",
     False, SCHEMA + "Failed to initialize samplers: failed to parse grammar"),
    ("plain", 400, llama("JSON schema conversion failed: Unrecognized schema: 3", 400), E.LLMValidationError, "request",
     False, SCHEMA + "JSON schema conversion failed: Unrecognized schema: 3"),
    ("plain", 400, llama("Automatic parser generation failed: JSON schema error at #: x not found", 400),
     E.LLMValidationError, "request", False,
     SCHEMA + "Automatic parser generation failed: JSON schema error at #: x not found"),
    ("plain", 500, llama("Failed to parse tool call arguments as JSON: unexpected end", 500, "server_error"),
     E.LLMValidationError, "request", False,
     f"{NAME} was sent a tool call that its server cannot read: "
     "Failed to parse tool call arguments as JSON: unexpected end"),
    ("event", 200, sse("The model produced output that does not match the expected peg-native format"),
     E.LLMResponseError, "server", True,
     UNREAD + "The model produced output that does not match the expected peg-native format"),
    ("plain", 500, flat("Failed to parse tool call: Extra content after end of tool call"), E.LLMResponseError,
     "server", True, UNREAD + "Failed to parse tool call: Extra content after end of tool call"),
    # the wrong address
    ("plain", 200, flat("Unexpected endpoint or method. (POST /v1/chat/completions)"), E.LLMValidationError, "request",
     False, f"{NAME} is on a server that does not know this request: "
     "Unexpected endpoint or method. (POST /v1/chat/completions)"),
    ("plain", 404, llama("File Not Found", 404, "not_found_error"), E.LLMValidationError, "request", False,
     "URL does not know this request: File Not Found"),
    ("plain", 405, {"detail": "Method Not Allowed"}, E.LLMValidationError, "request", False,
     "URL does not know this request: Method Not Allowed"),
    ("plain", 308, "", E.LLMValidationError, "request", False,
     "URL sends this request on to another address (HTTP status 308, no text)"),
    # waiting
    ("plain", 429, nested("Rate limit exceeded", type="requests", code="rate_limit_exceeded"), E.LLMRateLimitError,
     "rate_limit", True, WAIT + "Rate limit exceeded"),
    ("plain", 429, "slow down", E.LLMRateLimitError, "rate_limit", True, WAIT + "slow down"),
    ("plain", 503, flat("server busy, please try again.  maximum pending requests exceeded"), E.LLMRateLimitError,
     "rate_limit", True, WAIT + "server busy, please try again. maximum pending requests exceeded"),
    ("plain", 504, "<html><title>504 Gateway Time-out</title></html>", E.LLMTimeoutError, "timeout", True,
     f"{NAME} did not answer in time: a web page titled “504 Gateway Time-out”"),
    ("plain", 524, "", E.LLMTimeoutError, "timeout", True, f"{NAME} did not answer in time (HTTP status 524, no text)"),
    ("plain", 408, "", E.LLMTimeoutError, "timeout", True, f"{NAME} did not answer in time (HTTP status 408, no text)"),
    # what is not known is told by its status, or by what it says of itself
    ("plain", 500, {"type": "error", "error": {"type": "api_error", "message": "boom"}}, E.LLMResponseError, "server",
     True, f"{NAME} failed: boom"),
    ("plain", 502, "<html><title>502 Bad Gateway</title></html>", E.LLMResponseError, "server", True,
     f"{NAME} failed: a web page titled “502 Bad Gateway”"),
    ("plain", 500, "Internal Server Error", E.LLMResponseError, "server", True,
     f"{NAME} failed: Internal Server Error"),
    ("plain", 503, "", E.LLMResponseError, "server", True, f"{NAME} failed (HTTP status 503, no text)"),
    ("plain", 400, flat("boom"), E.LLMValidationError, "request", False, REFUSES + "boom"),
    ("plain", 413, "<html><title>413 Too Large</title></html>", E.LLMValidationError, "request", False,
     REFUSES + "a web page titled “413 Too Large”"),
    ("plain", 422, {"detail": [{"msg": "Field required"}]}, E.LLMValidationError, "request", False,
     REFUSES + "Field required"),
    ("plain", 400, engine("boom"), E.LLMResponseError, "server", True, f"{NAME} failed: boom"),
    ("event", 200, sse("boom"), E.LLMResponseError, "server", True, f"{NAME} failed: boom"),
    ("data", 200, flat("boom"), E.LLMResponseError, "server", True, f"{NAME} failed: boom"),
    ("data", 200, llama("boom", 400), E.LLMValidationError, "request", False, REFUSES + "boom"),
    ("event", 200, nested("boom"), E.LLMValidationError, "request", False, REFUSES + "boom"),
    ("data", 200, llama("boom", 500, "server_error"), E.LLMResponseError, "server", True, f"{NAME} failed: boom"),
    ("plain", 200, {"id": "x", "usage": {}}, E.LLMResponseError, "server", True,
     NAME + ' failed: {"id": "x", "usage": {}}'),
]  # fmt: skip


def script(how, status, body):
    """What the server sends: ``event`` after a word, ``first`` before any, ``data`` without the line of its type."""
    if how == "plain":
        return reply(body, status=status)
    begun = [] if how == "first" else [delta(role="assistant", content="Hi")]
    kind = [] if how == "data" else ["event: error\n"]
    end = [DONE] if how == "data" else []  # nobody knows whether it follows: both are played
    return stream(*begun, *kind, body, *end)
