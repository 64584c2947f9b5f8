"""The tool servers of one run, from their start to their end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from runner.app.prepare import Prepared
from runner.app.run.tool_house import ToolHouse
from runner.app.run.tool_start import ToolStart
from runner.app.run.walls import Walls
from runner.chat.toolbox import ToolBox
from runner.plan.tool_room import ToolRoom
from runner.plan.wanted import Names
from runner.record.events import Event
from runner.words.diagnostics import Diagnostic


class RunTools:
    """``folder`` is where they start; ``boxes`` are those of the file that is run, by name. ``done`` are steps of an
    earlier go: what nobody else needs is not started for them.
    """

    def __init__(
        self,
        prepared: Prepared,
        folder: Path,
        walls: Walls,
        secrets: Mapping[str, str],
        *,
        mask: Callable[[str], str],
        done: Collection[str] = (),
    ) -> None:
        run_id = walls.told_id or walls.run_id
        self.house = ToolHouse(
            prepared.surroundings,
            lambda server: walls.make_box(server, folder),
            secrets,
            run_id,
            mask=mask,
            make_servers=walls.make_servers,
        )
        names = Names(workflow=prepared.workflow, overrides=prepared.overrides, inputs=prepared.inputs)
        households = self.house.households(names, done)
        self.boxes: Mapping[str, ToolBox] = households[0].boxes
        self._start = ToolStart(households, mask)

    def begin(self) -> None:
        """Start those that are known now, side by side; returns at once."""
        self._start.begin()

    async def confirm(self, tell: Callable[[Event], Any]) -> tuple[Diagnostic, ...]:
        """As ``ToolStart.confirm``."""
        return await self._start.confirm(tell)

    @property
    def room(self) -> ToolRoom:
        """As ``ToolStart.room``."""
        return self._start.room

    async def close(self) -> None:
        """As ``ToolStart.close``."""
        await self._start.close()
