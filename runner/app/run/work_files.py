"""The files that the steps of a run work on: looked at before and after, and kept with the run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.execute.world import Kept
from runner.words.errors import StepError


class WorkFiles:
    """``folder`` is where the steps work, ``record`` the folder of the run, as paths are told."""

    def __init__(self, folder: Path, record: Path) -> None:
        self._folder = folder
        self._record = record

    async def fingerprint(self) -> Any:
        """As the protocol (``execute.world.WorkFiles``)."""
        return await self._look(None)

    async def changed(self, before: Any) -> tuple[str, ...]:
        """As the protocol."""
        from runner.edges.fingerprint import changed

        return changed(before, await self._look(before))

    async def keep(self, patterns: Sequence[str], unit: str) -> Kept:
        """As the protocol."""
        from runner.edges.kept_files import keep_artifacts

        into = self._record / "kept" / unit.replace("/", ".")
        kept = await asyncio.to_thread(keep_artifacts, patterns, self._folder, into)
        if kept.missing:
            names = ", ".join(f"`{name}`" for name in kept.missing)
            verb = "is" if len(kept.missing) == 1 else "are"
            hint = "let the step write it, or name it by a glob if it may be absent"
            raise StepError("expectation", f"the artifact {names} {verb} not there", hint=hint)
        return Kept(paths=kept.paths, empty=kept.empty)

    async def _look(self, known: Any) -> Any:
        from runner.edges.fingerprint import take_fingerprint

        record = self._record.absolute()
        inside = self._folder.is_relative_to(record)  # a workspace lies in the record of its run
        return await asyncio.to_thread(take_fingerprint, self._folder, None if inside else record, known)
