"""``bridge-run simulate`` as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

START = "from runner.cli.simulate import command; command()"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_where_it_listens_and_ends_quietly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("models: {m: {turns: [{fault: stall}]}}")
    arguments = [sys.executable, "-c", START, str(script), "--port", "0"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
    assert found is not None
    with httpx.Client(base_url=found[1]) as client:
        assert client.get("/lmstudio-greeting").json() == {"lmstudio": True}
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json={"messages": [], "model": "m"}, timeout=0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", "")
