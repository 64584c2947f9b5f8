"""A server of models: LM Studio, and whatever else speaks ``POST /v1/chat/completions``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, overload

from runner.chat.assemble import AnswerAssembler, bare_name
from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.endpoint import IDLE_SECONDS
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta
from runner.edges.model_server import management
from runner.edges.model_server.answer_reader import AnswerReader
from runner.edges.model_server.detect import detect
from runner.edges.model_server.errors import classify, retry_seconds
from runner.edges.model_server.http import HttpClient, Opened
from runner.edges.model_server.management import Download
from runner.edges.model_server.wire import encode_chat
from runner.words.errors import LLMConnectionError, LLMError, LLMTimeoutError

if TYPE_CHECKING:  # of routes that a run never asks
    from runner.edges.model_server.plain import PlainAnswer, PlainRequest, Vectors

CHAT: Final = "/v1/chat/completions"
COMPLAINT_SECONDS: Final = 5.0
"""How long to wait for the words of a refusal whose status has come."""


class HttpBackend:
    """A ``chat.backend.Backend`` over HTTP.

    ``endpoint`` is the address without ``/v1``; ``token`` is sent as bearer only if there is one.
    ``first_byte_timeout`` bounds the wait for the first byte of an answer, in seconds; None leaves it to the deadline
    of the step, because no server says anything while it reads a long prompt or loads a model. ``idle_timeout`` is the
    longest silence after that; a request may ask for tighter bounds. ``named`` are the models that a run names, which
    some servers have to be asked about one by one.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        first_byte_timeout: float | None = None,
        idle_timeout: float = IDLE_SECONDS,
        named: Collection[str] = (),
    ) -> None:
        self._http = HttpClient(endpoint, token=token)
        self._first_byte_timeout = first_byte_timeout
        self._idle_timeout = idle_timeout
        self._named = frozenset(named)
        self._found: EndpointCatalogue | None = None
        self._entries: dict[str, ModelEntry] = {}
        self._only: ModelEntry | None = None

    @property
    def endpoint(self) -> str:
        """Its address, as it stands in plans and journals."""
        return self._http.endpoint

    async def catalogue(self) -> EndpointCatalogue:
        """Ask what kind of server it is and what models it has.

        Raises:
            LLMConnectionError: nothing answers at the address.
            LLMResponseError: something answers that is no server of models.
            LLMAuthenticationError: the token is missing or refused.
        """
        found = self._found = await detect(self._http, named=self._named)
        self._remember(found.models)
        # llama.cpp with one model answers to every name, under the model's own or under the one that was asked
        self._only = found.models[0] if found.flavour == "llama.cpp" and len(found.models) == 1 else None
        return found

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """Ask a model and read its streamed answer to the end.

        Cancelling closes the connection at once, at which servers stop generating.

        Raises:
            LLMError: the request failed, by class; a broken, cut, empty or foreign answer is an ``LLMResponseError``.
        """
        also = self._only.names if self._only else ()
        idle = _tighter(request.idle_timeout, self._idle_timeout)
        reader = AnswerReader(
            AnswerAssembler(request, where=self.endpoint, also=also, on_delta=on_delta),
            who=f"`{request.model}` on {self.endpoint}",
            idle_timeout=idle,
        )
        first_byte = _tighter(request.first_byte_timeout, self._first_byte_timeout)
        complaint: LLMError | None = None
        try:
            async with asyncio.timeout(first_byte) as deadline:
                opened = await self._http.post(CHAT, self._body(request))
                try:
                    complaint = await self._read(request, opened, reader, deadline)
                finally:
                    await opened.close()
        except TimeoutError as error:
            if not reader.complete:
                raise self._too_slow(request, silent=idle if reader.begun else None, first_byte=first_byte) from error
        except LLMConnectionError:
            if not reader.begun:
                raise  # else the answer is either complete, or says itself how far it came
        if complaint is not None:
            raise complaint
        return reader.answer()

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """Load one more copy of the model of that key, and give what the server then lists: it may take minutes.

        Cancelling lets go of the request; LM Studio goes on loading all the same.

        Raises:
            ModelMemoryError: it does not fit; with the sizes where the server says them.
            LLMValidationError: this server cannot be told to load, does not know the model, or refuses a setting.
            LLMError: it could not be loaded, by class.
        """
        found = await self._managed(f"load `{model}`")
        instance, listed = await management.load(self._http, model, settings, found.models)
        if listed:
            self._found = replace(found, models=listed)
            self._remember(listed)
        return instance

    async def unload(self, instance: str) -> None:
        """Unload the instance of that id; one that is gone already counts as done.

        Raises:
            LLMValidationError: this server cannot be told to unload.
            LLMError: it could not be unloaded, by class.
        """
        await self._managed(f"unload `{instance}`")
        await management.unload(self._http, instance)

    async def download(self, model: str, quantization: str | None = None) -> Download:
        """Begin to download a model, by its key or the address of its page on Hugging Face.

        Raises:
            LLMValidationError: this server cannot be told to download, or finds no such model.
            LLMError: as the server says, by class.
        """
        await self._managed(f"download `{model}`")
        return await management.download(self._http, model, quantization)

    async def download_status(self, job: str) -> Download:
        """How far the download of that job is.

        Raises:
            LLMError: the job is not known, or the server cannot say, by class.
        """
        return await management.download_status(self._http, job)

    async def complete(self, request: PlainRequest) -> PlainAnswer:
        """As ``plain.complete``: the continuation of a prompt."""
        from runner.edges.model_server import plain

        return await plain.complete(self._http, self._plain(request))

    async def respond(self, request: PlainRequest) -> PlainAnswer:
        """As ``plain.respond``: an answer that the server may remember."""
        from runner.edges.model_server import plain

        return await plain.respond(self._http, self._plain(request))

    async def embed(self, request: PlainRequest, count: int) -> Vectors:
        """As ``plain.embed``: the vectors of ``count`` texts."""
        from runner.edges.model_server import plain

        return await plain.embed(self._http, self._plain(request), count)

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._http.close()

    async def _managed(self, purpose: str) -> EndpointCatalogue:
        """The catalogue of a server that can be told what to do; asked for if nobody did."""
        found = self._found or await self.catalogue()
        management.check_manages(found, purpose)
        return found

    def _plain(self, request: PlainRequest) -> PlainRequest:
        also = self._only.names if self._only else ()
        return replace(request, answers_as=request.answers_as.union(also), available=self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.key for entry in self._entries.values()))

    def _remember(self, models: tuple[ModelEntry, ...]) -> None:
        self._entries = {bare_name(name): model for model in models for name in model.names}

    def _body(self, request: ChatRequest) -> bytes:
        entry = self._entries.get(bare_name(request.model)) or self._only
        return encode_chat(
            request,
            flavour=self._found.flavour if self._found is not None else None,
            reasoning_options=entry.reasoning_options if entry is not None else (),
        )

    async def _read(
        self, request: ChatRequest, opened: Opened, reader: AnswerReader, deadline: asyncio.Timeout
    ) -> LLMError | None:
        """Read the body of the answer; gives what the server complains of."""
        if opened.status != 200:
            wait = retry_seconds(opened.headers.get("retry-after"), time.time())
            return self._complaint(request, opened.status, await _words_of(opened), wait)
        complaint = await reader.read(opened, deadline)
        return None if complaint is None else self._complaint(request, 200, complaint)

    def _complaint(
        self, request: ChatRequest, status: int, body: bytes | str | Mapping[str, Any], wait: float | None = None
    ) -> LLMError:
        return classify(
            status=status,
            body=self._http.masked(body),
            model=request.model,
            where=self.endpoint,
            available=self._names,
            retry_after=wait,
        )

    def _too_slow(self, request: ChatRequest, *, silent: float | None, first_byte: float | None) -> LLMTimeoutError:
        """``silent`` is how long it said nothing in its answer, None if it never began one."""
        name = f"`{request.model}` on {self.endpoint}"
        if silent is not None:
            return LLMTimeoutError(f"{name} fell silent in its answer for {silent:g} s")
        return LLMTimeoutError(f"{name} sent nothing for {first_byte:g} s", hint="it may still be loading, or be busy")


async def _words_of(refusal: Opened) -> bytes:
    """The body of a refusal; empty if it does not come, for the status has said the worst already."""
    try:
        async with asyncio.timeout(COMPLAINT_SECONDS):
            return await refusal.read()
    except (TimeoutError, LLMConnectionError):
        return b""


@overload
def _tighter(wanted: float | None, own: float) -> float: ...
@overload
def _tighter(wanted: float | None, own: float | None) -> float | None: ...
def _tighter(wanted: float | None, own: float | None) -> float | None:
    """The smaller of two bounds in seconds, of which None is no bound."""
    return own if wanted is None else wanted if own is None else min(wanted, own)
