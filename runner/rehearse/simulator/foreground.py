"""The simulator as a process of its own: until Ctrl-C or a SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from runner.rehearse.simulator.reading import read_script
from runner.rehearse.simulator.serve import Simulator
from runner.rehearse.simulator.striking import struck_by
from runner.words.exits import Exit


def serve_until_stopped(
    path: str, *, host: str, port: int, log: str | None, announce: Callable[[str], None], faults: str | None = None
) -> Exit:
    """Serve the script at ``path``; ``announce`` gets the one line that says where.

    ``faults`` are names of faults with commas between them, or ``all``.

    Returns what the process is to exit with: OK after a SIGTERM, INTERRUPTED after Ctrl-C.

    Raises:
        WorkflowError: the script is at fault.
        OutsideError: the address cannot be listened on.
        UsageError: the log cannot be written, or a fault is none.
    """
    script = read_script(path)
    simulator = Simulator(script if faults is None else struck_by(script, faults), host=host, port=port, log=log)
    return asyncio.run(_serve(simulator, announce))


async def _serve(simulator: Simulator, announce: Callable[[str], None]) -> Exit:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[Exit] = loop.create_future()

    def stop(code: Exit) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop.add_signal_handler(signal.SIGINT, stop, Exit.INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, Exit.OK)
    async with simulator:
        announce(f"listening on {simulator.url}")
        return await stopped
