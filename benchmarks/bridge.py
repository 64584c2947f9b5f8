"""What the bridge adds: a round of an autonomous task beside a bare SDK loop, and memory over thousands of calls.

python benchmarks/bridge.py task URL COMMAND…    one task with the tools of that MCP server
python benchmarks/bridge.py calls URL 2000       so many calls, and what each of them left in memory
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from figure import Figure, above, missing
from measure import FLOOR, by_turns, script, zero_server

ROUNDS = 20
CALLS = 2_000
WARM = 200
"""Calls before memory is looked at for the first time: by then every module is imported, every cache filled."""
EVERYTHING = (
    Path(__file__).parents[1] / "tests/servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
)


def bench_round(folder: Path, repeat: int) -> list[Figure]:
    """20 rounds with server-everything over stdio, on the model server's watch."""
    what = f"a round of an autonomous task ({ROUNDS} rounds)"
    if not EVERYTHING.exists():
        return [missing(what, "the npm servers are not installed")]
    command = ["node", str(EVERYTHING)]
    with zero_server("--tool-rounds", str(ROUNDS)) as server:
        pair = {
            "floor": script(folder, FLOOR, "tools", server.url, *command),
            "ours": script(folder, __file__, "task", server.url, *command),
        }
        found = by_turns(pair, repeat, server)
    return [above(what, found["floor"].span / ROUNDS, found["ours"].span / ROUNDS, most=0.005)]


def bench_calls(folder: Path, repeat: int) -> list[Figure]:  # noqa: ARG001  one process has no noise to speak of
    """What stays in memory of a call, over thousands in one process: ``validate`` and ``chat_completion``."""
    with zero_server() as server:
        argv = [sys.executable, __file__, "calls", server.url, str(CALLS)]
        told = json.loads(subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout)
    per_call = (told["end"] - told["warm"]) / (CALLS - WARM)
    return [
        Figure(
            what=f"memory over {CALLS:,} calls of `chat_completion`, each validated",
            floor=f"{told['warm'] / 1e6:.1f} MB after {WARM}", ours=f"{told['end'] / 1e6:.1f} MB at the end",
            compared=f"{per_call:,.0f} bytes a call", mark="at most 1,000 bytes a call", holds=per_call <= 1_000,
        )
    ]  # fmt: skip


async def task(url: str, command: list[str]) -> None:
    """One task until its answer."""
    from runner import Bridge

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mcp.json")
        entry = {"command": command[0], "args": command[1:]}
        file.write_text(json.dumps({"mcpServers": {"everything": entry}}))  # noqa: ASYNC240
        async with Bridge(url, mcp_json=file, run_dir=folder) as bridge:
            end = await bridge.autonomous_with_mcp("everything", "Say it again, and again.", max_rounds=2 * ROUNDS)
    assert end.tool_calls == ROUNDS, end


async def calls(url: str, number: int) -> None:
    """Many calls of one tool through the desk; prints resident bytes when warm and at the end."""
    from runner.app.bridge.desk import BridgeDesk
    from runner.app.bridge.house import BridgeHouse, BridgeSettings
    from runner.app.bridge.models.models import MODEL_TOOLS

    house = BridgeHouse(BridgeSettings(endpoints=(url,)), dict(os.environ))
    desk, warm = BridgeDesk(house, MODEL_TOOLS), 0
    arguments = {"messages": [{"role": "user", "content": "Hello"}], "model": "zero-model"}
    try:
        for done in range(number):
            answered = await desk.call("chat_completion", arguments, _nobody)
            assert not answered.is_error, answered
            if done + 1 == min(WARM, number):
                warm = _resident()
    finally:
        await house.close()
    print(json.dumps({"warm": warm, "end": _resident()}))


async def _nobody(done: float, total: float | None, words: str) -> None:
    """Nobody wants to know how far it is."""


def _resident() -> int:
    """Bytes of this process in memory (Linux)."""
    import gc

    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def main() -> None:
    """As the first argument says."""
    what, url, *more = sys.argv[1:]
    asyncio.run(task(url, more) if what == "task" else calls(url, int(more[0])))


if __name__ == "__main__":
    main()
