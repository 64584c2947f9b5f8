"""Starting the simulator: in an event loop that runs already, or in a thread of its own.

The only door to uvicorn.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from uvicorn import Config, Server

from runner.rehearse.simulator.app import App, Served
from runner.rehearse.simulator.engine import Engine
from runner.rehearse.simulator.reading import read_script
from runner.rehearse.simulator.script import Script
from runner.words.errors import OutsideError, UsageError

CLOSING_SECONDS = 5.0


class Simulator:
    """A running look-alike of LM Studio: ``async with Simulator(script) as simulator: simulator.url``.

    ``port`` 0 picks a free one. ``log`` is a file that gets a JSON line for each request when it is over.
    """

    def __init__(self, script: Script, *, host: str = "127.0.0.1", port: int = 0, log: str | None = None) -> None:
        self._host = host
        self._port = port
        self._log_path = log
        self._log: IO[str] | None = None
        self._server: Server | None = None
        self.url = ""
        self._engine = Engine(script)

    def struck(self) -> dict[str, int]:
        """How often each of the script's ``faults`` has struck so far; those that have not are left out."""
        return dict(+self._engine.striking.struck)

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            OutsideError: the address cannot be listened on.
            UsageError: the log cannot be written.
        """
        listener = _listen(self._host, self._port)
        try:
            self._log = _open_log(self._log_path)
        except UsageError:
            listener.close()
            raise
        app = App(self._engine, self._write_log if self._log is not None else None)
        # A broken stream is what some scripts ask for: uvicorn's complaints about those are no news.
        config = Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=5,
        )  # fmt: skip
        config.load()
        server = Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        self._server = server
        self.url = _url(listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to listen, and drop whoever is still being answered."""
        server = self._server
        if server is None:
            return
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        tasks = list(server.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
        await asyncio.sleep(0)
        if self._log is not None:
            self._log.close()

    def _write_log(self, served: Served) -> None:
        if self._log is None or self._log.closed:
            return
        line = {
            "method": served.method,
            "path": served.path,
            "status": served.outcome.status,
            "model": served.outcome.model,
            "turn": served.outcome.turn,
            "fault": served.outcome.fault,
            "seconds": round(served.seconds, 4),
            "request": served.body,
        }
        self._log.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._log.flush()


class Handle:
    """A simulator in a thread of its own; ``url`` is its address, ``struck`` as that of ``Simulator``."""

    def __init__(self, url: str, end: Callable[[], None], struck: Callable[[], dict[str, int]]) -> None:
        self.url = url
        self.struck = struck
        self._end = end

    def close(self) -> None:
        """Stop it and wait for its thread; may be called twice."""
        self._end()


def start_in_thread(script: str | Script, *, host: str = "127.0.0.1", port: int = 0, log: str | None = None) -> Handle:
    """Start a simulator beside whatever this process does; ``script`` is a path or an already read script.

    Raises:
        WorkflowError: the script is at fault.
        OutsideError: the address cannot be listened on.
        UsageError: the script cannot be read, or the log not be written.
    """
    read = read_script(script) if isinstance(script, str) else script
    return _Thread(Simulator(read, host=host, port=port, log=log)).start()


class _Thread:
    """One thread with one event loop with one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    def start(self) -> Handle:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return Handle(self._simulator.url, self._end, self._simulator.struck)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._simulator:
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:  # handed to whoever waits in start
            self._failure = error
        finally:
            self._ready.set()

    def _end(self) -> None:
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio turns off the delay of small packets only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.settimeout(0)  # asyncio wants it so
    except (OSError, OverflowError) as error:
        listener.close()
        raise OutsideError(
            f"the simulator cannot listen on {host}:{port}: {_why(error)}",
            hint="choose another port, or 0 for a free one",
        ) from error
    return listener


def _why(error: OSError | OverflowError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _open_log(path: str | None) -> IO[str] | None:
    if path is None:
        return None
    try:
        return Path(path).open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the log {path} cannot be written: {error.strerror}", hint="choose another --log") from error
