"""What all tools of the bridge share: where models and tools are, where runs are kept, and who keeps count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from runner.app.bridge.tasks import Tasks
from runner.app.validator import ModelValidator
from runner.edges.clock import Clock
from runner.edges.host_config.host_config import HostConfiguration
from runner.record.journal import Listener
from runner.words.noun import noun


@noun
class BridgeSettings:
    """As ``bridge-run serve`` and ``Bridge(…)`` are told.

    ``endpoints``, ``config``: as for a run. ``folder`` is the project whose workflow files are offered; ``run_dir`` is
    where runs are kept. ``mcp_json`` is the one file of MCP servers to read; None looks where hosts keep theirs, and
    ``merge_mcp_json`` takes those of all files that are found. ``own_urls`` are addresses at which we serve ourselves,
    which are never taken for somebody else's.
    """

    endpoints: tuple[str, ...] = ()
    config: str | None = None
    folder: Path = field(default_factory=Path.cwd)
    run_dir: str = ".bridge/runs"
    mcp_json: str | None = None
    merge_mcp_json: bool = False
    own_urls: tuple[str, ...] = ()


class BridgeHouse:
    """``environment`` is ours. ``watchers`` hear every entry of the journal of every run, ``task_watchers`` of the end
    of every autonomous task.

    ``hosts`` knows the MCP servers of the hosts of this machine, ``tasks`` the work that outlives the call that asked
    for it. ``clock`` is what the models go by (their waits, circuits and idle times). What is opened later adds to
    ``closers`` how it is closed.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        environment: Mapping[str, str],
        *,
        watchers: Sequence[Listener] = (),
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.watchers = tuple(watchers)
        self.clock = Clock() if clock is None else clock
        self.task_watchers: tuple[Callable[[Any], None], ...] = ()
        self.validator = ModelValidator(settings.endpoints or None, environment=environment, config=settings.config)
        self.closers: list[Callable[[], Awaitable[None]]] = []
        self.hosts = HostConfiguration(
            environment,
            settings.folder,
            mcp_json=settings.mcp_json,
            merge=settings.merge_mcp_json,
            own_urls=settings.own_urls,
        )
        self.tasks = Tasks()

    async def close(self) -> None:
        """End what goes on; may be called twice."""
        await self.tasks.close()
        while self.closers:
            await self.closers.pop()()
        await self.validator.close()
