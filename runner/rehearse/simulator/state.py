"""What is loaded: the state of the pretended server. Pure: time is an argument, in seconds of any steady clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.script import Script, ScriptedModel

Domain = Literal["llm", "embedding"]


@dataclass(slots=True, kw_only=True, eq=False)
class Instance:
    """A loaded copy. ``ready_at``: when its load ends; ``gone``: it was unloaded, whoever still uses it must stop."""

    id: str
    model: ScriptedModel
    context_length: int
    parallel: int
    jit: bool
    ttl: float | None
    ready_at: float
    last_used: float
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
        for model in script.models.values():
            if model.loaded is not None:
                self._add(model, now, context_length=model.loaded.context_length, parallel=model.loaded.parallel)

    def instances(self, now: float) -> tuple[Instance, ...]:
        """What is loaded or loading; what has been idle for too long is unloaded first."""
        for instance in [i for i in self._instances.values() if i.idle(now)]:
            self.unload(instance.id)
        return tuple(self._instances.values())

    def find(self, name: str) -> ScriptedModel | None:
        """The downloaded model of that key or variant; case and the ``@quantisation`` do not count."""
        folded = _plain(name)
        return next((m for m in self._script.models.values() if m.key.casefold() == folded), None)

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
    ) -> Instance:
        """Begin to load another copy; it is ready at ``ready_at``.

        A load on demand gets a time to live (the setting's, unless given), and with ``auto_evict`` first unloads
        every other model that was loaded on demand, even in the middle of an answer.
        """
        if jit and self._script.settings.auto_evict:
            for other in [i for i in self._instances.values() if i.jit and i.model.key != model.key]:
                self.unload(other.id)
        instance = self._add(model, now, context_length=context_length)
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
        downloaded = [m.key for m in self._script.models.values() if domain_of(m) == domain]
        if able or not downloaded:
            raise refusal.unknown_model(name or "", downloaded, domain)
        raise refusal.nothing_loaded(400 if self._script.settings.has_v0 else 404)

    def _add(
        self, model: ScriptedModel, now: float, *, context_length: int | None = None, parallel: int | None = None
    ) -> Instance:
        number = 1
        while (name := model.key if number == 1 else f"{model.key}:{number}") in self._instances:
            number += 1
        instance = Instance(
            id=name,
            model=model,
            context_length=context_length or min(self._script.settings.jit_context, model.max_context_length),
            parallel=parallel or model.parallel,
            jit=False,
            ttl=None,
            ready_at=now,
            last_used=now,
        )
        self._instances[name] = instance
        return instance


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
