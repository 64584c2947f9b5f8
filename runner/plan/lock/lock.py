"""What a lock file says: the models and tools that servers had when somebody looked, without anybody having to look.

It is a fingerprint of what servers said of themselves, not of a model's weights nor of a tool's code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry, ServerFlavour
from runner.chat.toolbox import Tool
from runner.plan.lock.start import key_of_start, start_of
from runner.plan.lookup import look_up
from runner.words.noun import noun
from runner.workflow.model import Server

VERSION: Final = 1
FACTS: Final = (
    "type", "publisher", "architecture", "quantization", "format", "size_bytes", "parameters", "max_context_length",
    "tool_use", "vision", "reasoning_options", "reasoning_default", "variants",
)  # fmt: skip
"""What is kept of a model, by the names of ``ModelEntry``; whether it is loaded is the business of a moment."""


@noun
class LockedModel:
    """A model and the ``names`` under which workflows ask for it. ``entry`` has no state but what its server fixes."""

    names: tuple[str, ...]
    entry: ModelEntry


@noun
class LockedEndpoint:
    """A model server without its address; ``name`` is what the configuration calls it, the rest as in the catalogue."""

    flavour: ServerFlavour
    name: str | None = None
    manages: bool = False
    loads_on_demand: bool = False
    load_settings: tuple[str, ...] | None = None
    models: tuple[LockedModel, ...] = ()


@noun
class LockedTool:
    """A tool by its fingerprint (SHA-256, hexadecimal). ``definition`` None: it was too large to be kept."""

    name: str
    sha256: str
    definition: Mapping[str, Any] | None = None


@noun
class LockedServer:
    """A tool server, known by how it is started (``start``, see ``lock_start``); ``names`` are those it has in files.

    ``said`` is what it said of itself: ``name``, ``version``, ``protocol``. ``tools`` None: it could not be started
    without inputs that nobody gave.
    """

    names: tuple[str, ...]
    start: Mapping[str, Any]
    said: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[LockedTool, ...] | None = None

    @property
    def key(self) -> str:
        """Equal for servers that are started alike."""
        return key_of_start(self.start)


@noun
class Lock:
    """A lock file. ``file`` is its path as a person finds it.

    ``default_model`` is the model of steps that name none; ``missing`` are names that were asked for and that no server
    had, though another wish of the same step was met.
    """

    file: str
    endpoints: tuple[LockedEndpoint, ...] = ()
    servers: tuple[LockedServer, ...] = ()
    default_model: str | None = None
    missing: tuple[str, ...] = ()

    def catalogue(self, addresses: Mapping[str, str] | None = None) -> Catalogue:
        """What the servers had. ``addresses`` are those of named servers; the others are called as the lock file is."""
        return Catalogue(tuple(self._endpoint(number, addresses or {}) for number in range(len(self.endpoints))))

    def _endpoint(self, number: int, addresses: Mapping[str, str]) -> EndpointCatalogue:
        one = self.endpoints[number]
        label = self.file if len(self.endpoints) == 1 else f"{self.file}, server {number + 1}"
        return EndpointCatalogue(
            endpoint=addresses.get(one.name or "", f"{self.file}, `{one.name}`" if one.name else label),
            flavour=one.flavour,
            models=tuple(model.entry for model in one.models),
            name=one.name,
            manages=one.manages,
            loads_on_demand=one.loads_on_demand,
            load_settings=one.load_settings,
        )

    def server_for(self, server: Server) -> LockedServer | None:
        """The entry of a server as its file declares it; of several that are started alike the one of its name."""
        key = key_of_start(start_of(server))
        alike = [one for one in self.servers if one.key == key]
        return next((one for one in alike if server.name in one.names), alike[0] if alike else None)

    def models_named(self, name: str) -> Iterator[tuple[LockedEndpoint, LockedModel]]:
        """Every entry that the name leads to."""
        for endpoint in self.endpoints:
            for model in endpoint.models:
                if name in model.names or found_in(name, model.entry):
                    yield endpoint, model


def found_in(name: str, entry: ModelEntry) -> bool:
    """Whether a request for ``name`` would be answered by this model."""
    return look_up(name, Catalogue((EndpointCatalogue(endpoint="", flavour="openai", models=(entry,)),))) is not None


def locked_entry(entry: ModelEntry, names: Sequence[str], *, fixed: bool) -> ModelEntry:
    """The model without the state of the moment; ``fixed``: its server holds it as it was started, which is no state.

    A loaded copy that is asked for by its own id stays, by that id alone.
    """
    kept: list[Instance] = []
    if fixed:
        kept += [replace(one, config={}) for one in entry.instances]
    else:
        bare = replace(entry, instances=())
        kept += [Instance(id=one.id) for one in entry.instances if one.id in names and not found_in(one.id, bare)]
    return replace(entry, instances=tuple(kept), loaded=True if kept else entry.loaded if fixed else None)


def tools_of(locked: LockedServer) -> tuple[Tool, ...]:
    """The tools of a lock, for who judges names (``missing_tools``)."""
    return tuple(Tool(name=one.name, **_told(one.definition)) for one in locked.tools or ())


def _told(definition: Mapping[str, Any] | None) -> dict[str, Any]:
    known = definition or {}
    return {key: known[key] for key in ("description", "input_schema", "output_schema", "effect") if key in known}
