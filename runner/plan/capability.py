"""What steps need against what their models and servers can: findings of the plan that a comment may allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.chat.catalogue import Catalogue, EndpointCatalogue, ServerFlavour
from runner.plan.allowed import Judged
from runner.plan.concurrency import at_once
from runner.plan.finding import finding
from runner.plan.plan import ModelChoice, Needs, PlannedStep
from runner.plan.residency import Residence, residences
from runner.words.diagnostics import Level
from runner.words.noun import noun
from runner.words.spans import Path
from runner.workflow.model import Step, TaskWork, Workflow

_LMSTUDIO: frozenset[ServerFlavour] = frozenset(("lmstudio-v1", "lmstudio-v0", "lmstudio"))
_OLD: frozenset[ServerFlavour] = frozenset(("lmstudio-v0", "lmstudio"))
_LOWEST_FIRST = ("low", "medium", "high", "on")


def judge(steps: Sequence[PlannedStep], catalogue: Catalogue, workflow: Workflow) -> tuple[Judged, ...]:
    """All that speaks against asking these models for these steps. Fallbacks are judged too, as warnings."""
    servers = {one.endpoint: one for one in catalogue.endpoints}
    judge = _Judge(workflow=workflow, servers=servers)
    there = residences(steps)
    found = [one for planned in steps for one in judge.step(planned)]
    found += [one for residence in there for one in judge.residence(residence, steps)]
    found += [one for server in catalogue.endpoints for one in judge.server(server, steps)]
    return tuple(found)


@noun
class _Judge:
    workflow: Workflow
    servers: Mapping[str, EndpointCatalogue]

    def step(self, planned: PlannedStep) -> Iterator[Judged]:
        """A step against the model that answers it and those that may stand in."""
        if planned.model is None or planned.needs is None:
            return
        for choice in (planned.model, *planned.model.fallbacks):
            one = _Pair(
                workflow=self.workflow,
                planned=planned.step,
                needs=planned.needs,
                choice=choice,
                is_fallback=choice is not planned.model,
            )
            yield from one.tools()
            yield from one.vision()
            yield from one.longest()
            yield from one.reasoning()
            yield from one.thinking_schema(self._flavour(choice))
        yield from self._schema_without_a_turn(planned)

    def _flavour(self, choice: ModelChoice) -> ServerFlavour:
        server = self.servers.get(choice.endpoint)
        return server.flavour if server is not None else "openai"

    def _schema_without_a_turn(self, planned: PlannedStep) -> Iterator[Judged]:
        """A schema is sent only in requests without tools: beside them it would forbid the calls."""
        step, needs = planned.step, planned.needs
        if needs is None or not (needs.tools and needs.schema) or step.repair:
            return
        message = f"step `{step.id}` has tools and an `output` schema, and `repair: 0` allows no second try"
        ways = "no server enforces a schema beside tools: allow a `repair`, or let a step after it write the answer"
        yield self._judged("BR323", (*step.path, "repair"), message, ways, step=step)

    def residence(self, one: Residence, steps: Sequence[PlannedStep]) -> Iterator[Judged]:
        """A model as it is or will be loaded, against all the steps that it answers."""
        step = next(p.step for p in steps if p.step.id in (*one.steps, *one.reserve_of))
        yield from self._asked_context(one, step)
        yield from self._loaded_context(one, step)
        yield from self._shared_pool(one, steps)
        yield from self._unmanaged(one, step)

    def _asked_context(self, one: Residence, step: Step) -> Iterator[Judged]:
        asked, most = one.choice.load.get("context_length"), one.choice.entry.max_context_length
        if asked is None or not one.choice.manages:
            return
        place = self._load_place(step, "context_length")
        if one.need > asked and not _impossible(one.opening, most):
            level: Level = "error" if one.opening > asked and one.steps else "warning"
            message = f"`load` gives `{one.name}` a context of {asked:,} tokens, and its steps need about {one.need:,}"
            ways = f"ask for at least {one.need:,}, or lower `limits.tool_result` or `max_tokens`"
            yield self._judged("BR308", place, message, ways, level=level, step=step)
        if most is not None and asked > most:
            message = f"`load` asks for a context of {asked:,} tokens, and `{one.name}` has at most {most:,}"
            yield self._judged("BR309", place, message, f"ask for {most:,} at most", step=step)

    def _loaded_context(self, one: Residence, step: Step) -> Iterator[Judged]:
        if one.lacks is None:
            return
        place = (*step.path, "model")
        if one.how == "load anew":
            message = f"`{one.name}` is loaded, but {one.lacks}: it will be loaded anew"
            ways = "unload it or load it like that yourself, so that two copies need not be in memory"
            yield self._judged("BR316", place, message, ways, step=step)
        elif one.context_length is not None and one.need > one.context_length:
            level: Level = "error" if one.opening > one.context_length and one.steps else "warning"
            message = (
                f"`{one.name}` is served with a context of {one.context_length:,} tokens, "
                f"and its steps need about {one.need:,}"
            )
            ways = "start its server with a longer context, or lower `limits.tool_result` or `max_tokens`"
            yield self._judged("BR316", place, message, ways, level=level, step=step)

    def _shared_pool(self, one: Residence, steps: Sequence[PlannedStep]) -> Iterator[Judged]:
        pool = one.context_length
        if one.instance is None or not one.instance.shared_context or pool is None:
            return
        slots = min(one.instance.parallel or self.workflow.limits.parallel, self.workflow.limits.parallel)
        for group in at_once([p for p in steps if p.step.id in one.steps], steps):
            hungriest = sorted(group, key=lambda p: p.needs.context if p.needs else 0, reverse=True)[:slots]
            total = sum(p.needs.context for p in hungriest if p.needs)
            if total <= pool:
                continue
            names = _listed([p.step.id for p in group])
            message = f"steps {names} may run at once on `{one.name}`, whose requests share {pool:,} tokens"
            ways = f"they need about {total:,} together, so some will wait; a context as long as that ends the waiting"
            yield self._judged("BR318", (*group[0].step.path, "model"), message, ways, step=group[0].step)

    def _unmanaged(self, one: Residence, step: Step) -> Iterator[Judged]:
        choice = one.choice
        if choice.manages:
            return
        server = f"the server {choice.endpoint} cannot be told how to load a model"
        if choice.load:
            message = f"`load` has no effect on `{one.name}`: {server}"
            ways = "start the server with these settings, and delete `load`"
            yield self._judged("BR320", self._load_place(step), message, ways, step=step)
        if choice.ttl is not None and not choice.loads_on_demand:
            message = f"`ttl` has no effect on `{one.name}`: {server}"
            yield self._judged("BR320", (*self._load_place(step)[:-1], "ttl"), message, "delete `ttl`", step=step)

    def server(self, server: EndpointCatalogue, steps: Sequence[PlannedStep]) -> Iterator[Judged]:
        """What a server leaves open, told once for all its steps."""
        mine = [p for p in steps if p.model is not None and p.model.endpoint == server.endpoint and p.needs is not None]
        if server.flavour in _OLD and mine:
            yield self._old(server, mine)
        schemas = [p for p in mine if p.needs is not None and p.needs.schema]
        if server.flavour == "openai" and schemas:
            message = (
                f"nobody knows whether {server.endpoint} enforces the `output` schema of "
                f"{_steps([p.step.id for p in schemas])}"
            )
            ways = "answers are judged in any case, and sent back up to `repair` times"
            yield self._judged("BR321", (*schemas[0].step.path, "output"), message, ways, step=schemas[0].step)

    def _old(self, server: EndpointCatalogue, mine: Sequence[PlannedStep]) -> Judged:
        """An LM Studio that cannot be told how to load a model; said of every run, for nothing else shows it."""
        version = "0.4" if server.flavour == "lmstudio-v0" else "0.3.6"
        unsure = [p for p in mine if _is_unsure(p)]
        message = f"{server.endpoint} is an LM Studio older than {version}: it loads models with settings of its own"
        if unsure:
            message += f", and whether they can do the work of {_steps([p.step.id for p in unsure])} is not known"
        step = (unsure or mine)[0].step
        ways = "update it; until then load the models by hand, with enough context"
        return self._judged("BR319", (*step.path, "model"), message, ways, step=step)

    def _load_place(self, step: Step, *key: str) -> Path:
        wish = next((path[:2] for path in _wishes(self.workflow, step)), (*step.path, "model"))
        return (*wish, "load", *key)

    def _judged(
        self, code: str, place: Path, message: str, ways: str, *, step: Step, level: Level = "warning"
    ) -> Judged:
        found = finding(self.workflow, code, place, message, level=level, help=ways)
        return Judged(finding=found, places=(step.path, *_wishes(self.workflow, step)))


@noun
class _Pair:
    """A step and one model that may answer it."""

    workflow: Workflow
    planned: Step
    needs: Needs
    choice: ModelChoice
    is_fallback: bool

    def tools(self) -> Iterator[Judged]:
        """BR305: tool use."""
        if self.needs.tools and self.choice.entry.tool_use is False:
            message = f"step `{self.planned.id}` uses tools, and its {self._subject} was not trained for them"
            yield self._judged("BR305", message, "it may still work; a model with tool use will do better")

    def vision(self) -> Iterator[Judged]:
        """BR306: pictures."""
        if self.needs.vision and self.choice.entry.vision is False:
            message = f"step `{self.planned.id}` shows pictures, and its {self._subject} cannot see"
            yield self._judged("BR306", message, "name a model with vision, or leave `images` out", level="error")

    def longest(self) -> Iterator[Judged]:
        """BR307: more text than the model can ever hold."""
        most = self.choice.entry.max_context_length
        if most is None or self.needs.context <= most:
            return
        message = (
            f"step `{self.planned.id}` needs about {self.needs.context:,} tokens, and its {self._subject} "
            f"holds {most:,} at most"
        )
        ways = "hand it less text, lower `limits.tool_result` or `max_tokens`, or name a model that holds more"
        if self.needs.schemas * 2 > self.needs.context:
            taken = f"the schemas of its tools alone take about {self.needs.schemas:,}"
            ways = f"offer it fewer tools (`tools`): {taken}; or name a model that holds more"
        yield self._judged(
            "BR307", message, ways, level="error" if _impossible(self.needs.opening, most) else "warning"
        )

    def reasoning(self) -> Iterator[Judged]:
        """BR317: a setting that the model has not."""
        wanted, options = self.needs_reasoning, self.choice.entry.reasoning_options
        if wanted is None or not options or wanted in options or (wanted == "on" and set(options) - {"off"}):
            return
        known = ", ".join(f"`{option}`" for option in options)
        if wanted == "off":
            least = next((option for option in _LOWEST_FIRST if option in options), "on")
            message = f"`reasoning: off` for step `{self.planned.id}`, and its {self._subject} cannot stop thinking"
            ways = f"it knows {known}; `{'medium' if least == 'on' else least}` is sent"
        else:
            message = f"`reasoning: {wanted}` for step `{self.planned.id}`, and its {self._subject} has no such setting"
            ways = f"it knows {known}; `{wanted}` is sent, and the server takes what is nearest"
        yield self._judged("BR317", message, ways)

    @property
    def needs_reasoning(self) -> str | None:
        """What the file asks of this very model: a fallback may be an alias with a ``sampling`` of its own."""
        wanted = self.choice.sampling.get("reasoning")
        return wanted if isinstance(wanted, str) else None

    def thinking_schema(self, flavour: ServerFlavour) -> Iterator[Judged]:
        """BR322: LM Studio puts the JSON among the thoughts, with some models and versions (its bug tracker, 1698)."""
        entry = self.choice.entry
        setting = self.needs_reasoning or entry.reasoning_default
        thinks = bool(entry.reasoning_options) and setting is not None
        if not self.needs.schema or self.needs.tools or not thinks or flavour not in _LMSTUDIO:
            return
        if setting == "off" and "off" in entry.reasoning_options:
            return
        message = f"step `{self.planned.id}` has an `output` schema, and its {self._subject} thinks before it answers"
        ways = "some versions of LM Studio lose the answer among the thoughts"
        off = "`sampling: {reasoning: off}` is safer" if "off" in entry.reasoning_options else "it is looked for there"
        yield self._judged("BR322", message, f"{ways}; {off}")

    @property
    def _subject(self) -> str:
        return f"{'fallback' if self.is_fallback else 'model'} `{self.choice.model}`"

    def _judged(self, code: str, message: str, ways: str, *, level: Level = "warning") -> Judged:
        place = (*self.planned.path, "model")
        found = finding(self.workflow, code, place, message, level="warning" if self.is_fallback else level, help=ways)
        return Judged(finding=found, places=(self.planned.path, *_wishes(self.workflow, self.planned)))


def _wishes(workflow: Workflow, step: Step) -> Iterator[Path]:
    """Where the models stand that the step or the defaults name by an alias."""
    names = step.work.model if isinstance(step.work, TaskWork) else None
    names = workflow.default_model if names is None else names
    for name in (names,) if isinstance(names, str) else names or ():
        if name in workflow.models:
            path = workflow.models[name].path
            yield path[:2] if path[:1] == ("models",) else path


def _impossible(opening: int, most: int | None) -> bool:
    return most is not None and opening > most


def _is_unsure(planned: PlannedStep) -> bool:
    needs, model = planned.needs, planned.model
    if needs is None or model is None:
        return False
    return (needs.tools and model.entry.tool_use is None) or (needs.vision and model.entry.vision is None)


def _steps(names: Sequence[str]) -> str:
    return f"step{'s' * (len(names) != 1)} {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    *others, last = [f"`{name}`" for name in names]
    return f"{', '.join(others)} and {last}" if others else last
