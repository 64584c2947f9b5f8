"""The door of the command line: finds the verb, and turns every way out into an exit code and words.

Verbs are imported when they are called: ``bridge-run --help`` must cost little more than click itself. For the same
reason the words for errors come from a module that is imported when there is an error.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

try:
    import click
except KeyboardInterrupt:  # most of the time before `main` can catch a Ctrl-C
    sys.stderr.write("interrupted\n")
    sys.exit(130)

from runner import __version__
from runner.cli.verbs import DEFAULT, ELSEWHERE, VERBS

NAME = "bridge-run"
STORY = """Run checked-in YAML workflows of AI agents on local models (LM Studio) with MCP tools.

\b
  bridge-run FILE [OPTIONS]        run a workflow (short for `bridge-run run FILE`)
  bridge-run FILE --dry-run        show the plan and run nothing
"""
_NEW_OBJECTS = 50_000
"""After so many Python looks for garbage, not after 700: a large file is nothing but new objects, and all are kept."""
EPILOG = "Exit codes: 0 done, 1 a step failed, 2 usage, 3 the file, 4 a model or tool is missing, 5 outside, 8 paused."


class Verbs(click.Group):
    """The verbs, known by name and one line of help; the rest of each is loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = import_module(verb.module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb in front of what is no verb: a file, or an option of ``run``."""
        if args and args[0] not in VERBS and args[0] not in ("--help", "--version", "--"):
            if not args[0].startswith("-"):
                _refuse_unknown(args[0], ctx)
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=Verbs, help=STORY, epilog=EPILOG, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name=NAME)
def cli() -> None:
    """All verbs."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with one of ``words.exits``."""
    gc.set_threshold(_NEW_OBJECTS)
    sys.exit(exit_code_of(list(sys.argv[1:] if arguments is None else arguments)))


def exit_code_of(arguments: list[str]) -> int:
    """Run the command line; every exception ends here, in words on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A letter that the encoding lacks must not end a run; what is piped is UTF-8 whatever the locale says.
        encoding = None if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]
    try:
        result: Any = cli.main(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        code: int = import_module("runner.cli.ending").ending(error, arguments)
        return code


def _refuse_unknown(word: str, ctx: click.Context) -> None:
    if os.path.lexists(word):  # pathlib would be a tenth of the time of --help
        return
    from runner.app.files import near_file
    from runner.words.suggest import did_you_mean

    hint = (
        ELSEWHERE.get(word) or did_you_mean(word, VERBS) or near_file(word) or "`bridge-run --help` lists the commands"
    )
    raise click.UsageError(f"there is no command and no file `{word}`; {hint}", ctx=ctx)


if __name__ == "__main__":
    main()
