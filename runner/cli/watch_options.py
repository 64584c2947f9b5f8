"""Options about who watches the work: metrics and logs; ``run`` and ``serve`` share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runner.app.request import WatchOptions

Command = TypeVar("Command", bound=Callable[..., Any])
NAMES = ("metrics_port", "metrics_file", "log_format", "log_level")
"""The parameters that ``watch_options`` adds: the fields of ``WatchOptions``."""

_OPTIONS = (
    click.option(
        "--metrics-port",
        metavar="PORT",
        type=click.IntRange(0, 65535),
        help="Serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 picks a free port.",
    ),
    click.option(
        "--metrics-file",
        metavar="FILE",
        type=click.Path(),
        help="Write the metrics into this text file, every 15 s and at the end.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="What goes to stderr: words for people, or one JSON object a line.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning"]),
        help="With --log-format json: from where on; only `debug` has texts and arguments.  [info]",
    ),
)


def watch_options(command: Command) -> Command:
    """Adds them to a command, which is given ``NAMES`` as keywords."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def taken(given: dict[str, Any]) -> WatchOptions:
    """Takes ``NAMES`` out of the keywords.

    Raises:
        click.UsageError: options make no sense together.
    """
    values = {name: given.pop(name) for name in NAMES}
    if values["log_level"] is None:
        del values["log_level"]
    elif values["log_format"] != "json":
        raise click.UsageError("`--log-level` belongs to `--log-format json`")
    return WatchOptions(**values)
