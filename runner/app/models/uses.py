"""Which workflow files use which model: aliases followed, names looked up as a plan looks them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.app.files import DEFAULT_FOLDER, workflow_files
from runner.app.prepare import known_inputs
from runner.chat.catalogue import Catalogue
from runner.plan.calls import for_row, rows_of
from runner.plan.lookup import Found, look_up, the_loaded
from runner.plan.missing import Miss, Missing
from runner.plan.overrides import NO_OVERRIDES
from runner.plan.setting import Setting
from runner.plan.wanted import Names, Wanted
from runner.show.models_view import ModelKey, Use, Uses
from runner.words.errors import WorkflowError
from runner.workflow.load import load
from runner.workflow.model import TaskWork, Workflow


def model_uses(catalogue: Catalogue, setting: Setting, paths: tuple[str, ...] = ()) -> Uses:
    """Who uses the models of the catalogue: the files of ``paths``, without any those of ``workflows`` if it is there.

    A file that is at fault is left out, and a note says so; so is a name that depends on inputs which are not given.

    Raises:
        UsageError: a path does not exist, or a folder holds no workflow.
    """
    if not paths and not Path(DEFAULT_FOLDER).is_dir():
        return Uses()
    ledger = _Ledger(catalogue, setting)
    for file in workflow_files(paths):
        try:
            ledger.read(load(file).workflow)
        except WorkflowError:
            ledger.notes.append(f"{file} is at fault, so its models are not known; `bridge-run check {file}` says why")
    return ledger.uses()


class _Ledger:
    """Who was seen to use what, in the order of the files and of their steps."""

    def __init__(self, catalogue: Catalogue, setting: Setting) -> None:
        self._catalogue = catalogue
        self._setting = setting
        self._found: dict[ModelKey, dict[tuple[str, bool], dict[str, None]]] = {}
        self._missing: dict[str, dict[tuple[str, bool], dict[str, None]]] = {}
        self.notes: list[str] = []

    def read(self, workflow: Workflow) -> None:
        """Note every model that the steps of a file may use."""
        names = Names(
            workflow=workflow,
            overrides=NO_OVERRIDES,
            inputs=known_inputs(workflow),
            default_model=self._setting.default_model,
        )
        for step in workflow.steps:
            if isinstance(step.work, TaskWork):
                missing = Missing(catalogue=self._catalogue, workflow=workflow, setting=self._setting, step_id=step.id)
                for row in rows_of(step) or (None,):
                    for number, wish in enumerate(for_row(names, row).wanted_by(step, step.work)):
                        self._note(wish, missing, (workflow.file, number > 0))

    def uses(self) -> Uses:
        """All that was noted."""
        return Uses(
            found={key: tuple(_uses(users)) for key, users in self._found.items()},
            missing={name: tuple(_uses(users)) for name, users in self._missing.items()},
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _note(self, wish: Wanted, missing: Missing, user: tuple[str, bool]) -> None:
        step = missing.step_id
        if wish.problem is not None:
            self.notes.append(f"{user[0]}: the model of step `{step}`, `{wish.text}`, depends on inputs")
            return
        servers = missing.servers_for(wish)
        if isinstance(servers, Miss):  # nobody knows whether it is there
            self.notes.append(f"{user[0]}, step `{step}`: {servers.why}")
            return
        found = look_up(wish.name, servers) if wish.name is not None else _the_one_loaded(servers)
        if found is not None:
            self._found.setdefault((found.endpoint, found.entry.key), {}).setdefault(user, {})[step] = None
        elif wish.name is not None:
            self._missing.setdefault(wish.name, {}).setdefault(user, {})[step] = None
        else:
            self.notes.append(f"{user[0]}: step `{step}` takes the one loaded model, and there is not just one")


def _the_one_loaded(servers: Catalogue) -> Found | None:
    loaded = the_loaded(servers)
    return loaded[0] if len(loaded) == 1 else None


def _uses(users: Mapping[tuple[str, bool], Mapping[str, None]]) -> Iterator[Use]:
    for (file, fallback), steps in users.items():
        yield Use(file=file, steps=tuple(steps), fallback=fallback)
