"""Which run a command line means: its id, the beginning of one, its folder, ``last``, or ``last~1``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from runner.edges.run_folder import JOURNAL, RUNS
from runner.words.errors import UsageError
from runner.words.suggest import did_you_mean

LAST = "last"
_BACK = re.compile(rf"{LAST}(?:~(\d+))?")
"""``last``, and ``last~N``, which is N runs before the last, in the order in which they began."""
_SHOWN = 5
_STAMP = len("20261122-230501")


def find_run(run: str, run_dir: str) -> Path:
    """The folder of the run.

    Raises:
        UsageError: there is none, or several ids begin so; with what there is.
    """
    given = Path(run)
    folder = given.parent if given.name == JOURNAL else given
    if (folder / JOURNAL).is_file():
        return folder
    runs = _runs(Path(run_dir))
    back = _BACK.fullmatch(run)
    if back is not None:
        return _from_last(run, int(back[1] or 0), runs, run_dir)
    found = [path for path in runs if path.name == run] or [path for path in runs if path.name.startswith(run)]
    if len(found) > 1:
        names = ", ".join(f"`{path.name}`" for path in found[-_SHOWN:])
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(f"the ids of {len(found)} runs begin with `{run}`", hint=f"write more of it: {names}{more}")
    if not found:
        near = did_you_mean(run, [path.name for path in runs])
        latest = f"the last one is `{runs[-1].name}`" if runs else _where(run_dir)
        raise UsageError(f"there is no run `{run}` in `{run_dir}`", hint=near or latest)
    return found[0]


def _from_last(run: str, number: int, runs: list[Path], run_dir: str) -> Path:
    if not runs:
        raise UsageError(f"there is no run in `{run_dir}`", hint=_where(run_dir))
    if number >= len(runs):
        there = "there is only one run" if len(runs) == 1 else f"there are only {len(runs)} runs"
        raise UsageError(f"there is no run `{run}` in `{run_dir}`", hint=f"{there}; the first is `{runs[0].name}`")
    return runs[-1 - number]


def _runs(run_dir: Path) -> list[Path]:
    """The folders of runs, in the order in which they began."""
    try:
        found = [path for path in run_dir.iterdir() if (path / JOURNAL).is_file()]
    except OSError:
        return []
    # Ids tell the second of the start, the rest of them is chance.
    return sorted(found, key=lambda path: (path.name[:_STAMP], (path / JOURNAL).stat().st_mtime_ns, path.name))


def _where(run_dir: str) -> str:
    return f"runs are kept in `{run_dir}` of the folder where they began; `--run-dir` names another place"


def resume_command(run: str, run_dir: str) -> str:
    """What a person types to go on with the run of that id, from where ``run_dir`` counts from."""
    return f"bridge-run resume {run}" + ("" if run_dir == RUNS else f" --run-dir {shlex.quote(run_dir)}")
