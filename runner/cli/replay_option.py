"""``--replay``: an option whose value may be left out; a next word that is none of its values is no value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import click

from runner.cli.locked_option import LockedCommand

NAME = "--replay"
PARTS = ("all", "models", "tools")

replay_option = click.option(
    NAME,
    is_flag=False,
    flag_value="all",
    type=click.Choice(PARTS),
    help="Run from the recording: all of it, or only the models, or only the tools and commands.  [all]",
)


class RunCommand(LockedCommand):
    """``bridge-run --replay FILE`` replays the file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give the bare option its usual value."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*_whole(args[:end]), *args[end:]])


def _whole(words: Sequence[str]) -> Iterator[str]:
    for word, after in zip_longest(words, words[1:]):
        yield f"{NAME}=all" if word == NAME and after not in PARTS else word
