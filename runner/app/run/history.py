"""The record of one run while it is being written: its folder, its journal, and what is folded from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from runner import __version__
from runner.app.request import RunRequest, options_of
from runner.app.run.earlier import Earlier
from runner.edges.run_folder import RunFolder
from runner.plan.plan import Plan
from runner.record.events import RunFinished, RunResumed, RunStarted
from runner.record.journal import Journal, Listener, masking
from runner.record.parts import units_of
from runner.record.state import RunState, result
from runner.words.redact import Redactor
from runner.workflow.digest import digest_of


class History:
    """An open run folder with its journal. ``state`` follows every entry."""

    def __init__(self, folder: RunFolder, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self.state = RunState()
        journal.listen(self.state.apply)

    @classmethod
    def open(
        cls,
        *,
        run_id: str,
        parent: str,
        redactor: Redactor,
        now: Callable[[], float],
        listener: Listener,
        earlier: Earlier | None = None,
        remember: Listener = lambda _: None,
    ) -> Self:
        """Make the run folder, or take that of ``earlier`` goes; nothing is written to the journal yet.

        ``remember`` is given what the earlier goes wrote, ``listener`` what comes now.

        Raises:
            HistoryError: the folder cannot be made.
        """
        if earlier is None:
            folder = RunFolder.open(run_id=run_id, parent=parent, mask=redactor.value)
        else:
            folder = earlier.folder.masked(redactor.value)
        written = len(earlier.entries) if earlier is not None else 0
        mask = None if redactor.empty else masking(redactor.value)
        history = cls(folder, Journal(folder.journal, run_id, now, mask, written=written))
        history.journal.listen(listener)
        for entry in earlier.entries if earlier is not None else ():
            history.state.apply(entry)
            remember(entry)
        return history

    @property
    def place(self) -> str:
        """Where the journal is, as a person may type it."""
        return f"{self.folder.path}/journal.jsonl"

    def resume(self) -> None:
        """Write that the run goes on.

        Raises:
            HistoryError: it cannot be written.
        """
        self.journal.append(RunResumed(version=__version__))

    def begin(self, plan: Plan, inputs: Mapping[str, Any], request: RunRequest) -> None:
        """Write the first line.

        Raises:
            HistoryError: it cannot be written.
        """
        models = {p.step.id: {"model": p.model.model, "endpoint": p.model.endpoint} for p in plan.steps if p.model}
        self.journal.append(
            RunStarted(
                workflow=plan.workflow.name,
                file=plan.workflow.file,
                inputs=inputs,
                steps=tuple(units_of(plan.workflow)),
                models=models,
                version=__version__,
                options={**options_of(request), "digest": digest_of(plan.workflow)},
            )
        )

    def end(self, event: RunFinished) -> dict[str, Any]:
        """Write the last line, make all of it durable, keep and return the result.

        Raises:
            HistoryError: it cannot be written.
        """
        self.journal.append(event)
        self.journal.close()
        outcome = result(self.state)
        self.folder.write_result(outcome)
        return outcome
