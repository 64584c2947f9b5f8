"""The bench of the files of hosts measures what it says. No figure is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "benchmarks" / "bridge_config.py"


def test_it_reads_every_server_while_the_file_stays_and_when_it_changes():
    done = subprocess.run(
        [sys.executable, BENCH, "--rounds", "1", "--json"], capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"young", "stat", "settled", "parse", "anew"}
