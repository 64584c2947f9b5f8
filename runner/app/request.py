"""What the command line asks for, as nouns: the doors fill them, the story reads them."""

from __future__ import annotations

from typing import Literal

from runner.words.noun import noun

Format = Literal["text", "json"]
OFFLINE = "models were not looked for"


@noun
class RunRequest:
    """``bridge-run FILE``: every option as it was written, nothing parsed yet but the choices.

    ``inputs`` are ``name=value``, ``models`` are ``ALIAS=ID`` or ``ID``, ``endpoints`` addresses or names; ``config``
    is the one file of configuration to read instead of those that are found, ``simulate`` the file of a simulator's
    script that stands in for all model servers. ``faults`` are names with commas between them, or ``all``. ``output``
    is about the result of a run, ``format`` about the plan of ``--dry-run`` and the report of ``--faults``.
    ``answers`` are ``ID=CHOICE``; ``yes`` answers every other question. ``keep_loaded``: models that the run loads stay
    loaded. ``colour`` False means never; True means where the terminal
    and the environment allow it.
    """

    file: str
    inputs: tuple[str, ...] = ()
    inputs_file: str | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    simulate: str | None = None
    faults: str | None = None
    dry_run: bool = False
    offline: bool = False
    tools: bool = False
    answers: tuple[str, ...] = ()
    yes: bool = False
    output: Format = "text"
    format: Format = "text"
    quiet: bool = False
    keep_loaded: bool = False
    run_dir: str = ".bridge/runs"
    colour: bool = True


@noun
class CheckRequest:
    """``bridge-run check``: ``paths`` are files and folders; empty means the folder ``workflows``."""

    paths: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    simulate: str | None = None
    offline: bool = False
    tools: bool = False
    strict: bool = False
    format: Format = "text"
    colour: bool = True


@noun
class ResumeRequest:
    """``bridge-run resume RUN``: ``run`` is an id, the beginning of one, a folder of a run, or ``last``.

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
