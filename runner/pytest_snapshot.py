"""A syrupy extension: the snapshot of a run as a text file of its own. Imported only where syrupy is installed."""

from __future__ import annotations

from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class WorkflowSnapshotExtension(SingleFileSnapshotExtension):
    """``__snapshots__/test_module/test_name.run``: what ``WorkflowRun.snapshot`` says, nothing around it."""

    _write_mode = WriteMode.TEXT
    file_extension = "run"  # as `txt` are the snapshots of `*.test.yaml`, at which syrupy does not look

    def serialize(self, data: Any, **_: Any) -> str:
        """The snapshot of a run; of anything else its text."""
        return str(getattr(data, "snapshot", data))
