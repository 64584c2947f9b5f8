"""The seam to whatever answers prompts."""

from __future__ import annotations

from typing import Protocol

from runner.chat.catalogue import EndpointCatalogue
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

    async def close(self) -> None:
        """Close the connections; may be called twice."""
