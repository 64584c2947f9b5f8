"""``--locked``: an option whose value may be left out, and is never the next word of the line."""

from __future__ import annotations

import click

NAME = "--locked"

locked_option = click.option(
    NAME,
    metavar="[=FILE|=warn]",
    help="Go by the lock file instead of asking servers; `warn`: what differs is a warning.  [bridge.lock]",
)
run_locked_option = click.option(
    NAME,
    metavar="[=FILE|=warn]",
    help="Refuse tools that are not as the lock file says; `warn`: only warn.  [bridge.lock]",
)


class LockedCommand(click.Command):
    """A command with ``--locked``: ``check --locked workflows`` checks the folder, and looks for the usual file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give the bare option the empty value."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*(f"{NAME}=" if word == NAME else word for word in args[:end]), *args[end:]])
