"""Which kind of server answers at an address, and what models it has.

LM Studio answers 200 to everything, so bodies decide. The two questions that settle LM Studio 0.4 and later are asked
at once; only when they do not are the others asked, again all at once: one round trip for the common case, two or three
for the rest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runner.chat.catalogue import EndpointCatalogue, ModelEntry, ServerFlavour
from runner.edges.model_server import listing
from runner.edges.model_server.errors import token_hint
from runner.edges.model_server.failure_text import error_text
from runner.edges.model_server.http import HttpClient, Reply
from runner.edges.model_server.ollama import describe
from runner.words.errors import (
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMResponseError,
)

MARK_SECONDS: Final = 2.0
"""For a question that only tells servers apart."""

LIST_SECONDS: Final = 5.0
"""For a list of models, on a machine that may be busy loading one."""

_GREETING, _V1, _V0, _OPENAI = "/lmstudio-greeting", "/api/v1/models", "/api/v0/models", "/v1/models"
_PROPS, _OLLAMA, _VLLM = "/props", "/api/version", "/version"
_TAGS, _RUNNING = "/api/tags", "/api/ps"
_LISTS = frozenset((_V1, _V0, _OPENAI, _TAGS))

_START_HINT = (
    "start the server (LM Studio: Developer > Start server, or `lms server start`), or name another with --endpoint"
)
_NO_V1_NOTE = (
    "this LM Studio is older than 0.4: it does not say which reasoning settings or how many slots a model has, "
    "and cannot be told to load one"
)
_LOST_V1_NOTE = (
    "this LM Studio did not give its list of models: an older one is used, which does not say which reasoning "
    "settings or how many slots a model has, and nothing can be loaded"
)
_NO_V0_NOTE = (
    "this LM Studio is older than 0.3.6: it names its models, but not which are loaded nor their context, "
    "and cannot be told to load one"
)
_OLLAMA_NOTE = "Ollama cuts a prompt that exceeds a model's `num_ctx` without a word, and takes no `top_k` or `min_p`"
_PLAIN_NOTE = "this server names its models, but does not say which are loaded nor what they can do"


_LOADS_ON_DEMAND: Final = frozenset(("lmstudio-v1", "lmstudio-v0", "lmstudio", "ollama"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What came of one question: a reply, or the failure to get one."""

    path: str
    reply: Reply | None = None
    error: LLMError | None = None

    @property
    def json(self) -> Any:
        """The body as JSON if it is no complaint, else None."""
        data = None if self.reply is None else self.reply.json
        return None if isinstance(data, Mapping) and "error" in data else data

    @property
    def refused(self) -> bool:
        """Whether the token is missing or refused."""
        return self.reply is not None and self.reply.status in (401, 403)

    @property
    def lost(self) -> bool:
        """Whether it failed for a reason other than that the server does not know the question."""
        return self.reply is None or self.reply.status >= 500


async def detect(http: HttpClient, *, named: Collection[str] = ()) -> EndpointCatalogue:
    """Ask the server of ``http`` who it is and what it has.

    ``named`` are models that are worth a question each, on a server that says more of a model only when asked for it.

    Raises:
        LLMConnectionError: nothing answers at the address.
        LLMResponseError: something answers that is no server of models; the message says what it looks like. Its
            kind is ``request``, as to ask again is no help, unless the answer speaks of trouble that may pass.
        LLMAuthenticationError: the token is missing or refused.
    """
    greeting, native = await _ask(http, _GREETING, _V1)
    _check_reached(http.endpoint, greeting, native)
    is_lmstudio = _map(greeting.json).get("lmstudio") is True
    if is_lmstudio or native.json is not None:
        _check_token(http.endpoint, native)
        models = listing.from_v1(native.json)
        if models or (is_lmstudio and models is not None):
            return _made(http, "lmstudio-v1", models)
    if is_lmstudio:
        return await _old_lmstudio(http, native)
    return await _another(http, named)


async def _old_lmstudio(http: HttpClient, native: _Asked) -> EndpointCatalogue:
    """LM Studio before 0.4, or one whose newer list did not come."""
    v0, openai = await _ask(http, _V0, _OPENAI)
    found = _lmstudio_catalogue(http, v0, openai, (_LOST_V1_NOTE,) if native.lost else (_NO_V1_NOTE,))
    if found is None:
        _check_token(http.endpoint, v0, openai)
        raise _not_a_server(http.endpoint, openai)
    return found


