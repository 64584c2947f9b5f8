"""What answers at an endpoint: a server over HTTP, or one of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nouns of a conversation, and of a wall that most runs never meet
    from runner.chat.backend import Backend
    from runner.chat.endpoint import Endpoint


def make_backend(endpoint: Endpoint) -> Backend:
    """The backend of an endpoint; nothing is asked or started before it is used.

    Raises:
        UsageError: an embedded server is wanted, and what it needs is not installed.
    """
    if endpoint.embedded is not None:
        from runner.edges.embedded import EmbeddedBackend  # llama.cpp, an extra

        return EmbeddedBackend(endpoint)
    from runner.edges.lmstudio import HttpBackend

    return HttpBackend(
        endpoint.url,
        token=endpoint.token,
        first_byte_timeout=endpoint.first_byte_timeout,
        idle_timeout=endpoint.idle_timeout,
    )
