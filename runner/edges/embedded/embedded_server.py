"""The only door to ``xllamacpp``: llama.cpp's server in a process of its own. Run as a script, never imported by us.

It is a file of its own, free of the rest of the house, because the process should start quickly and a native crash
must not end a run. One line of JSON comes in on stdin (the keys are those of ``Setting``); one goes out on stdout:
``{"address": …}`` once the model is loaded, or ``{"problem": …}``. When its stdin ends, whoever started it has no
more use for it or is gone, even by kill -9, and it ends at once.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from typing import Any, Final, TypedDict

MISSING: Final = "missing"
MEMORY: Final = "memory"
LOAD: Final = "load"
_MEBIBYTE: Final = 1024 * 1024


class Setting(TypedDict):
    """How to serve. ``context`` in tokens is that of one slot; ``memory`` the bytes that all of it will take."""

    path: str
    alias: str
    key: str
    context: int
    slots: int
    memory: int
    embedding: bool
    batch: int | None
    flash_attention: bool | None
    cache_on_gpu: bool


def main() -> None:
    """Guard the server: end it when stdin ends, end as it ended.

    llama.cpp lets no other Python code run while it loads a model, which takes minutes; so somebody else must watch.
    """
    setting: Setting = json.loads(_first_line())
    server = os.fork()
    if server == 0:
        _serve(setting)
        return
    threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    _, status = os.waitpid(server, 0)
    sys.stdout.close()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 1)


_LAST_WORDS = 0.5
"""Seconds for llama.cpp's log, which a thread of its own writes, to reach stderr; nothing tells when it has."""


def _first_line() -> bytes:
    """Without buffering: what follows belongs to the watchers."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            sys.exit(0)
        line += piece
    return line


def _end_with_stdin(server: int) -> None:
    while os.read(0, 4096):
        pass
    os.kill(server, signal.SIGKILL)


def _serve(setting: Setting) -> None:
    try:
        import xllamacpp
    except ImportError as error:
        _say({"problem": MISSING, "text": str(error)})
        os._exit(1)
    on_gpu = any(device["type"].name.endswith(("_GPU", "_IGPU")) for device in xllamacpp.get_device_info())
    available = _available_memory()
    if not on_gpu and available is not None and setting["memory"] > available:
        _say({"problem": MEMORY, "required": setting["memory"], "available": available})
        os._exit(1)
    try:
        server = xllamacpp.Server(_params(xllamacpp, setting, available))
    except RuntimeError as error:  # the reason stands on stderr
        time.sleep(_LAST_WORDS)
        _say({"problem": LOAD, "text": str(error), "available": available})
        os._exit(1)
    _say({"address": server.listening_address})
    while os.read(0, 4096):  # the guard may have been killed alone
        pass
    os._exit(0)


def _params(xllamacpp: Any, setting: Setting, available: int | None) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = setting["path"]
    params.model_alias = [setting["alias"]]
    params.api_keys = [setting["key"]]  # whoever else is on this machine, or on a page in its browser, stays out
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = setting["slots"]
    params.n_ctx = setting["context"] * setting["slots"]
    params.use_jinja = True
    params.ui = False
    params.embedding = setting["embedding"]
    params.no_kv_offload = not setting["cache_on_gpu"]
    params.verbosity = 2  # warnings and errors: what is worth repeating when it ends badly
    if available is not None:  # prompts of idle slots are kept in memory, by default 8 GB of them
        params.cache_ram_mib = min(params.cache_ram_mib, max(64, available // 8 // _MEBIBYTE))
    if setting["batch"] is not None:
        params.n_batch = setting["batch"]
        params.n_ubatch = min(params.n_ubatch, setting["batch"])
    if setting["flash_attention"] is not None:
        wanted = "ENABLED" if setting["flash_attention"] else "DISABLED"
        params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{wanted}")
    return params


def _available_memory() -> int | None:
    """Bytes that can be had without pushing others out, on Linux; None where nobody says.

    ``MemAvailable`` is that of the machine (proc(5)); a container may be allowed less (``memory.max`` of cgroup v2).
    """
    found = re.search(r"^MemAvailable: +(\d+) kB$", _text_of("/proc/meminfo"), re.MULTILINE)
    allowed = _text_of("/sys/fs/cgroup/memory.max").strip()
    bounds = [int(found[1]) * 1024] if found else []
    bounds += [int(allowed)] if allowed.isdigit() else []
    return min(bounds, default=None)


def _text_of(path: str) -> str:
    """A file of the system; empty where there is none."""
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib would be its slowest import
            return file.read()
    except (OSError, ValueError):
        return ""


def _say(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
