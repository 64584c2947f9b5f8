"""Asking the model servers what they have, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.app.files import script_file
from runner.app.request import CheckRequest, RunRequest
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.words.errors import LLMAuthenticationError, LLMError, LLMResponseError, OutsideError, UsageError
from runner.words.noun import noun

if TYPE_CHECKING:  # the nouns of a conversation, which a check never needs
    from runner.chat.backend import Backend

WAYS_OUT = (
    "start LM Studio's server (`lms server start`), name another address (`--endpoint URL`), "
    "or leave the models out (`check --offline`, `--dry-run --offline`)"
)


@noun
class Failure:
    """An address that is of no use, and why."""

    endpoint: str
    error: LLMError

    @property
    def code(self) -> str:
        """The code that ``bridge-run explain`` knows."""
        if isinstance(self.error, LLMAuthenticationError):
            return "BR312"
        return "BR311" if isinstance(self.error, LLMResponseError) else "BR310"

    def __str__(self) -> str:
        said = self.error.message
        return said if self.endpoint in said else f"{self.endpoint}: {said}"


@noun
class Asked:
    """What the servers answered; those that did not are among the ``failures``."""

    catalogue: Catalogue
    failures: tuple[Failure, ...] = ()


async def ask(backends: Sequence[Backend]) -> Asked:
    """Ask all servers at once, each once.

    Raises:
        OutsideError: none of them is of use: not reachable, no model server, or the token is refused.
    """
    import asyncio

    answers = await asyncio.gather(*(_ask_one(backend) for backend in backends))
    failures = tuple(answer for answer in answers if isinstance(answer, Failure))
    if len(failures) == len(answers):
        raise no_server(failures)
    return Asked(
        catalogue=Catalogue(tuple(answer for answer in answers if isinstance(answer, EndpointCatalogue))),
        failures=failures,
    )


async def ask_endpoints(endpoints: Sequence[str], token: str | None) -> Asked:
    """Open a connection to each address, ask, and close it again.

    Raises:
        OutsideError: as ``ask``.
    """
    from runner.edges.lmstudio import HttpBackend

    backends = [HttpBackend(endpoint, token=token) for endpoint in endpoints]
    try:
        return await ask(backends)
    finally:
        for backend in backends:
            await backend.close()


def asked_servers(request: CheckRequest | RunRequest, environment: Mapping[str, str]) -> Asked:
    """Ask the servers that a request means, outside of any event loop.

    Raises:
        OutsideError: as ``ask``.
        UsageError: as ``model_endpoints``.
        WorkflowError: as ``model_endpoints``.
    """
    import asyncio

    from runner.edges.endpoints import token_from

    with model_endpoints(request.endpoints, request.simulate, environment) as endpoints:
        return asyncio.run(ask_endpoints(endpoints, token_from(environment)))


def no_server(failures: Sequence[Failure]) -> OutsideError:
    """The error for a run without any server: every address that was tried, and the ways out."""
    tried = "\n".join(f"  {failure.code} {failure}" for failure in failures)
    hints = dict.fromkeys(failure.error.hint for failure in failures if failure.code != "BR310")
    ways = [hint for hint in hints if hint]
    if any(failure.code != "BR312" for failure in failures):
        ways.append(WAYS_OUT)
    return OutsideError(f"no model server can be asked; tried:\n{tried}", hint="; or ".join(ways) or None)


@contextmanager
def model_endpoints(
    given: Sequence[str], simulate: str | None, environment: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """The addresses to ask. With ``simulate`` it is that of a simulator which lives as long as the context.

    Raises:
        UsageError: an address makes no sense, ``--simulate`` stands beside ``--endpoint``, or its script is missing.
        WorkflowError: the simulator's script is at fault.
    """
    if simulate is None:
        from runner.edges.endpoints import endpoints_from

        yield endpoints_from(given, environment)
        return
    if given:
        raise UsageError(
            "`--simulate` and `--endpoint` exclude each other", hint="the simulator is the only server of its run"
        )
    from runner.rehearse.simulator.serve import start_in_thread

    simulator = start_in_thread(script_file(simulate))
    try:
        yield (simulator.url,)
    finally:
        simulator.close()


async def _ask_one(backend: Backend) -> EndpointCatalogue | Failure:
    try:
        return await backend.catalogue()
    except LLMError as error:
        return Failure(endpoint=backend.endpoint, error=error)
