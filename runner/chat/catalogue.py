"""What the model servers have, as they said it when they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.words.noun import noun

ModelType = Literal["llm", "vlm", "embedding", "unknown"]
ServerFlavour = Literal["lmstudio-v1", "lmstudio-v0", "lmstudio", "llama.cpp", "ollama", "vllm", "openai"]


@noun
class Instance:
    """A loaded copy of a model; ``context_length`` in tokens, None if the server does not say.

    ``parallel`` requests are answered at once; ``shared_context`` says that they share ``context_length`` (LM Studio's
    one pool for all), otherwise each has as much. ``config`` is what else the server says of how it was loaded, by the
    names of the load settings (``eval_batch_size``, ``flash_attention``…).
    """

    id: str
    context_length: int | None = None
    parallel: int | None = None
    shared_context: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)


@noun
class ModelEntry:
    """One model of a server. A None means that the server does not say (old servers say little)."""

    key: str
    type: ModelType = "unknown"
    publisher: str | None = None
    architecture: str | None = None
    quantization: str | None = None
    format: str | None = None
    size_bytes: int | None = None
    parameters: str | None = None
    max_context_length: int | None = None
    vision: bool | None = None
    tool_use: bool | None = None
    reasoning_options: tuple[str, ...] = ()
    reasoning_default: str | None = None
    variants: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    loaded: bool | None = None

    @property
    def in_memory(self) -> bool:
        """Whether the server said that it is loaded."""
        return self.loaded is True or bool(self.instances)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which a request may ask for it: key, variants, instance ids."""
        return tuple(dict.fromkeys((self.key, *self.variants, *(i.id for i in self.instances))))


@noun
class EndpointCatalogue:
    """What one server has. ``endpoint`` is its address without a trailing slash, ``name`` its name if it has one.

    ``manages`` says that ``Backend.load`` and ``unload`` work here; ``loads_on_demand`` that a request for a model that
    is not loaded loads it (and may push another one out). ``notes`` say what an old or foreign server does not tell.
    ``load_settings`` are the settings of the workflow file's ``load`` that it takes, None = all there are.
    """

    endpoint: str
    flavour: ServerFlavour
    models: tuple[ModelEntry, ...] = ()
    notes: tuple[str, ...] = ()
    name: str | None = None
    manages: bool = False
    loads_on_demand: bool = False
    load_settings: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What all reachable servers have, in the order in which the endpoints were given."""

    endpoints: tuple[EndpointCatalogue, ...] = ()

    def __iter__(self) -> Iterator[tuple[EndpointCatalogue, ModelEntry]]:
        for endpoint in self.endpoints:
            for model in endpoint.models:
                yield endpoint, model
