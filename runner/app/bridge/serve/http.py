"""``bridge-run serve --http``: where to listen, who is let in, and the end."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.serve.request import TOKEN_VARIABLE, ServeRequest
from runner.app.bridge.serve.served import Watched, desk_of, server_of, settings_of, until_ended
from runner.app.run.watched import teller
from runner.edges.mcp_server.http import PATH, HttpSettings, is_loopback, listen, serve_http, url_of
from runner.edges.mcp_server.server import DeskServer
from runner.words.errors import UsageError

_WEAK = 16
"""Characters of a token that can be guessed."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s*]+")
"""As browsers send it. There is no pattern for all: who lets in every page lets in every page there is."""


async def serve_over_http(request: ServeRequest, environment: Mapping[str, str], watched: Watched) -> int:
    """Serve until a signal comes; the exit code.

    Raises:
        UsageError: the address or the token makes no sense.
        OutsideError: the address cannot be listened on.
    """
    settings = http_settings(request, environment)
    listener = listen(settings)
    try:
        url = url_of(listener)
        house = BridgeHouse(settings_of(request, environment, own_urls(url, listener, settings)), environment)
        watched.by(house)

        async def serving(server: DeskServer) -> None:
            await serve_http(server, listener, settings)

        how = "with a token" if settings.token is not None else "to everybody on this machine"
        server = await server_of(desk_of(house, request), f"{url}, {how}", teller(request.watch))
        return await until_ended(house, serving, server)
    finally:
        listener.close()


def http_settings(request: ServeRequest, environment: Mapping[str, str]) -> HttpSettings:
    """What `--http` and the token mean.

    Raises:
        UsageError: they make no sense, or others than this machine would be let in without a token.
    """
    for name in request.allow_hosts:
        if not _HOST.fullmatch(name):
            hint = "write a name, with a port if need be: `bridge.example`, `bridge.example:8700`"
            raise UsageError(f"`--allow-host {name}` is no host, so it would let nobody in", hint=hint)
    for origin in request.allow_origins:
        if not _ORIGIN.fullmatch(origin):
            hint = "write it as browsers send it, without a slash at its end: `https://page.example`"
            raise UsageError(f"`--allow-origin {origin}` is no origin, so it would let no page in", hint=hint)
    host, port = _address(request.http or "")
    token = _token(request, environment)
    if token is None and not is_loopback(host):
        message = f"`--http {request.http}` lets other machines in, and there is no token"
        raise UsageError(message, hint=f"set {TOKEN_VARIABLE}, or listen on this machine only: `--http {port}`")
    return HttpSettings(
        host=host,
        port=port,
        token=token,
        allow_hosts=request.allow_hosts,
        allow_origins=request.allow_origins,
        max_body=request.max_body,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"`--http {text}` is no address", hint="write `--http PORT`, or `--http HOST:PORT`")
    host = host or "127.0.0.1"
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def _token(request: ServeRequest, environment: Mapping[str, str]) -> str | None:
    name = request.token_env or TOKEN_VARIABLE
    token = environment.get(name, "").strip()
    if token and len(token) < _WEAK:
        hint = "take one of chance: `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        raise UsageError(f"the token in `{name}` is shorter than {_WEAK} characters", hint=hint)
    if not token and request.token_env is not None:
        raise UsageError(
            f"`--token-env {name}`: this variable is not set", hint=f"export {name}, or leave the option out"
        )
    return token or None


def own_urls(url: str, listener: socket.socket, settings: HttpSettings) -> Sequence[str]:
    """Every address that leads to us, so that no task is given ourselves as a tool server.

    Where other machines are let in, those of this machine as it is known there, and the names that a proxy before us
    may have.
    """
    port = listener.getsockname()[1]
    here = ["127.0.0.1", "localhost", "[::1]"]
    if not is_loopback(settings.host):
        here += [socket.gethostname(), *_outward()]
    named = [f"{scheme}://{name}{PATH}" for name in settings.allow_hosts for scheme in ("http", "https")]
    return (url, *(f"http://{name}:{port}{PATH}" for name in (*here, *settings.allow_hosts)), *named)


def _outward() -> Sequence[str]:
    """The address under which this machine speaks to others; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of no machine: RFC 5737
        except OSError:
            return ()
        found: str = probe.getsockname()[0]
        return (found,)
