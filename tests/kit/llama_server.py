"""A real llama.cpp server on a model of noise, for tests that judge the protocol and never the wisdom.

The server is the one inside the ``xllamacpp`` wheel, in a process of its own: a native crash must not end the tests.
The model is that of ``kit.tiny_gguf``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = "tiny-noise"
CONTEXT = 1024
SLOTS = 2
KEY = "sk-test-key"


@contextmanager
def llama_server(
    *, key: str | None = None, slots: int = SLOTS, context: int = CONTEXT, model: Path | None = None
) -> Iterator[str]:
    """Its address, while it runs. ``context`` is the total, shared by the slots; ``key``: only with this token.

    ``model`` is a file other than that of noise.
    """
    from kit.tiny_gguf import tiny_model  # not for the process of its own, which runs this file as a script

    path = str(tiny_model() if model is None else model)
    setting = json.dumps({"model": path, "key": key, "slots": slots, "context": context})
    with subprocess.Popen(
        [sys.executable, __file__, setting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = process.stdout.readline().decode().strip()
            if not address.startswith("http"):
                raise RuntimeError(f"the llama.cpp server did not start: {address!r}, exit code {process.wait(10)}")
            yield address
        finally:
            process.kill()


def _serve(setting: dict[str, object]) -> None:
    """Runs in the process of its own: say the address, serve until the test closes the pipe or is gone."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = setting["model"]
    params.model_alias = [MODEL]
    params.n_ctx = setting["context"]
    params.n_parallel = setting["slots"]
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.use_jinja = True
    params.endpoint_slots = True
    params.port = 0
    if setting["key"]:
        params.api_keys = [setting["key"]]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
