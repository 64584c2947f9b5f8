"""What ``doctor`` looks at on the model servers: who answers, with which token, what is loaded and what is free."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from runner.app.models.servers import get_hint
from runner.app.servers import Failure
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.chat.endpoint import Endpoint
from runner.plan.lookup import look_up, similar_names, the_loaded
from runner.show.doctor_view import Check, problem
from runner.show.models_view import FLAVOURS, instance_json, instance_text
from runner.words.errors import LLMAuthenticationError, LLMError, LLMTimeoutError
from runner.words.exits import Exit
from runner.words.noun import noun

if TYPE_CHECKING:
    from runner.edges.model_server.http import Reply

SERVERS: Final = "model servers"
LOOK_SECONDS: Final = 30.0
"""For all that is asked of one server."""
_QUESTION_SECONDS: Final = 5.0
_LISTED, _SLOTS = "/v1/models", "/slots"


@noun
class Looked:
    """One server: what was found, and what it has, None if it is of no use."""

    checks: tuple[Check, ...]
    catalogue: EndpointCatalogue | None = None


async def look_at(endpoint: Endpoint, named: Collection[str] = ()) -> Looked:
    """Ask one server all there is to ask; bounded, and never raises but for a cancellation.

    ``named`` are the models that workflows name.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await _look_at(endpoint, named)
    except TimeoutError as error:
        late = LLMTimeoutError(f"{endpoint.url} did not answer all questions within {LOOK_SECONDS:g} s")
        late.__cause__ = error
        return _failed(endpoint, late)
    except LLMError as error:
        return _failed(endpoint, error)


