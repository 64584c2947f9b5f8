"""``bridge-run serve``: the desk with all its tools, behind the MCP wall, until the host leaves or a signal comes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.serve.request import ServeRequest
from runner.app.bridge.serve.served import Watched, desk_of, server_of, settings_of, until_ended
from runner.app.run.watched import teller
from runner.app.watch import watching
from runner.words.errors import UsageError


def serve(request: ServeRequest) -> int:
    """Serve until the host leaves (stdio) or a signal ends us; the exit code.

    Raises:
        UsageError: the folder, the address or the token makes no sense.
        WorkflowError: the configuration file is at fault.
        OutsideError: the address cannot be listened on.
    """
    _enter(request.folder)
    environment = dict(os.environ)
    say = teller(request.watch)
    with watching(request.watch, environment, complain=say) as watch:
        if watch.metrics_url is not None:
            say(f"metrics at {watch.metrics_url}")
        return asyncio.run(_serve(request, environment, Watched(watch)))


async def _serve(request: ServeRequest, environment: Mapping[str, str], watched: Watched) -> int:
    if request.http is not None:
        from runner.app.bridge.serve.http import serve_over_http

        return await serve_over_http(request, environment, watched)
    from runner.edges.mcp_server.stdio import serve_stdio

    house = BridgeHouse(settings_of(request, environment), environment)
    watched.by(house)
    server = await server_of(desk_of(house, request), "stdin and stdout", teller(request.watch))
    return await until_ended(house, serve_stdio, server)


def _enter(folder: str | None) -> None:
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"cannot enter the folder `{folder}`: {why}", hint="`--folder` names the project") from error
