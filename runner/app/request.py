"""What the command line asks for, as nouns: the doors fill them, the story reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from runner.words.noun import noun

if TYPE_CHECKING:
    from runner.record.journal import Listener

Format = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning"]
CheckFormat = Literal["text", "json", "github", "sarif", "junit"]
OFFLINE = "models were not looked for"


@noun
class WatchOptions:
    """Who watches the work. ``metrics_port`` 0 is any free one; ``log_format`` ``json`` is one object a line on stderr,
    from ``log_level`` upwards, in place of all that people read there.
    """

    metrics_port: int | None = None
    metrics_file: str | None = None
    log_format: Format = "text"
    log_level: LogLevel = "info"


@noun
class RunRequest:
    """``bridge-run FILE``: every option as it was written, nothing parsed yet but the choices.

    ``inputs`` are ``name=value``; ``bound`` are the values of inputs by name, as an earlier go of the run had them.
    ``models`` are ``ALIAS=ID`` or ``ID``, ``endpoints`` addresses or names; ``config`` is the one file of configuration
    to read instead of those that are found, ``simulate`` the file of a simulator's script that stands in for all model
    servers. ``faults`` are names with commas between them, or ``all``; ``stubs`` is a file of answers for
    ``rehearse``. ``answers`` are ``ID=CHOICE``; ``yes`` answers every other question. ``output`` is about the result of
    a run, ``format`` about the plan of ``--dry-run`` and the reports of ``--faults`` and ``--rehearse``.
    ``record`` writes a recording, of the units ``steps`` alone if there are any; ``replay`` says what comes from it;
    ``recording`` is where it lies, None = beside the file; ``strict``: what nobody used of it fails the run.
    ``default_model`` is for steps that name none where the configuration does not either; None = the one loaded model.
    ``keep_loaded``: models that the run loads stay loaded. ``locked``: None, empty for the lock file of the project,
    ``warn``, or a lock file. ``colour`` False means never; True means where the terminal
    and the environment allow it. ``watch`` says what a command line wants to be told beside; ``watchers`` are those who
    hear every entry of the journal because of it.
    """

    file: str
    inputs: tuple[str, ...] = ()
    inputs_file: str | None = None
    bound: Mapping[str, Any] | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    default_model: str | None = None
    simulate: str | None = None
    faults: str | None = None
    rehearse: bool = False
    stubs: str | None = None
    stubs_init: bool = False
    record: bool = False
    steps: tuple[str, ...] = ()
    replay: Literal["all", "models", "tools"] | None = None
    recording: str | None = None
    strict: bool = False
    dry_run: bool = False
    offline: bool = False
    tools: bool = False
    answers: tuple[str, ...] = ()
    yes: bool = False
    output: Format = "text"
    format: Format = "text"
    quiet: bool = False
    keep_loaded: bool = False
    locked: str | None = None
    run_dir: str = ".bridge/runs"
    colour: bool = True
    watch: WatchOptions = WatchOptions()
    watchers: tuple[Listener, ...] = ()


def options_of(request: RunRequest) -> dict[str, Any]:
    """What shapes a run besides its file and inputs, for who goes on with it."""
    return {
        "models": list(request.models),
        "endpoints": list(request.endpoints),
        "config": request.config,
        "simulate": request.simulate,
        "keep_loaded": request.keep_loaded,
        **({"replay": request.replay} if request.replay is not None else {}),
        "locked": request.locked,
        "folder": os.getcwd(),  # noqa: PTH109 - a text is asked for
    }


@noun
class CheckRequest:
    """``bridge-run check``: ``paths`` are files and folders; empty means the folder ``workflows``.

    ``default_model`` and ``locked`` as in a run. ``output_file`` takes what ``format`` makes; stdout and stderr then
    have the text. ``fix`` writes what is certain into the files, ``diff`` shows it and writes nothing;
    ``unsafe_fixes``: what is not so certain too.
    """

    paths: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    default_model: str | None = None
    simulate: str | None = None
    offline: bool = False
    tools: bool = False
    strict: bool = False
    locked: str | None = None
    format: CheckFormat = "text"
    output_file: str | None = None
    fix: bool = False
    diff: bool = False
    unsafe_fixes: bool = False
    colour: bool = True


@noun
class ResumeRequest:
    """``bridge-run resume RUN``: ``run`` is an id, the beginning of one, a folder of a run, ``last``, or ``last~N``.

    ``changed``: also if the workflow file means something else by now. What shapes the run is in its journal.
    """

    run: str
    answers: tuple[str, ...] = ()
    yes: bool = False
    changed: bool = False
    output: Format = "text"
    quiet: bool = False
    run_dir: str = ".bridge/runs"
    colour: bool = True
    watch: WatchOptions = WatchOptions()
    watchers: tuple[Listener, ...] = ()
