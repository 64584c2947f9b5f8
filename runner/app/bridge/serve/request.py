"""What the command line of ``bridge-run serve`` asks for."""

from __future__ import annotations

from typing import Final

from runner.app.bridge.desk import WAIT
from runner.app.bridge.heartbeat import EVERY
from runner.app.request import WatchOptions
from runner.words.noun import noun

TOKEN_VARIABLE: Final = "BRIDGE_RUN_SERVE_TOKEN"  # noqa: S105  its name, not its value
MAX_BODY: Final = 4 * 1024 * 1024


@noun
class ServeRequest:
    """``bridge-run serve``: every option as it was written.

    ``http`` is ``[HOST:]PORT``, None is stdio; ``token_env`` names the variable that holds the token. ``allow_hosts``
    and ``allow_origins`` are further values of the headers ``Host`` and ``Origin``, ``max_body`` bytes of a request.
    ``run_dir`` None is the usual place. ``model_tools``: also the tools about models. ``wait``: seconds that a call of
    long work takes at most, unless it says otherwise. ``watch`` is about metrics and logs.
    """

    http: str | None = None
    token_env: str | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    max_body: int = MAX_BODY
    folder: str | None = None
    mcp_json: str | None = None
    merge: bool = False
    endpoints: tuple[str, ...] = ()
    config: str | None = None
    run_dir: str | None = None
    model_tools: bool = True
    wait: float = WAIT
    beat: float = EVERY
    watch: WatchOptions = WatchOptions()