def _lmstudio_catalogue(
    http: HttpClient, v0: _Asked, openai: _Asked, notes: tuple[str, ...] = (_NO_V1_NOTE,)
) -> EndpointCatalogue | None:
    models = listing.from_v0(v0.json)
    if models is not None:
        return _made(http, "lmstudio-v0", models, notes)
    models = listing.from_openai(openai.json)
    if models is not None:
        return _made(http, "lmstudio", models, (_NO_V0_NOTE,))
    return None


async def _another(http: HttpClient, named: Collection[str]) -> EndpointCatalogue:
    """Any server that does not greet as LM Studio does; an LM Studio behind a proxy may be among them."""
    v0, openai, props, ollama, vllm = await _ask(http, _V0, _OPENAI, _PROPS, _OLLAMA, _VLLM)
    names = listing.from_openai(openai.json)
    if isinstance(_map(props.json).get("default_generation_settings"), Mapping):
        models = listing.from_llama_cpp(openai.json, props.json)
        return _catalogue(http, "llama.cpp", models, openai)
    if listing.is_lmstudio_listing(openai.json):
        found = _lmstudio_catalogue(http, v0, openai)
        if found is not None:
            return found
    if "version" in _map(ollama.json):
        tags, running = await _ask(http, _TAGS, _RUNNING)
        models = listing.from_ollama(tags.json, running.json)
        models = names if models is None else await describe(http, models, named)
        return _catalogue(http, "ollama", models, openai, notes=(_OLLAMA_NOTE,))
    if listing.is_vllm_listing(openai.json) or (names is not None and "version" in _map(vllm.json)):
        return _catalogue(http, "vllm", listing.from_openai(openai.json, loaded=True), openai)
    return _catalogue(http, "openai", names, openai, notes=(_PLAIN_NOTE,))


def _catalogue(
    http: HttpClient,
    flavour: ServerFlavour,
    models: tuple[ModelEntry, ...] | None,
    asked: _Asked,
    notes: tuple[str, ...] = (),
) -> EndpointCatalogue:
    """The catalogue, unless the server did not name its models."""
    if models is None:
        _check_token(http.endpoint, asked)
        raise _not_a_server(http.endpoint, asked)
    return _made(http, flavour, models, notes)


def _made(
    http: HttpClient, flavour: ServerFlavour, models: tuple[ModelEntry, ...], notes: tuple[str, ...] = ()
) -> EndpointCatalogue:
    return EndpointCatalogue(
        endpoint=http.endpoint,
        flavour=flavour,
        models=models,
        notes=notes,
        manages=flavour == "lmstudio-v1",
        loads_on_demand=flavour in _LOADS_ON_DEMAND,
    )


async def _ask(http: HttpClient, *paths: str) -> tuple[_Asked, ...]:
    """Ask all at once; the answers in the order of the questions."""
    return tuple(await asyncio.gather(*(_ask_one(http, path) for path in paths)))


async def _ask_one(http: HttpClient, path: str) -> _Asked:
    try:
        seconds = LIST_SECONDS if path in _LISTS else MARK_SECONDS
        return _Asked(path, reply=await http.get(path, seconds=seconds))
    except LLMError as error:
        return _Asked(path, error=error)


def _check_reached(endpoint: str, *asked: _Asked) -> None:
    """Nothing came back at all: say why, after the last question, which had the longest time."""
    if any(one.reply is not None for one in asked):
        return
    error = asked[-1].error
    if isinstance(error, LLMResponseError):
        hint = "is this the address of a server of models?"
        raise LLMResponseError(error.message, kind="request", hint=hint) from error
    message = error.message if error else f"nothing answers at {endpoint}"
    raise LLMConnectionError(message, hint=_START_HINT) from error


def _check_token(endpoint: str, *asked: _Asked) -> None:
    for one in asked:
        if one.refused and one.reply is not None:
            text = error_text(one.reply.body)
            raise LLMAuthenticationError(f"{endpoint} refuses the token: {text}", hint=token_hint())


def _not_a_server(endpoint: str, asked: _Asked) -> LLMResponseError:
    """What the answer looked like."""
    reply = asked.reply
    if reply is None:
        what = asked.error.message if asked.error else "nothing came"
    elif 300 <= reply.status < 400:
        what = f"it sends on to {_without_secrets(reply.headers.get('location', 'nowhere'))}"
    else:
        what = f"status {reply.status}, {error_text(reply.body) or 'no text'}"
    return LLMResponseError(
        f"{endpoint} answers, but is no server of models: GET {asked.path} gave {what}",
        kind="server" if asked.lost else "request",
        hint="check the address and the port; for a server behind a path, give the part before /v1",
    )


def _without_secrets(address: str) -> str:
    """An address without what may be nobody else's business: user and password, and whatever follows its path."""
    return re.sub(r"(?<=//)[^/?#]*@", "", address).partition("?")[0].partition("#")[0]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
