"""One llama.cpp server of ours while it runs: started, watched, ended; what it dies of, in our words."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runner.edges.process_group import Offspring, child_environment
from runner.edges.stdio_pipe import Launch, StdioPipe, end_of, start_process
from runner.words.errors import LLMError, LLMResponseError, LLMValidationError, ModelMemoryError
from runner.words.units import show_bytes

if TYPE_CHECKING:  # a script for another process; here it is only the shape of what it reads
    from runner.edges.embedded.embedded_server import Setting

INSTALL_HINT: Final = "pip install 'bridge-run[embedded]'"
_SCRIPT: Final = Path(__file__).with_name("embedded_server.py")
_FOR_THE_ENGINE: Final = (
    "CUDA_", "GGML_", "HIP_", "HSA_", "ROCR_", "LLAMA_", "LD_LIBRARY_PATH", "DYLD_", "OMP_", "ONEAPI_", "PYTHONPATH",
    "VK_", "ZE_",
)  # fmt: skip
"""Beginnings of the variables that choose and find devices and libraries; tokens are not among them."""

_NO_MEMORY: Final = re.compile(
    r"failed to allocate|insufficient memory|out of memory|outofdevicememory|unable to allocate|cannot allocate memory"
    r"|std::bad_alloc"
)
_BUFFER: Final = re.compile(r"(?:buffer of size |allocate buffer of size )(\d+)")
_REASON: Final = re.compile(r"^[\d.]+ [EF] +(?:\S+ +)?\S+?: (?:error loading model: )?(.+)$", re.MULTILINE)
_SMALLER: Final = "unload other models, or load it with a smaller `context_length` or a smaller quantization"


class EmbeddedProcess:
    """A server that runs and has its model loaded. ``start`` makes one; ``end`` must follow in every case."""

    __slots__ = ("_pipe", "address", "token")

    def __init__(self, pipe: StdioPipe, address: str, token: str) -> None:
        self._pipe = pipe
        self.address = address
        self.token = token

    @property
    def runs(self) -> bool:
        """Whether it is alive, as far as is known."""
        return self._pipe.exit_code is None

    async def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so in the next ``seconds``."""
        return not self.runs or await self._pipe.exits_within(seconds)

    def last_words(self) -> str:
        """How it ended, and the last line of what it complained of."""
        reason = _reason(self._pipe.stderr)
        return end_of(self._pipe.exit_code) + (f"; its last words: {reason}" if reason else "")

    async def end(self) -> None:
        """End it and wait until it is gone; may be called twice."""
        await self._pipe.end()


async def start(
    setting: Mapping[str, Any], *, who: str, environment: Mapping[str, str], offspring: Offspring
) -> EmbeddedProcess:
    """Start a server and wait, without an end, until it has loaded its model.

    ``setting`` are the keys of ``embedded_server.Setting`` but ``key``; ``who`` names the model in messages.

    Raises:
        ModelMemoryError: the model and its context do not fit into memory.
        LLMResponseError: llama.cpp cannot load the file, or crashed on it (kinds ``request`` and ``crash``).
        LLMValidationError: the extra is not installed, or no process can be started.
    """
    token = secrets.token_urlsafe(24)
    whole: Setting = {**setting, "key": token}  # type: ignore[typeddict-item]  # the caller gave the others
    kept = {name: value for name, value in environment.items() if name.startswith(_FOR_THE_ENGINE)}
    launch = Launch(
        # -P: neither the modules beside the script nor those of the user's folder may stand in for a library
        argv=(sys.executable, "-P", str(_SCRIPT)),
        environment=child_environment(environment, kept),
        folder=str(Path.cwd()),
    )
    try:
        pipe = await start_process(launch, offspring=offspring)
    except (OSError, ValueError) as error:
        raise LLMValidationError(f"{who} cannot be loaded: no process can be started: {error}") from error
    try:
        message = await _first_message(pipe, whole)
        if "address" in message:
            return EmbeddedProcess(pipe, message["address"], token)
        await pipe.exits_within(5.0)  # so that its exit code is there,
        await pipe.silent_within(1.0)  # and its last words
    except BaseException:
        await pipe.end(grace=0.0)
        raise
    code, stderr = pipe.exit_code, pipe.stderr
    await pipe.end()
    raise _failure(message, who, code, stderr)


async def _first_message(pipe: StdioPipe, setting: Setting) -> Mapping[str, Any]:
    """What the server says once it is loaded or has failed; empty if it died without a word."""
    try:
        await pipe.write_line(json.dumps(setting).encode())
    except BrokenPipeError:
        return {}
    line = await pipe.read_line()
    try:
        message = json.loads(line) if isinstance(line, bytes) else {}
    except ValueError:
        return {}
    return message if isinstance(message, Mapping) else {}


def _failure(message: Mapping[str, Any], who: str, code: int | None, stderr: str) -> LLMError:
    """Why a server did not come up, sorted by what can be done about it."""
    problem, reason, available = message.get("problem"), _reason(stderr), message.get("available")
    if problem == "missing":
        said = f"{who} needs llama.cpp, and the package `xllamacpp` cannot be used: {message.get('text')}"
        return LLMValidationError(said, hint=INSTALL_HINT)
    if problem == "memory":
        return _no_memory(who, required=message["required"], available=available)
    if _NO_MEMORY.search(stderr.casefold()):
        buffer = _BUFFER.search(stderr)
        return _no_memory(who, required=int(buffer[1]) if buffer else None, available=available, said=reason)
    if problem == "load":
        hint = "is the file whole, and is its architecture known to this version of llama.cpp?"
        return LLMResponseError(f"{who} could not be loaded: {reason or message['text']}", kind="request", hint=hint)
    if code == -9:  # nobody ends a server that loads but us, and the system when it needs the memory
        return _no_memory(who, required=None, available=None, said="the system ended its process while it loaded")
    said = f"{who} could not be loaded: llama.cpp {end_of(code)}" + (f": {reason}" if reason else "")
    return LLMResponseError(said, kind="crash", hint="try another quantization, or a smaller `context_length`")


def _no_memory(who: str, *, required: int | None, available: int | None, said: str = "") -> ModelMemoryError:
    if required is not None and available is not None:
        said = f"it needs {show_bytes(required)}, {show_bytes(available)} are available"
    message = f"{who} does not fit into memory" + (f": {said}" if said else "")
    return ModelMemoryError(message, hint=_SMALLER, required_bytes=required, available_bytes=available)


def _reason(stderr: str) -> str:
    """The first error that llama.cpp complained of: those after it only say that it gave up; else the last line."""
    found = _REASON.search(stderr)
    lines = stderr.strip().splitlines()
    return (found[1] if found else lines[-1] if lines else "")[:400]
