"""``bridge-run models load`` and ``unload``: into the memory of a server, and out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.app.console import say, tell
from runner.app.models.servers import ModelsRequest, Servers, with_servers
from runner.app.status_line import status_line
from runner.chat.catalogue import Instance, ModelEntry
from runner.plan.lookup import Found, look_up
from runner.show.models_view import instance_text
from runner.words.errors import LLMValidationError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.units import show_bytes, show_seconds

Settings = Mapping[str, Any]
"""Load settings by the names of the workflow file, only those that were given."""
ALL = "all"


@noun
class Copy:
    """A loaded copy of a model: the address of its server, its key, itself."""

    endpoint: str
    key: str
    instance: Instance


def load_model(name: str, settings: Settings, request: ModelsRequest, environment: Mapping[str, str]) -> int:
    """Have the model loaded with at least these settings, and say what is there then; the exit code.

    A loaded copy that is good enough is left as it is. One that is not stays too, and a second one is loaded.

    Raises:
        ModelNotFoundError: no server has it.
        BridgeError: as ``with_servers``.
    """

    async def work(servers: Servers) -> int:
        found = servers.find(name)
        good = next((one for one in found.entry.instances if lacks(one, settings) is None), None)
        if good is not None:
            say(f"`{found.entry.key}` is loaded already, as `{good.id}`: {instance_text(good)}")
            return Exit.OK
        for one in found.entry.instances:
            tell(f"`{one.id}` is loaded, but {lacks(one, settings)}; another copy is loaded beside it")
        return await _load(found, settings, servers)

    return with_servers(request, environment, work)


def unload_models(
    name: str | None,
    request: ModelsRequest,
    environment: Mapping[str, str],
    *,
    exact: bool = False,
    choose: Callable[[str, Sequence[str]], str] | None = None,
) -> int:
    """Unload the copy of that id, or the copies of the model of that key; without a name all there are; the exit code.

    Of several copies ``choose`` is asked for one, or for ``all``. With ``exact`` the name is an id.

    Raises:
        ModelNotFoundError: there is no such model.
        UsageError: there are several copies, and nobody to ask.
        BridgeError: as ``with_servers``.
    """

    async def work(servers: Servers) -> int:
        every = list(_copies(servers))
        if name is None:
            chosen = [copy for copy in every if servers.catalogue_of(copy.endpoint).manages]
        else:
            chosen = _meant(name, every, servers, exact=exact)
        if not chosen:
            say(f"`{name}` is not loaded; nothing to do" if name else "nothing is loaded that could be unloaded")
            return Exit.OK
        for copy in _picked(name or "", chosen, choose) if name is not None and len(chosen) > 1 else chosen:
            await servers.backends[copy.endpoint].unload(copy.instance.id)
            say(f"`{copy.instance.id}` is unloaded from {copy.endpoint}")
        return Exit.OK

    return with_servers(request, environment, work)


def lacks(instance: Instance, settings: Settings) -> str | None:
    """Why a loaded copy is not what is wanted, in words; None if it is, as far as the server says."""
    wanted = settings.get("context_length")
    if wanted is not None and instance.context_length is not None and instance.context_length < wanted:
        return f"its context is {instance.context_length:,} tokens, not {wanted:,}"
    return next(_differences(instance, settings), None)


def _differences(instance: Instance, settings: Settings) -> Iterator[str]:
    for key, wanted in settings.items():
        if key != "context_length" and instance.config.get(key, wanted) != wanted:
            yield f"its `{key}` is {_word(instance.config[key])}, not {_word(wanted)}"


async def _load(found: Found, settings: Settings, servers: Servers) -> int:
    entry = found.entry
    name = entry.key if any(one.id == found.model for one in entry.instances) else found.model
    if servers.is_own(found.endpoint):
        raise LLMValidationError(
            f"`{found.endpoint}` is started for each command and ends with it: nothing stays loaded there",
            hint="a run loads what it needs by itself",
        )
    backend = servers.backends[found.endpoint]
    what = f"loading `{name}`{_size(entry)} on {found.endpoint}"

    def words(seconds: float) -> str:
        return what if seconds < 1 else f"{what}, {show_seconds(seconds)}"

    try:
        with status_line(words, servers.environment) as line:
            instance = await backend.load(name, settings)
    except asyncio.CancelledError:
        tell(f"the server may go on loading `{name}`; `bridge-run models ls` shows it then")
        raise
    say(f"`{name}` is loaded as `{instance.id}` in {show_seconds(line.seconds)}: {instance_text(instance)}")
    shortfall = lacks(instance, settings)
    if shortfall is not None:
        tell(f"warning: the server loaded it otherwise than asked: {shortfall}")
    return Exit.OK


def _size(entry: ModelEntry) -> str:
    return f" ({show_bytes(entry.size_bytes)})" if entry.size_bytes else ""


def _copies(servers: Servers) -> Iterator[Copy]:
    for endpoint, entry in servers.catalogue:
        for instance in entry.instances:
            yield Copy(endpoint=endpoint.endpoint, key=entry.key, instance=instance)


def _meant(name: str, every: Sequence[Copy], servers: Servers, *, exact: bool) -> list[Copy]:
    """The copies that a name may mean: the one of that id, unless it is a key too; else all of the key."""
    by_id = [copy for copy in every if copy.instance.id == name]
    if exact or (by_id and by_id[0].key != name):
        return by_id
    keys = {
        (one.endpoint, found.entry.key)
        for one in servers.catalogue.endpoints
        if (found := look_up(name, type(servers.catalogue)((one,)))) is not None
    }
    if not keys:
        servers.find(name)
    return [copy for copy in every if (copy.endpoint, copy.key) in keys]


def _picked(name: str, copies: Sequence[Copy], choose: Callable[[str, Sequence[str]], str] | None) -> Sequence[Copy]:
    """Those of several that a person chooses."""
    ids = list(dict.fromkeys(copy.instance.id for copy in copies))
    listed = "\n".join(f"  {copy.instance.id}  {instance_text(copy.instance)}  {copy.endpoint}" for copy in copies)
    if choose is None:
        raise UsageError(
            f"{len(copies)} copies of `{name}` are loaded:\n{listed}",
            hint="name one: `bridge-run models unload --exact ID`; `--endpoint` picks the server",
        )
    tell(f"{len(copies)} copies of `{name}` are loaded:\n{listed}")
    picked = choose("Which one?", [*ids, ALL])
    return [copy for copy in copies if picked in (ALL, copy.instance.id)]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
