"""``bridge-run lock``: ask model servers and tool servers what they are, and write it down or compare it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.app.console import allows_colour, say, tell
from runner.app.files import workflow_files
from runner.app.lock.servers import WantedServer, lock_servers, wanted_servers
from runner.app.prepare import Prepared, known_inputs, models_named, plan_of
from runner.app.request import CheckRequest, Format
from runner.app.servers import SIMULATED, Asked, asked_servers, setting_of
from runner.app.surroundings import TOLERATED, survey
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.edges.config.configuration import Configuration
from runner.edges.config.file import read_configuration
from runner.edges.lock_file import lock_place, read_lock_file, shown, write_lock_file
from runner.plan.lock.drift import drift_between
from runner.plan.lock.lock import Lock, LockedEndpoint, LockedModel, found_in, locked_entry
from runner.plan.lock.merge import renewed
from runner.plan.lock.rules import wishes_of
from runner.plan.lock.text import lock_text
from runner.plan.lookup import the_loaded
from runner.plan.wanted import Names, Wanted
from runner.show.lock_view import contents, drift_json, drift_text
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import CannotServeError, UsageError, WorkflowError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.suggest import did_you_mean
from runner.workflow.load import load
from runner.workflow.model import Workflow

_MISSING = frozenset(("BR301", "BR302", "BR304", "BR313", "BR314"))
"""Findings that say that a model is not there; a lock without it would be of no use."""


@noun
class LockRequest:
    """``paths`` as in a check; ``file`` is where the lock lies, None = where it belongs.

    ``update`` is the name of the one model or tool server to renew; ``check`` compares and writes nothing.
    """

    paths: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    simulate: str | None = None
    file: str | None = None
    update: str | None = None
    check: bool = False
    format: Format = "text"
    colour: bool = True


def lock(request: LockRequest, environment: Mapping[str, str]) -> int:
    """Do what the request says; the exit code: 1 if ``check`` found a difference.

    Raises:
        WorkflowError: workflows, the configuration or the lock file are at fault.
        CannotServeError: a model is missing, or a client file; ToolsUnreachableError: a tool server did not start.
        OutsideError: no model server can be asked.
        UsageError: a path or a name makes no sense, or the lock cannot be written.
    """
    place = lock_place(request.file, environment)
    before = None
    if request.check or request.update is not None or place.is_file():
        before = _before(request, environment)
    found = _Look(request, environment, place).lock()
    if request.check:
        assert before is not None, "it was read"
        return _compare(request, before, found)
    if request.update is not None:
        assert before is not None, "it was read"
        found = renewed(before, found, request.update)
    write_lock_file(place, lock_text(found))
    say(f"{found.file}: {contents(found)}")
    if before is not None:
        say(drift_text(drift_between(before, found)))
    return Exit.OK


def _before(request: LockRequest, environment: Mapping[str, str]) -> Lock | None:
    """The lock as it is; one that is broken is no reason not to write it anew."""
    try:
        return read_lock_file(request.file, environment)
    except WorkflowError:
        if request.check or request.update is not None:
            raise
        return None


def _compare(request: LockRequest, before: Lock, found: Lock) -> int:
    drift = drift_between(before, found)
    code = Exit.STEP_FAILED if drift else Exit.OK
    if request.format == "json":
        say(json.dumps(drift_json(before.file, drift, code), ensure_ascii=False, indent=2))
    elif drift:
        say(drift_text(drift))
        tell(f"{before.file} is not up to date; look at what changed, and write it anew: `bridge-run lock`")
    else:
        say(f"{before.file} is up to date: {contents(before)}")
    return code


class _Look:
    """What workflows need, and what is there now."""

    def __init__(self, request: LockRequest, environment: Mapping[str, str], place: Path) -> None:
        self._request = request
        self._environment = environment
        self._place = place
        self._check = CheckRequest(
            paths=request.paths, endpoints=request.endpoints, config=request.config, simulate=request.simulate
        )

    def lock(self) -> Lock:
        """Ask everybody; with ``update`` only those whom it is about."""
        config = read_configuration(self._request.config, self._environment)
        prepared = _prepared(workflow_files(self._request.paths), self._environment)
        wishes = [wish for one in prepared for wish in _wishes(one, config)]
        servers = wanted_servers(prepared, self._environment)
        models, servers = self._chosen(wishes, servers)
        self._warn([*config.warnings, *(one for each in prepared for one in each.surroundings.findings)])
        lock = Lock(file=shown(self._place))
        if models and wishes:
            lock = self._with_models(lock, prepared, wishes, config)
        root = self._place.absolute().parent
        return replace(lock, servers=tuple(lock_servers(self._told(servers), self._environment, root)))

    def _chosen(
        self, wishes: Sequence[Wanted], servers: Sequence[WantedServer]
    ) -> tuple[bool, tuple[WantedServer, ...]]:
        """Whether models are asked for, and the tool servers to start."""
        name = self._request.update
        if name is None:
            return True, tuple(servers)
        chosen = tuple(one for one in servers if name in one.names)
        models = dict.fromkeys(wish.name for wish in wishes if wish.name is not None)
        if not chosen and not wishes:
            raise _unknown(name, [*models, *(other for one in servers for other in one.names)])
        return not chosen or name in models, chosen

    def _with_models(
        self, lock: Lock, prepared: Sequence[Prepared], wishes: Sequence[Wanted], config: Configuration
    ) -> Lock:
        named = frozenset(name for one in prepared for name in models_named(one, config))
        asked = asked_servers(self._check, self._environment, config, named)
        for failure in asked.failures:
            tell(f"warning: {failure}")
        if not self._request.check and self._request.update is None:
            _refuse_missing(prepared, asked, config)
        for wish in wishes:
            if wish.problem is not None:
                tell(f"the model `{wish.text}` depends on inputs that are not given; it is not in the lock")
        names = {(wish.name, wish.endpoint) for wish in wishes if wish.name is not None and wish.problem is None}
        default = _default(wishes, asked.catalogue, config)
        if default is not None:
            names.add((default, None))
        simulated = any(one.origin == SIMULATED for one in asked.endpoints)
        endpoints = tuple(_endpoint(one, names, simulated=simulated) for one in asked.catalogue.endpoints)
        met = {name for one in endpoints for model in one.models for name in model.names}
        return replace(
            lock,
            endpoints=tuple(one for one in endpoints if one.models),
            default_model=default,
            missing=tuple(sorted({name for name, _ in names} - met)),
        )

    def _told(self, servers: Sequence[WantedServer]) -> Sequence[WantedServer]:
        for one in servers:
            if one.ready is None:
                where = f"{one.workflow.file}: the server `{one.declared.name}`"
                tell(f"{where} depends on inputs that have no default; its tools are not in the lock")
        return servers

    def _warn(self, findings: Sequence[Diagnostic]) -> None:
        if findings:
            from runner.app.problem import tell_findings

            tell_findings(findings, colour=allows_colour(sys.stderr, self._environment, wanted=self._request.colour))


def _prepared(names: Iterable[str], environment: Mapping[str, str]) -> tuple[Prepared, ...]:
    """The files, loaded.

    Raises:
        WorkflowError: with the faults of all of them; CannotServeError: a client file lacks something (BR404).
    """
    loaded: list[Workflow] = []
    faults: list[Diagnostic] = []
    for name in names:
        try:
            loaded.append(load(name).workflow)
        except WorkflowError as error:
            faults += error.diagnostics
    if has_errors(faults):
        raise WorkflowError(in_file_order(faults))
    prepared = []
    for workflow in loaded:
        inputs = known_inputs(workflow)
        around = survey(workflow, inputs, environment, unset_secret=TOLERATED)
        prepared.append(Prepared(workflow=workflow, inputs=inputs, surroundings=around))
    lacks = [one for each in prepared for one in each.surroundings.findings if one.level == "error"]
    if lacks:
        raise CannotServeError(in_file_order(lacks))
    return tuple(prepared)


def _wishes(prepared: Prepared, config: Configuration) -> Iterator[Wanted]:
    names = Names(
        workflow=prepared.workflow,
        overrides=prepared.overrides,
        inputs=prepared.inputs,
        default_model=config.default_model,
    )
    return (wish for _, _, wish in wishes_of(names))


def _refuse_missing(prepared: Iterable[Prepared], asked: Asked, config: Configuration) -> None:
    """Raises: CannotServeError: a step has no model at all."""
    setting = setting_of(asked.endpoints, config)
    lacks: list[Diagnostic] = []
    for one in prepared:
        try:
            plan_of(one, asked.catalogue, setting)
        except CannotServeError as error:
            lacks += [found for found in error.diagnostics if found.code in _MISSING and found.level == "error"]
    if lacks:
        raise CannotServeError(in_file_order(lacks))


def _default(wishes: Iterable[Wanted], catalogue: Catalogue, config: Configuration) -> str | None:
    """The model of steps that name none."""
    if config.default_model is not None:
        return config.default_model if any(wish.name == config.default_model for wish in wishes) else None
    loaded = the_loaded(catalogue)
    nameless = any(wish.name is None and wish.problem is None for wish in wishes)
    return loaded[0].entry.key if nameless and len(loaded) == 1 else None


def _endpoint(server: EndpointCatalogue, names: Iterable[tuple[str, str | None]], *, simulated: bool) -> LockedEndpoint:
    """A server with those of its models that are asked for; a simulator stands in for every named one."""
    mine = sorted({name for name, bound in names if simulated or bound in (None, server.name)})
    fixed = not (server.manages or server.loads_on_demand)
    models = []
    for entry in server.models:
        fitting = tuple(name for name in mine if found_in(name, entry))
        if fitting:
            models.append(LockedModel(names=fitting, entry=locked_entry(entry, fitting, fixed=fixed)))
    return LockedEndpoint(
        flavour=server.flavour,
        name=server.name,
        manages=server.manages,
        loads_on_demand=server.loads_on_demand,
        load_settings=server.load_settings,
        models=tuple(models),
    )


def _unknown(name: str, known: Sequence[Any]) -> UsageError:
    ways = did_you_mean(name, known) or "`--update` takes the name of a model or of a tool server of the workflows"
    return UsageError(f"no workflow uses a model or a tool server named `{name}`", hint=ways)
