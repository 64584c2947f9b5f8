"""The seam to whatever answers prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from runner.chat.catalogue import EndpointCatalogue, Instance
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta


class Backend(Protocol):
    """One server of models. All methods raise only ``LLMError`` and its children (and pass cancellation on)."""

    @property
    def endpoint(self) -> str:
        """Its address, as it stands in plans and journals."""

    async def catalogue(self) -> EndpointCatalogue:
        """Ask what models it has.

        Raises:
            LLMConnectionError: nothing answers at the address.
            LLMResponseError: something answers that is no server of models.
            LLMAuthenticationError: the token is missing or refused.
        """

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """Ask a model and read its streamed answer to the end; cancelling ends the generation.

        Raises:
            LLMError: the request failed, by class; never returns half an answer as a whole one.
        """

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """Load one more copy of the model of that key and wait until it is there: minutes, at times.

        ``settings`` are those of a model's ``load`` in the workflow file. What comes back is what the server says it
        loaded, which may differ from what was asked. A call while another copy is loaded makes a second copy: ask the
        catalogue first.

        Raises:
            ModelMemoryError: it does not fit.
            LLMValidationError: this server cannot be told to load (its catalogue says ``manages`` False).
            LLMError: it could not be loaded, by class.
        """

    async def unload(self, instance: str) -> None:
        """Unload the instance of that id; one that is gone already counts as done.

        Raises:
            LLMError: it could not be unloaded, by class.
        """

    async def close(self) -> None:
        """Close the connections; may be called twice."""
