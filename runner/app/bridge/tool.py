"""A tool of the bridge: what is offered, and the work behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from runner.app.bridge.house import BridgeHouse
from runner.chat.offer import Offer, Progress
from runner.words.noun import noun

Work = Callable[[BridgeHouse, Mapping[str, Any], Progress], Awaitable[Mapping[str, Any]]]
"""Takes arguments that fit the offer's ``input_schema``, with the ``default`` of each property filled in; gives the
structured content; raises ``BridgeError``. Its ``text``, if it has one, is what hosts show that read no objects."""


@noun
class Tool:
    """``long``: it may take longer than a host waits, so ``start_task`` can start it."""

    offer: Offer
    work: Work
    long: bool = False
