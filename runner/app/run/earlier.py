"""A run that goes on: what its earlier goes have left."""

from __future__ import annotations

from runner.edges.run_folder import RunFolder
from runner.record.seeds import Seeds
from runner.record.wire import Entry
from runner.words.noun import noun


@noun
class Earlier:
    """``folder`` is open for writing, ``entries`` are the whole journal so far, ``seeds`` what of it stays done."""

    run: str
    folder: RunFolder
    entries: tuple[Entry, ...]
    seeds: Seeds
