"""What answers at an endpoint: a server over HTTP, or one of our own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nouns of a conversation, and of a wall that most runs never meet
    from runner.chat.backend import Backend
    from runner.chat.endpoint import Endpoint
    from runner.edges.process_group import Offspring


def make_backend(endpoint: Endpoint, *, named: Collection[str] = (), offspring: Offspring | None = None) -> Backend:
    """The backend of an endpoint; nothing is asked or started before it is used.

    ``named`` are the models that are wanted, where that is known: some servers have to be asked about each of them.
    ``offspring`` is told of every process that is started, so that an interrupted command leaves none behind.
    """
    if endpoint.embedded is not None:
        from runner.edges.embedded.embedded import EmbeddedBackend  # llama.cpp, an extra

        return EmbeddedBackend(endpoint, offspring=offspring)
    from runner.edges.model_server.lmstudio import HttpBackend

    return HttpBackend(
        endpoint.url,
        token=endpoint.token,
        first_byte_timeout=endpoint.first_byte_timeout,
        idle_timeout=endpoint.idle_timeout,
        named=named,
    )
