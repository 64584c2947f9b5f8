"""What the configuration of this machine says to a plan; the file itself knows nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.endpoint import Endpoint
from runner.words.noun import noun


@noun
class Setting:
    """``servers`` are those that the run asks, whether they answer or not; ``names`` all that are configured.

    ``default_model`` is the id for steps that name no model. ``simulated`` says that one simulator stands in for all
    servers, whatever their names. ``recorded_by``: the models are those of a recording, which this command makes anew.
    """

    servers: tuple[Endpoint, ...] = ()
    names: tuple[str, ...] = ()
    default_model: str | None = None
    simulated: bool = False
    recorded_by: str | None = None

    def load_at(self, endpoint: str) -> Mapping[str, Any]:
        """The load settings of every model at that address: the context that a server of our own is configured with."""
        own = next((one.embedded for one in self.servers if one.url == endpoint), None)
        return {} if own is None or own.context_length is None else {"context_length": own.context_length}


NO_SETTING = Setting()
