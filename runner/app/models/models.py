"""``bridge-run models ls`` and ``show``: what the servers have, and which workflows use it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping

from runner.app.console import say, tell
from runner.app.models.servers import ModelsRequest, Servers, with_servers
from runner.app.models.uses import model_uses
from runner.app.servers import setting_of
from runner.plan.lookup import look_up
from runner.show.models_view import Uses, model_json, model_text, models_json, models_text
from runner.words.exits import Exit

_WIDTH = 140
"""Cells of a table in a pipe, where nothing says how wide it may be."""


def list_models(request: ModelsRequest, environment: Mapping[str, str]) -> int:
    """Show every model of every server; the exit code.

    Raises:
        BridgeError: as ``with_servers``, and UsageError for ``--workflows``.
    """

    async def work(servers: Servers) -> int:
        uses = _uses(servers, request)
        catalogues = servers.catalogue.endpoints
        if request.format == "json":
            failures = [{"endpoint": one.endpoint, **one.error.to_dict()} for one in servers.asked.failures]
            _say_json({**models_json(catalogues, uses), "failures": failures})
            return Exit.OK
        say(models_text(catalogues, uses, _width()))
        _tell_notes(uses)
        return Exit.OK

    return with_servers(request, environment, work)


def show_model(name: str, request: ModelsRequest, environment: Mapping[str, str]) -> int:
    """Show all that is known of one model, on every server that has it; the exit code.

    Raises:
        ModelNotFoundError: no server has it.
        BridgeError: as ``list_models``.
    """

    async def work(servers: Servers) -> int:
        servers.find(name)
        uses = _uses(servers, request)
        homes = [
            (catalogue, found.entry)
            for catalogue in servers.catalogue.endpoints
            if (found := look_up(name, type(servers.catalogue)((catalogue,)))) is not None
        ]
        if request.format == "json":
            _say_json([model_json(catalogue, entry, uses) for catalogue, entry in homes])
            return Exit.OK
        say("\n".join(model_text(catalogue, entry, uses, min(_width(), 100)) for catalogue, entry in homes))
        _tell_notes(uses)
        return Exit.OK

    return with_servers(request, environment, work, named=(name,))


def _uses(servers: Servers, request: ModelsRequest) -> Uses:
    return model_uses(servers.catalogue, setting_of(servers.asked.endpoints, servers.config), request.workflows)


def _tell_notes(uses: Uses) -> None:
    for note in uses.notes:
        tell(f"note: {note}")


def _say_json(data: object) -> None:
    say(json.dumps(data, ensure_ascii=False, indent=2))


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
