"""Models that runs of the bridge load: kept for the next one, as those are that its own calls load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import model_desk
from runner.app.bridge.models.find import Wish, choice_of, demand_of
from runner.chat.catalogue import Instance
from runner.plan.lookup import look_up
from runner.record.events import ModelLoaded
from runner.record.journal import Entry, Listener


@asynccontextmanager
async def kept_for_the_next(house: BridgeHouse, model: str) -> AsyncIterator[Listener]:
    """For a run with that one model, whose entries the listener is to hear: what it loads stays until it was idle for
    its time, another task needs its place, or the house closes.

    If it has to be loaded, what idle models take is freed first: a server has one model of ours at a time unless its
    ``max_loaded`` says more.

    Raises:
        LLMError: no server could be asked.
        OutsideError: as ``ModelDesk.ask``.
    """
    desk = model_desk(house)
    found = look_up(model, (await desk.ask()).catalogue)
    if found is None or not found.server.manages:
        yield lambda _: None
        return
    demand = demand_of(choice_of(found, Wish()), Wish())
    await desk.open()
    if demand.best(found.entry.instances) is None:
        most = next((one.max_loaded for one in desk.endpoints if one.url == found.endpoint), None) or 1
        await desk.models.make_room(demand, most)
    used = [one for one in (desk.models.visited(demand),) if one is not None]

    def listener(entry: Entry) -> None:
        event = entry.event
        if isinstance(event, ModelLoaded) and not event.reused and event.endpoint == found.endpoint:
            instance = Instance(id=event.instance, context_length=event.context_length, parallel=event.parallel)
            adopted = None if used else desk.models.adopt(demand, instance)
            used.extend(one for one in (adopted,) if one is not None)

    try:
        yield listener
    finally:
        for one in used:
            desk.models.left(one)