def tolerated(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks with servers that do not answer as warnings: another one does, or no workflow needs any."""
    return tuple(
        replace(check, health="warning") if check.group == SERVERS and check.exit == Exit.OUTSIDE else check
        for check in checks
    )


def default_check(catalogue: Catalogue, configured: str | None) -> Check:
    """Which model answers the steps that name none."""
    name = "default model"
    if configured is not None:
        found = look_up(configured, catalogue)
        if found is not None:
            text = f"`{found.model}` on {found.endpoint}, as configured"
            return Check(group=SERVERS, name=name, health="ok", text=text, facts={"model": found.model})
        near = similar_names(configured, catalogue)
        ways = f"did you mean `{near[0]}`?" if near else get_hint(configured, catalogue)
        return problem(
            SERVERS, name, f"`{configured}` is configured, and no server has it", exit=Exit.CANNOT_SERVE, help=ways
        )
    loaded = the_loaded(catalogue)
    if len(loaded) == 1:
        text = f"`{loaded[0].entry.key}` on {loaded[0].endpoint}, the one that is loaded"
        return Check(group=SERVERS, name=name, health="ok", text=text, facts={"model": loaded[0].entry.key})
    names = ", ".join(f"`{found.entry.key}`" for found in loaded)
    text = f"none: {len(loaded)} models are loaded ({names})" if loaded else "none: no model is loaded"
    ways = (
        "steps that name no model need one: `--model ID`, `defaults: {model: ID}` in the file, or a configured default"
    )
    return Check(group=SERVERS, name=name, health="warning", text=text, help=ways, facts={"model": None})


async def _look_at(endpoint: Endpoint, named: Collection[str]) -> Looked:
    from runner.edges.backends import make_backend

    started = time.monotonic()
    backend = make_backend(endpoint, named=named)
    try:
        catalogue = replace(await backend.catalogue(), name=endpoint.name)
    finally:
        await backend.close()
    seconds = time.monotonic() - started
    if endpoint.embedded is not None:
        return Looked(checks=(_found(endpoint, catalogue, seconds), *_notes(catalogue)), catalogue=catalogue)
    listed, bare, slots = await asyncio.gather(
        _get(endpoint, _LISTED, endpoint.token),
        _get(endpoint, _LISTED, None) if endpoint.token else _nothing(),
        _get(endpoint, _SLOTS, endpoint.token) if catalogue.flavour == "llama.cpp" else _nothing(),
    )
    checks = (
        _found(endpoint, catalogue, listed.seconds if listed else seconds),
        *_token(endpoint, bare),
        *_on_demand(catalogue, listed),
        *_loaded(catalogue, _free_slots(slots)),
        *_notes(catalogue),
    )
    return Looked(checks=checks, catalogue=catalogue)


@noun
class _Answer:
    """An answer to a small question, and how long it took."""

    reply: Reply
    seconds: float


async def _get(endpoint: Endpoint, path: str, token: str | None) -> _Answer | None:
    """The answer, None if there was none."""
    from runner.edges.model_server.http import HttpClient

    client = HttpClient(endpoint.url, token=token)
    started = time.monotonic()
    try:
        return _Answer(reply=await client.get(path, seconds=_QUESTION_SECONDS), seconds=time.monotonic() - started)
    except LLMError:
        return None
    finally:
        await client.close()


async def _nothing() -> None:
    return None


def _failed(endpoint: Endpoint, error: LLMError) -> Looked:
    failure = Failure(endpoint=endpoint.url, error=error)
    text = f"{failure} ({failure.code}; the address comes from {endpoint.origin})"
    help = error.hint
    if isinstance(error, LLMAuthenticationError):
        text += "; a token was sent" if endpoint.token else "; no token is set"
    facts = {"endpoint": endpoint.url, "origin": endpoint.origin, **error.to_dict()}
    return Looked(checks=(problem(SERVERS, endpoint.shown, text, exit=Exit.OUTSIDE, help=help, facts=facts),))


def _found(endpoint: Endpoint, catalogue: EndpointCatalogue, seconds: float) -> Check:
    number = len(catalogue.models)
    text = (
        f"{FLAVOURS[catalogue.flavour]}, {number} model{'s' * (number != 1)}, answers in {seconds * 1000:.0f} ms "
        f"(the address comes from {endpoint.origin})"
    )
    facts = {
        "endpoint": endpoint.url,
        "origin": endpoint.origin,
        "flavour": catalogue.flavour,
        "models": number,
        "manages": catalogue.manages,
        "seconds": round(seconds, 4),
    }
    if number:
        return Check(group=SERVERS, name=endpoint.shown, health="ok", text=text, facts=facts)
    ways = get_hint("KEY", Catalogue((catalogue,))) or "give the server a model"
    return Check(group=SERVERS, name=endpoint.shown, health="warning", text=text, help=ways, facts=facts)


def _token(endpoint: Endpoint, bare: _Answer | None) -> Iterator[Check]:
    """Whether the token that is set is needed: the list that came with it is asked for without it."""
    if endpoint.token is None:
        return
    needed = bare is not None and bare.reply.status in (401, 403)
    text = "asked for, and accepted" if needed else "set; the server does not ask for one"
    yield Check(group=SERVERS, name="token", health="ok", text=text, facts={"required": needed})


def _on_demand(catalogue: EndpointCatalogue, listed: _Answer | None) -> Iterator[Check]:
    """LM Studio's just-in-time loading: while it is on, ``/v1/models`` names what is downloaded, else what is loaded.

    No interface tells the switch itself (LM Studio's documentation of headless use).
    """
    idle = [entry.key for entry in catalogue.models if not entry.in_memory]
    if not catalogue.flavour.startswith("lmstudio-") or not idle or listed is None:
        return
    rows = _rows(listed.reply.json)
    if rows is None:
        return
    on = any(key in rows for key in idle)
    text = (
        "on: the server loads a model that is asked for, and may push another one out"
        if on
        else "off: only what is loaded answers; bridge-run loads the rest itself where the server lets it"
    )
    yield Check(group=SERVERS, name="loading on demand", health="ok", text=text, facts={"on": on})


def _rows(data: Any) -> set[str] | None:
    rows = data.get("data") if isinstance(data, Mapping) else None
    return {str(row.get("id")) for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else None


def _loaded(catalogue: EndpointCatalogue, free: tuple[int, int] | None) -> Iterator[Check]:
    """A line for each loaded copy."""
    for entry in catalogue.models:
        for instance in entry.instances:
            text = f"`{instance.id}`: {instance_text(instance)}"
            facts: dict[str, Any] = {"model": entry.key, **instance_json(instance)}
            if free is not None:
                text += f"; {free[0]} of {free[1]} free now"
                facts["free_slots"] = free[0]
            yield Check(group=SERVERS, name="loaded", health="ok", text=text, facts=facts)


def _notes(catalogue: EndpointCatalogue) -> Iterator[Check]:
    for note in catalogue.notes:
        yield Check(group=SERVERS, name="note", health="warning", text=note)


def _free_slots(answer: _Answer | None) -> tuple[int, int] | None:
    """llama.cpp's ``/slots``: a list with ``is_processing`` each; the server may have it switched off."""
    slots = answer.reply.json if answer is not None and answer.reply.status == 200 else None
    if not isinstance(slots, list) or not slots:
        return None
    return sum(1 for slot in slots if isinstance(slot, Mapping) and not slot.get("is_processing")), len(slots)
