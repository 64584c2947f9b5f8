"""Two boxes of one server are two processes: what ``isolate`` rests on."""

from __future__ import annotations

import asyncio
import sys

from kit.servers import TESTS, Workbench

COUNTER = TESTS / "servers" / "counter.py"


def test_each_box_has_a_process_of_its_own(tmp_path):
    bench = Workbench(tmp_path)
    boxes = [bench.stdio(sys.executable, str(COUNTER)) for _ in range(2)]

    async def story():
        try:
            for box in boxes:
                await box.start()
            return [(await box.call("count", {})).text for box in (boxes[0], boxes[0], boxes[1])]
        finally:
            for box in boxes:
                await box.close()

    assert asyncio.run(story()) == ["1", "2", "1"]
