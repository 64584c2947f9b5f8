"""A server of models: LM Studio, and whatever else speaks ``POST /v1/chat/completions``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from runner.chat.assemble import AnswerAssembler, bare_name
from runner.chat.catalogue import EndpointCatalogue, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta
from runner.edges.answer_reader import AnswerReader
from runner.edges.detect import detect
from runner.edges.http import HttpClient, Opened
from runner.edges.model_errors import classify, retry_seconds
from runner.edges.wire import encode_chat
from runner.words.errors import LLMConnectionError, LLMError, LLMTimeoutError

CHAT: Final = "/v1/chat/completions"


class HttpBackend:
    """A ``chat.backend.Backend`` over HTTP.

    ``endpoint`` is the address without ``/v1``; ``token`` is sent as bearer only if there is one.
    ``first_byte_timeout`` bounds the wait for the first byte of an answer, in seconds; None leaves it to the deadline
    of the step, because no server says anything while it reads a long prompt or loads a model. ``idle_timeout`` is the
    longest silence after that.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        first_byte_timeout: float | None = None,
        idle_timeout: float = 120.0,
    ) -> None:
        self._http = HttpClient(endpoint, token=token)
        self._first_byte_timeout = first_byte_timeout
        self._idle_timeout = idle_timeout
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
        found = await detect(self._http)
        self._entries = {bare_name(name): model for model in found.models for name in model.names}
        # llama.cpp with one model answers to every name, under the model's own or under the one that was asked
        self._only = found.models[0] if found.flavour == "llama.cpp" and len(found.models) == 1 else None
        return found

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """Ask a model and read its streamed answer to the end.

        Cancelling closes the connection at once, at which servers stop generating.

        Raises:
            LLMError: the request failed, by class; a broken, cut, empty or foreign answer is an ``LLMResponseError``.
        """
        entry = self._entries.get(bare_name(request.model)) or self._only
        also = self._only.names if self._only else ()
        reader = AnswerReader(
            AnswerAssembler(request, where=self.endpoint, also=also, on_delta=on_delta),
            who=f"`{request.model}` on {self.endpoint}",
            idle_timeout=self._idle_timeout,
        )
        body = encode_chat(request, reasoning_options=entry.reasoning_options if entry else ())
        try:
            async with asyncio.timeout(self._first_byte_timeout) as deadline:
                opened = await self._http.post(CHAT, body)
                try:
                    await self._read(request, opened, reader, deadline)
                finally:
                    await opened.close()
        except TimeoutError as error:
            if not reader.complete:
                raise self._too_slow(request, reader) from error
        except LLMConnectionError:
            if not reader.begun:
                raise  # else the answer is either complete, or says itself how far it came
        return reader.answer()

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._http.close()

    async def _read(
        self, request: ChatRequest, opened: Opened, reader: AnswerReader, deadline: asyncio.Timeout
    ) -> None:
        """Read the body of the answer, or raise what the server complains of."""
        if opened.status != 200:
            body = await opened.read()
            wait = retry_seconds(opened.headers.get("retry-after"), time.time())
            raise self._complaint(request, opened.status, body, wait)
        complaint = await reader.read(opened, deadline)
        if complaint is not None:
            raise self._complaint(request, 200, complaint)

    def _complaint(
        self, request: ChatRequest, status: int, body: bytes | str | Mapping[str, Any], wait: float | None = None
    ) -> LLMError:
        names = tuple(dict.fromkeys(entry.key for entry in self._entries.values()))
        return classify(
            status=status, body=body, model=request.model, where=self.endpoint, available=names, retry_after=wait
        )

    def _too_slow(self, request: ChatRequest, reader: AnswerReader) -> LLMTimeoutError:
        name = f"`{request.model}` on {self.endpoint}"
        if reader.begun:
            return LLMTimeoutError(f"{name} fell silent in its answer for {self._idle_timeout:g} s")
        return LLMTimeoutError(
            f"{name} sent nothing for {self._first_byte_timeout:g} s", hint="it may still be loading, or be busy"
        )
