"""What is loaded: the state of the pretended server. Pure: time is an argument, in seconds of any steady clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.pool import Pool
from runner.rehearse.simulator.script import Script, ScriptedModel

Domain = Literal["llm", "embedding"]


@dataclass(slots=True, kw_only=True, eq=False)
class Instance:
    """A loaded copy. ``ready_at``: when its load ends; ``gone``: it was unloaded, whoever still uses it must stop.

    ``config``: the other settings that it was loaded with.
    """

    id: str
    model: ScriptedModel
    context_length: int
    parallel: int
    jit: bool
    ttl: float | None
    ready_at: float
    last_used: float
    pool: Pool
    config: Mapping[str, Any] = field(default_factory=dict)
    busy: int = 0
    gone: bool = False

    def idle(self, now: float) -> bool:
        """Whether nobody has used it for its time to live."""
        return self.ttl is not None and not self.busy and now >= max(self.last_used, self.ready_at) + self.ttl


@dataclass(frozen=True, slots=True)
class OnDemand:
    """The answer to a name of a model that must be loaded first."""

    model: ScriptedModel


class Memory:
    """The loaded instances, in the order in which they were loaded."""

    def __init__(self, script: Script, now: float) -> None:
        self._script = script
        self._instances: dict[str, Instance] = {}
        self._crashed: set[str] = set()
        coming = script.settings.downloadable
        self._models = {key: model for key, model in script.models.items() if key not in coming}
        for model in self._models.values():
            if model.loaded is not None:
                self._add(model, now, context_length=model.loaded.context_length, parallel=model.loaded.parallel)

    @property
    def models(self) -> Mapping[str, ScriptedModel]:
        """What is downloaded, by key."""
        return self._models

    def shelve(self, key: str, size: int) -> None:
        """A model has been downloaded; what it is and says stands in the script, or it is one that says nothing."""
        if key not in self._models:
            model = self._script.models.get(key) or ScriptedModel(key=key, publisher=key.rpartition("/")[0] or "local")
            self._models[key] = replace(model, size=size, loaded=None)

    def instances(self, now: float) -> tuple[Instance, ...]:
        """What is loaded or loading; what has been idle for too long is unloaded first."""
        for instance in [i for i in self._instances.values() if i.idle(now)]:
            self.unload(instance.id)
        return tuple(self._instances.values())

    def find(self, name: str) -> ScriptedModel | None:
        """The downloaded model of that key or variant; case and the ``@quantisation`` do not count."""
        folded = _plain(name)
        return next((m for m in self._models.values() if m.key.casefold() == folded), None)

    def named(self, name: str, now: float) -> ScriptedModel | None:
        """The model that an instance id, a key or a variant means."""
        return next((i.model for i in self.instances(now) if i.id == name), None) or self.find(name)

    def resolve(self, name: str | None, domain: Domain, now: float) -> Instance | OnDemand:
        """Who answers a request for ``name`` under ``/v1``, by the rules that LM Studio is observed to follow.

        An instance of that id; the first instance of that model; a load on demand; the one loaded model, whatever it
        is called.

        Raises:
            Refusal: none of these, or the name belongs to a model of the other domain.
        """
        racing = self._script.settings.jit_race
        instances = tuple(i for i in self.instances(now) if i.ready_at <= now or not racing)
        if name:
            for instance in instances:
                if instance.id == name:
                    return _in_domain(instance, domain)
            model = self.find(name)
            if model is not None and model.key in self._crashed and not any(i.model is model for i in instances):
                self._crashed.discard(model.key)
                raise self._nothing_loaded()
            if model is not None:
                return self._resolve_downloaded(model, domain, instances)
        return self._stand_in(name, domain, instances)

    def load(
        self,
        model: ScriptedModel,
        now: float,
        *,
        context_length: int | None = None,
        jit: bool = False,
        ttl: float | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Instance:
        """Begin to load another copy; it is ready at ``ready_at``.

        A load on demand gets a time to live (the setting's, unless given), and with ``auto_evict`` first unloads
        every other model that was loaded on demand, even in the middle of an answer.

        Raises:
            Refusal: it does not fit into what memory is left.
        """
        if jit and self._script.settings.auto_evict:
            for other in [i for i in self._instances.values() if i.jit and i.model.key != model.key]:
                self.unload(other.id)
        granted = self._granted(model, context_length, jit=jit)
        self._check_memory(model, granted, jit=jit)
        self._crashed.discard(model.key)
        instance = self._add(model, now, context_length=granted)
        instance.config = config or {}
        instance.ready_at = now + model.pace.load
        if jit:
            instance.jit = True
            instance.ttl = ttl if ttl is not None else self._script.settings.jit_ttl
        return instance

    def unload(self, instance_id: str) -> bool:
        """Unload it; False if there is no such instance."""
        instance = self._instances.pop(instance_id, None)
        if instance is not None:
            instance.gone = True
        return instance is not None

    def crash(self, instance: Instance) -> None:
        """It is gone, and the next request for its model is told so, unless it is loaded before."""
        self.unload(instance.id)
        self._crashed.add(instance.model.key)

    def enter(self, instance: Instance) -> None:
        """A request begins to use it (or to wait for it)."""
        instance.busy += 1

    def leave(self, instance: Instance, now: float) -> None:
        """A request is done with it; its idle time begins anew."""
        instance.busy -= 1
        instance.last_used = now

    def _resolve_downloaded(
        self, model: ScriptedModel, domain: Domain, instances: Iterable[Instance]
    ) -> Instance | OnDemand:
        if domain_of(model) != domain:
            raise _wrong_domain(model.key, domain)
        for instance in instances:
            if instance.model is model:
                return instance
        return OnDemand(model) if self._script.settings.jit else self._stand_in(model.key, domain, instances)

    def _stand_in(self, name: str | None, domain: Domain, instances: Iterable[Instance]) -> Instance:
        able = [i for i in instances if domain_of(i.model) == domain]
        if len(able) == 1:
            return able[0]
        if able and not name:
            raise refusal.which_model()
        downloaded = [m.key for m in self._models.values() if domain_of(m) == domain]
        if able or not downloaded:
            raise refusal.unknown_model(name or "", downloaded, domain)
        raise self._nothing_loaded()

    def _nothing_loaded(self) -> refusal.Refusal:
        return refusal.nothing_loaded(400 if self._script.settings.has_v0 else 404)

    def _granted(self, model: ScriptedModel, wanted: int | None, *, jit: bool) -> int:
        """The context that the engine gives. Without a wish MLX takes all that the model can, as recorded."""
        if model.fitted_context is not None:
            return model.fitted_context
        if wanted is None and model.format == "mlx" and not jit and domain_of(model) == "llm":
            return model.max_context_length
        return wanted or min(self._script.settings.jit_context, model.max_context_length)

    def _check_memory(self, model: ScriptedModel, context_length: int, *, jit: bool) -> None:
        room = self._script.settings.memory
        if room is None:
            return
        taken = sum(memory_of(other.model, other.context_length) for other in self._instances.values())
        needed = memory_of(model, context_length)
        if taken + needed <= room:
            return
        if jit:
            raise refusal.load_on_demand_failed(model.key)
        raise refusal.load_failed(model.key, domain_of(model), refusal.memory_full(needed))

    def _add(
        self, model: ScriptedModel, now: float, *, context_length: int | None = None, parallel: int | None = None
    ) -> Instance:
        number = 1
        while (name := model.key if number == 1 else f"{model.key}:{number}") in self._instances:
            number += 1
        granted = context_length or min(self._script.settings.jit_context, model.max_context_length)
        instance = Instance(
            id=name,
            model=model,
            context_length=granted,
            pool=Pool(granted),
            parallel=parallel or model.parallel,
            jit=False,
            ttl=None,
            ready_at=now,
            last_used=now,
        )
        self._instances[name] = instance
        return instance


def memory_of(model: ScriptedModel, context_length: int) -> int:
    """What a loaded copy takes, in bytes."""
    return model.size + model.token_size * context_length


def domain_of(model: ScriptedModel) -> Domain:
    """Whether a model chats or embeds."""
    return "embedding" if model.type == "embedding" else "llm"


def _in_domain(instance: Instance, domain: Domain) -> Instance:
    if domain_of(instance.model) != domain:
        raise _wrong_domain(instance.id, domain)
    return instance


def _wrong_domain(name: str, domain: Domain) -> refusal.Refusal:
    return refusal.wrong_domain(name, "an embedding model" if domain == "embedding" else "a chat model")


def _plain(name: str) -> str:
    return name.partition("@")[0].casefold()
