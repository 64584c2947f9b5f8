"""The servers as the verbs about models use them: asked once, kept open, their refusals told as exit codes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from runner.app.console import allows_colour, tell
from runner.app.problem import tell_findings
from runner.app.request import Format
from runner.app.servers import Asked, ask, model_endpoints
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.edges.config.file import read_configuration
from runner.plan.lookup import Found, all_names, look_up, similar_names
from runner.words.errors import ModelMemoryError, ModelNotFoundError
from runner.words.noun import noun

if TYPE_CHECKING:
    from runner.chat.backend import Backend


_LESS: Final = "a smaller `--context-length` or quantisation needs less; `bridge-run models unload` makes room"


@noun
class ModelsRequest:
    """What all verbs about models share; ``workflows`` are the files and folders to search for users of models."""

    endpoints: tuple[str, ...] = ()
    simulate: str | None = None
    config: str | None = None
    workflows: tuple[str, ...] = ()
    format: Format = "text"
    colour: bool = True


@noun
class Servers:
    """The servers that answered, open. ``backends`` are by the address that stands in the catalogue."""

    asked: Asked
    backends: Mapping[str, Backend]
    environment: Mapping[str, str]
    config: Configuration = field(default=NO_CONFIGURATION)

    @property
    def catalogue(self) -> Catalogue:
        """What they have."""
        return self.asked.catalogue

    def catalogue_of(self, endpoint: str) -> EndpointCatalogue:
        """That of one address."""
        return next(one for one in self.catalogue.endpoints if one.endpoint == endpoint)

    def find(self, name: str) -> Found:
        """The model of that name: on a server that can be told to load before one that cannot.

        Raises:
            ModelNotFoundError: none has it; with the near names, and the servers that did not answer.
        """
        managing = Catalogue(tuple(one for one in self.catalogue.endpoints if one.manages))
        found = look_up(name, managing) or look_up(name, self.catalogue)
        if found is None:
            near = similar_names(name, self.catalogue)
            hint = f"did you mean `{near[0]}`?" if near else get_hint(name, self.catalogue)
            raise ModelNotFoundError(name, all_names(self.catalogue), hint=hint)
        return found

    def is_own(self, endpoint: str) -> bool:
        """Whether the server of that address is one that we start ourselves, and that ends with us."""
        return any(one.url == endpoint and one.embedded is not None for one in self.asked.endpoints)


def get_hint(name: str, catalogue: Catalogue) -> str | None:
    """How to get a model that nobody has, if one of the servers can download it."""
    can = any(one.flavour == "lmstudio-v1" for one in catalogue.endpoints)
    return f"`bridge-run models get {name}` downloads it" if can else None


def with_servers(
    request: ModelsRequest,
    environment: Mapping[str, str],
    work: Callable[[Servers], Awaitable[int]],
    named: Collection[str] = (),
) -> int:
    """Ask the servers of the request, do the work, close them; the exit code.

    ``named`` are the models that the work is about.

    Raises:
        OutsideError: no server can be asked.
        UsageError: the command line is wrong; WorkflowError: the configuration or the simulator's script is.
        LLMError: a server failed in the work, or refused to do it.
    """
    import asyncio

    config = read_configuration(request.config, environment)
    colour = allows_colour(sys.stderr, environment, wanted=request.colour)
    try:
        with model_endpoints(request.endpoints, request.simulate, environment, config) as endpoints:
            from runner.edges.backends import make_backend
            from runner.edges.config.endpoints import unset_tokens

            tell_findings((*config.warnings, *unset_tokens(endpoints, environment, config)), colour=colour)
            backends = [make_backend(endpoint, named=named) for endpoint in endpoints]

            async def story() -> int:
                try:
                    asked = await ask(backends, endpoints)
                    for failure in asked.failures:
                        tell(f"warning: {failure}")
                    by_address = {backend.endpoint: backend for backend in backends}
                    return await work(Servers(asked=asked, backends=by_address, environment=environment, config=config))
                finally:
                    for backend in backends:
                        await backend.close()

            return asyncio.run(story())
    except ModelMemoryError as error:
        error.hint = error.hint or _LESS
        raise
