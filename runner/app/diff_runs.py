"""``bridge-run diff RUN RUN``: what was otherwise in the second of two runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.app.console import allows_colour, say, tell
from runner.app.find_run import LAST, find_run
from runner.app.request import Format
from runner.edges.run_folder import JOURNAL, RUNS
from runner.record.events import RunFinished
from runner.record.wire import Entry, read_journal
from runner.show.run_diff import picture, run_changes
from runner.show.run_diff_view import run_diff_json, run_diff_text
from runner.words.errors import HistoryError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun


@noun
class DiffRequest:
    """Two runs, as ``find_run`` finds them; ``after`` is the last one if nobody said it."""

    before: str
    after: str | None = None
    format: Format = "text"
    run_dir: str = RUNS
    colour: bool = True


def diff_runs(request: DiffRequest, environment: Mapping[str, str]) -> int:
    """Say what differs; the exit code: 1 if anything does.

    Raises:
        UsageError: there is no such run, or it is the last one, with which it would be compared.
        HistoryError: a journal cannot be read.
    """
    first, second = (find_run(run, request.run_dir) for run in (request.before, request.after or LAST))
    if request.after is None and first.resolve() == second.resolve():
        hint = f"`bridge-run diff {LAST}~1` compares the one before with it"
        raise UsageError(f"`{request.before}` is the last run itself: name two runs", hint=hint)
    journals = [_entries(folder) for folder in (first, second)]
    for folder, entries in zip((first, second), journals, strict=True):
        if not isinstance(entries[-1].event, RunFinished):
            tell(f"{folder.name} has not ended: it is at work, or was killed. What it did until now is compared.")
    before, after = map(picture, journals)
    changes = run_changes(before, after)
    code = Exit.STEP_FAILED if changes else Exit.OK
    if request.format == "json":
        say(json.dumps(run_diff_json(before, after, changes, code), ensure_ascii=False, indent=2))
    else:
        colour = allows_colour(sys.stdout, environment, wanted=request.colour)
        say(run_diff_text(before, after, changes, colour=colour))
    return code


def _entries(folder: Path) -> list[Entry]:
    """The whole journal; a line that was torn off at the end counts as never written, as in a resumed run.

    Raises:
        HistoryError: it is damaged, or cannot be read.
    """
    path = folder / JOURNAL
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise HistoryError(f"the journal `{path}` cannot be read: {error.strerror}") from error
    entries = list(read_journal(line for line in lines if line.endswith(b"\n")))
    if not entries:
        raise UsageError(f"the run in `{folder}` ended before it began", hint="name another run")
    return entries
