"""What a run that was recorded leaves: the file, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner import __version__
from runner.app.again import record_command
from runner.app.console import tell
from runner.app.prepare import Prepared, models_named
from runner.app.recording.file import kept_models, merged, read_recording, save_recording
from runner.app.recording.recorder import Recorder
from runner.app.recording.walls import Chosen
from runner.app.request import RunRequest
from runner.record.cassette.cassette import Cassette, Exchange, Header
from runner.record.cassette.order import in_order
from runner.record.parts import covers
from runner.rehearse.replay.tape import Tape
from runner.words.errors import BridgeError, HistoryError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.digest import digest_of

_LASTING = (Exit.OK, Exit.STEP_FAILED, Exit.WAITING)
"""How a run ends that says something of its workflow; of any other way this machine is the reason."""


def tell_mismatches(tape: Tape) -> None:
    """What records all of it anew, where there is more than one thing to record."""
    if said := tape.shown_mismatches():
        tell(f"error: {said}")


@noun
class Writes:
    """Writes the recording when the run has ended; ``old`` and ``tape`` where a part of one is recorded anew.

    ``run`` and ``began`` as in ``Header``; ``typed`` is the request as it was given, without what was recorded.
    """

    path: Path
    request: RunRequest
    typed: RunRequest
    prepared: Prepared
    recorder: Recorder
    old: Cassette | None
    chosen: Chosen
    tape: Tape | None
    simulated: bool
    run: str
    began: float

    def __call__(self, outcome: Mapping[str, Any]) -> int:
        """Raises: HistoryError: it cannot be written."""
        if outcome["status"] == "cancelled":
            tell(f"nothing was recorded in {self.path}: the run was interrupted")
            return 0
        if outcome["exit_code"] not in _LASTING:
            tell(f"nothing was recorded in {self.path}: the run could not be done")
            return 0
        workflow, config = self.prepared.workflow, self.prepared.config
        exchanges = kept_models(self.recorder.exchanges, models_named(self.prepared, config))
        if self.old is not None:
            exchanges = self._merged(self._latest(self.old), exchanges)
        header = Header(
            workflow=workflow.name,
            digest=digest_of(workflow),
            bridge_run=__version__,
            inputs=self.recorder.mask.hidden(dict(self.prepared.inputs)),
            models=self.request.models,
            default_model=config.default_model,
            simulated=self.simulated,
            run=self.run,
            began=self.began,
        )
        cassette = Cassette(header=header, exchanges=in_order(exchanges, workflow), file=str(self.path))
        save_recording(self.path, cassette)
        if not self.request.quiet:
            count = len(cassette.exchanges)
            tell(f"recorded: {self.path} ({count} exchange{'s' * (count != 1)})")
        if outcome["status"] == "paused":
            whole = f"`{record_command(self.typed)} --answer ID=CHOICE`"
            tell(f"note: what `resume` does is not recorded; {whole} records it to its end")
        if self.tape is None or not self.tape.mismatches:
            return 0
        tell_mismatches(self.tape)
        return int(Exit.STEP_FAILED)

    def _latest(self, old: Cassette) -> Cassette:
        """What the file holds by now: another run may have recorded another step of it meanwhile.

        Raises:
            HistoryError: it is another recording by now, of which this is no part.
        """
        try:
            now = read_recording(self.path, self.request)
        except BridgeError:
            return old
        if old.header.run is not None and now.header.run != old.header.run:
            wrong = f"`{self.path}` was recorded anew by another run meanwhile, and stays as it is"
            raise HistoryError(wrong, hint="start this again")
        return now

    def _merged(self, old: Cassette, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        together, missed = merged(old.exchanges, exchanges, self.chosen)
        for unit in missed:
            tell(f"warning: `{unit}` was not reached; what was recorded of it stays")
        for name in self.request.steps:
            if not any(covers(name, unit) for unit in (*missed, *(one.unit for one in exchanges))):
                tell(f"warning: `{name}` asked nothing, so nothing of it was recorded")
        return together
