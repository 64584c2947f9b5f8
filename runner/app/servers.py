"""Asking the model servers what they have, before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.app.files import script_file
from runner.app.request import CheckRequest, RunRequest
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.chat.endpoint import Endpoint
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.plan.setting import Setting
from runner.words.errors import (
    LLMAuthenticationError,
    LLMError,
    LLMResponseError,
    ModelNotFoundError,
    OutsideError,
    UsageError,
)
from runner.words.noun import noun

if TYPE_CHECKING:  # the nouns of a conversation, which a check never needs
    from runner.chat.backend import Backend

SIMULATED = "--simulate"
"""The origin of the endpoint that a simulator is."""
WAYS_OUT = (
    "start LM Studio's server (`lms server start`), name another address (`--endpoint URL`), "
    "or leave the models out (`check --offline`, `--dry-run --offline`)"
)


@noun
class Failure:
    """An address that is of no use, and why; ``name`` is what the configuration calls it, if it does."""

    endpoint: str
    error: LLMError
    name: str | None = None

    @property
    def code(self) -> str:
        """The code that ``bridge-run explain`` knows."""
        if isinstance(self.error, LLMAuthenticationError):
            return "BR312"
        if isinstance(self.error, ModelNotFoundError):
            return "BR301"
        if not self.endpoint.startswith("http"):  # a server of our own
            return "BR324"
        return "BR311" if isinstance(self.error, LLMResponseError) else "BR310"

    def __str__(self) -> str:
        said = self.error.message
        where = [] if self.endpoint in said else [self.endpoint]
        return ": ".join((*([f"`{self.name}`"] if self.name else []), *where, said))


@noun
class Asked:
    """What the servers answered; those that did not are among the ``failures``. ``endpoints`` are all of them."""

    catalogue: Catalogue
    failures: tuple[Failure, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()


async def ask(backends: Sequence[Backend], endpoints: Sequence[Endpoint] = ()) -> Asked:
    """Ask all servers at once, each once; they are called as their ``endpoints`` are, where these have names.

    Raises:
        OutsideError: none of them is of use: not reachable, no model server, or the token is refused.
    """
    import asyncio

    names = {endpoint.url: endpoint.name for endpoint in endpoints}
    answers = await asyncio.gather(*(_ask_one(backend, names.get(backend.endpoint)) for backend in backends))
    failures = tuple(answer for answer in answers if isinstance(answer, Failure))
    if len(failures) == len(answers):
        raise no_server(failures)
    return Asked(
        catalogue=Catalogue(tuple(answer for answer in answers if isinstance(answer, EndpointCatalogue))),
        failures=failures,
        endpoints=tuple(endpoints),
    )


async def ask_endpoints(endpoints: Sequence[Endpoint], named: Collection[str] = ()) -> Asked:
    """Open a connection to each address, ask, and close it again.

    ``named`` is as in ``edges.backends.make_backend``.

    Raises:
        OutsideError: as ``ask``.
    """
    from runner.edges.backends import make_backend

    backends = [make_backend(endpoint, named=named) for endpoint in endpoints]
    try:
        return await ask(backends, endpoints)
    finally:
        for backend in backends:
            await backend.close()


def asked_servers(
    request: CheckRequest | RunRequest,
    environment: Mapping[str, str],
    config: Configuration = NO_CONFIGURATION,
    named: Collection[str] = (),
) -> Asked:
    """Ask the servers that a request means, outside of any event loop; ``named`` are the models that it names.

    Raises:
        OutsideError: as ``ask``.
        UsageError: as ``model_endpoints``.
        WorkflowError: as ``model_endpoints``.
    """
    import asyncio

    with model_endpoints(request.endpoints, request.simulate, environment, config) as endpoints:
        return asyncio.run(ask_endpoints(endpoints, named))


def setting_of(endpoints: Sequence[Endpoint], config: Configuration) -> Setting:
    """What a plan has to know of the configuration, when these are the servers to ask."""
    return Setting(
        servers=tuple(endpoints),
        names=config.names,
        default_model=config.default_model,
        simulated=any(endpoint.origin == SIMULATED for endpoint in endpoints),
    )


def no_server(failures: Sequence[Failure]) -> OutsideError:
    """The error for a run without any server: every address that was tried, and the ways out."""
    tried = "\n".join(f"  {failure.code} {failure}" for failure in failures)
    hints = dict.fromkeys(failure.error.hint for failure in failures if failure.code != "BR310")
    ways = [hint for hint in hints if hint]
    if not ways or any(failure.code in ("BR310", "BR311") for failure in failures):
        ways.append(WAYS_OUT)
    return OutsideError(f"no model server can be asked; tried:\n{tried}", hint="; or ".join(ways) or None)


@contextmanager
def model_endpoints(
    given: Sequence[str],
    simulate: str | None,
    environment: Mapping[str, str],
    config: Configuration = NO_CONFIGURATION,
) -> Iterator[tuple[Endpoint, ...]]:
    """The servers to ask, with their tokens. With ``simulate`` it is a simulator that lives as long as the context.

    Raises:
        UsageError: an address makes no sense, ``--simulate`` stands beside ``--endpoint``, or its script is missing.
        WorkflowError: the simulator's script is at fault.
    """
    if simulate is None:
        from runner.edges.config.endpoints import endpoints_from

        yield endpoints_from(given, environment, config)
        return
    if given:
        raise UsageError(
            "`--simulate` and `--endpoint` exclude each other", hint="the simulator is the only server of its run"
        )
    from runner.edges.config.endpoints import token_from
    from runner.rehearse.simulator.serve import start_in_thread

    simulator = start_in_thread(script_file(simulate))
    try:
        yield (Endpoint(url=simulator.url, origin=SIMULATED, token=token_from(environment)),)
    finally:
        simulator.close()


async def _ask_one(backend: Backend, name: str | None) -> EndpointCatalogue | Failure:
    try:
        return replace(await backend.catalogue(), name=name)
    except LLMError as error:
        return Failure(endpoint=backend.endpoint, error=error, name=name)
