"""A model's name against what the servers have. Nothing near is ever taken silently: a name matches or it does not.

The forms of a name are those of LM Studio: a key (``publisher/name`` or bare), a variant (``key@q4_k_m``), the id of a
loaded instance (``key:2``, or the name given with ``lms load --identifier``). Keys and variants match without regard to
case; instance ids are taken letter by letter.
"""

from __future__ import annotations

import re

from runner.chat.catalogue import Catalogue, EndpointCatalogue, ModelEntry
from runner.words.noun import noun
from runner.words.suggest import nearest

_INSTANCE_NUMBER = re.compile(r":\d+$")
"""What LM Studio puts behind the key of a second copy: ``qwen/qwen3-8b:2``."""


@noun
class Found:
    """A model on a server; ``model`` is the id to send, in the server's own spelling."""

    server: EndpointCatalogue
    entry: ModelEntry
    model: str

    @property
    def endpoint(self) -> str:
        """The address of the server."""
        return self.server.endpoint


class Places:
    """Where the models of a plan were placed so far, so that two servers hold two of them instead of one swapping."""

    __slots__ = ("_coming", "_placed")

    def __init__(self) -> None:
        self._placed: set[tuple[str, str]] = set()
        self._coming: dict[str, set[str]] = {}

    def add(self, endpoint: str, entry: ModelEntry, model: str, *, loads: bool) -> None:
        """A step is answered there; ``loads``: that server loads what it is asked for, or is told to."""
        self._placed.add((endpoint, model.casefold()))
        if loads and not entry.in_memory:
            self._coming.setdefault(endpoint, set()).add(model.casefold())

    def has(self, found: Found) -> bool:
        """Whether a step before is answered by it, so that it will be there."""
        return (found.endpoint, found.model.casefold()) in self._placed

    def coming(self, endpoint: str) -> int:
        """How many models of the plan are to be loaded there."""
        return len(self._coming.get(endpoint, ()))


def look_up(name: str, catalogue: Catalogue, places: Places | None = None) -> Found | None:
    """The model of that name: one that is loaded, or will be for another step, before one that is not; then on the
    server on which the fewest models of the plan are to be loaded, then in the order of the endpoints.

    Among equals a model that talks goes before one that only embeds, and an instance that was given the very name
    before a model of that key: so does LM Studio itself.
    """
    placed = places or Places()
    found = [
        Found(server=server, entry=entry, model=model)
        for server, entry in catalogue
        if (model := _id_to_send(name, entry)) is not None
    ]

    def rank(one: Found) -> tuple[bool, bool, bool, int, int, bool]:
        is_instance = any(instance.id == name for instance in one.entry.instances)
        at = catalogue.endpoints.index(one.server)
        there = one.entry.in_memory
        crowd = 0 if there else placed.coming(one.endpoint)
        return one.entry.type == "embedding", not there, not placed.has(one), crowd, at, not is_instance

    return min(found, key=rank, default=None)


def the_loaded(catalogue: Catalogue) -> tuple[Found, ...]:
    """The loaded models that talk, each once, on the first server that has it.

    A server that does not say what is loaded (they hold one model as a rule) counts when it has just one.
    """
    found: dict[str, Found] = {}
    for server, entry in catalogue:
        if entry.type == "embedding":
            continue
        silent = entry.loaded is None and not entry.instances and _talkers(server) == 1
        if entry.in_memory or silent:
            found.setdefault(entry.key.casefold(), Found(server=server, entry=entry, model=entry.key))
    return tuple(found.values())


def all_names(catalogue: Catalogue) -> tuple[str, ...]:
    """Every name that ``look_up`` would find, without repetitions: keys, variants, instances."""
    return tuple(dict.fromkeys(name for _, entry in catalogue for name in entry.names))


def similar_names(name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """At most three names to offer instead of one that is not there; best first.

    A key that ends in the very name (``qwen3-8b`` for ``qwen/qwen3-8b``) is the best guess; another quantisation or
    copy of the model that was asked for is the next.
    """
    names = all_names(catalogue)
    folded = name.casefold()
    plain = _INSTANCE_NUMBER.sub("", folded).partition("@")[0]
    endings = [other for other in names if other.casefold().endswith("/" + folded)]
    variants = [other for other in names if other.casefold().partition("@")[0] == plain]
    return tuple(dict.fromkeys((*endings, *variants, *nearest(name, names))))[:3]


def _id_to_send(name: str, entry: ModelEntry) -> str | None:
    if any(instance.id == name for instance in entry.instances):
        return name
    folded = name.casefold()
    if folded == entry.key.casefold():
        return entry.key
    for variant in entry.variants:
        if folded == variant.casefold():
            return variant
    quantised = f"{entry.key}@{entry.quantization}".casefold() if entry.quantization else None
    return entry.key if folded == quantised and not entry.variants else None


def _talkers(server: EndpointCatalogue) -> int:
    return sum(1 for entry in server.models if entry.type != "embedding")
