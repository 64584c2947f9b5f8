"""What the configuration files say of servers and models, once they were read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runner.chat.endpoint import Endpoint
from runner.words.diagnostics import Diagnostic
from runner.words.noun import noun
from runner.words.spans import Span

CATALOGUE_SECONDS: Final = 60.0
"""How long an answer to "what models have you" is good, unless the configuration says otherwise."""


@noun
class ConfiguredEndpoint:
    """One ``[endpoints.NAME]``: the endpoint without its token, and the variable that holds the token, if it has one.

    ``file`` and ``span`` are where it was written, ``token_span`` where its ``token_env``.
    """

    endpoint: Endpoint
    name: str
    token_env: str | None = None
    file: str = ""
    span: Span | None = None
    token_span: Span | None = None


@noun
class Configuration:
    """All files together, the nearer one before the other.

    ``default_model`` is the id of the model for steps that name none. ``catalogue_ttl``, in seconds, is for
    ``ModelValidator``; all else asks anew. ``files`` are those that were read, ``warnings`` what is odd in them.
    """

    default_model: str | None = None
    catalogue_ttl: float = CATALOGUE_SECONDS
    endpoints: tuple[ConfiguredEndpoint, ...] = ()
    files: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all configured endpoints."""
        return tuple(one.name for one in self.endpoints)

    def named(self, name: str) -> ConfiguredEndpoint | None:
        """The endpoint of that name."""
        return next((one for one in self.endpoints if one.name == name), None)

    def at(self, url: str) -> ConfiguredEndpoint | None:
        """The endpoint of that address, in its normal form."""
        return next((one for one in self.endpoints if one.endpoint.url == url), None)

    def token_variables(self) -> Iterator[str]:
        """The environment variables that hold tokens."""
        for one in self.endpoints:
            if one.token_env is not None:
                yield one.token_env


NO_CONFIGURATION: Final = Configuration()
