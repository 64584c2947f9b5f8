"""What the schedule of a run comes to: how often models are loaded, how long it may take, and by which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from runner.plan.agenda import Forecast, LoadEstimate, Stay
from runner.show.cell import fit, one_line, width
from runner.words.units import show_seconds

_STAYS = 8
_GROUPS = 4


def forecast_text(forecast: Forecast, room: int) -> list[str]:
    """The forecast in lines of at most ``room`` cells: what it comes to, the order of the models, the numbers."""
    lines = _wrapped("", [_head(forecast)], room)
    servers = dict.fromkeys(stay.endpoint for stay in forecast.agenda.stays)
    for server in servers:
        where = f"order on {one_line(server)}: " if len(servers) > 1 else "order: "
        lines += _wrapped(where, list(_order(forecast.agenda.stays_at(server))), room)
    if forecast.loads and not servers:
        lines += _wrapped("", ["order: that of the file; each model is loaded when it is asked for"], room)
    numbers = list(_numbers(forecast))
    return lines + (_wrapped("reckoned with: ", numbers, room) if numbers else [])


def forecast_json(forecast: Forecast) -> dict[str, Any]:
    """The forecast for machines; seconds to the millisecond."""
    return {
        "loads": forecast.loads,
        "naive_loads": forecast.naive_loads,
        "on_demand_loads": forecast.on_demand_loads,
        "seconds": round(forecast.seconds, 3),
        "naive_seconds": round(forecast.naive_seconds, 3),
        "on_demand_seconds": round(forecast.on_demand_seconds, 3),
        "chain": forecast.chain,
        "stays": [
            {"endpoint": stay.endpoint, "model": stay.model, "swaps": list(stay.swaps), "groups": list(stay.groups)}
            for stay in forecast.agenda.stays
        ],
        "estimates": [
            {
                "endpoint": one.endpoint,
                "model": one.model,
                "seconds": round(one.seconds, 3),
                "by": "measurement" if one.measured else "size" if one.sized else "assumption",
            }
            for one in forecast.estimates
        ],
        "step_seconds": forecast.step_seconds,
        "guessed_items": dict(forecast.guessed_items),
    }


def _head(forecast: Forecast) -> str:
    loads, naive = forecast.loads, forecast.naive_loads
    took, slow = show_seconds(forecast.seconds), show_seconds(forecast.naive_seconds)
    if forecast.chain and loads == naive:
        return (
            f"loads: {loads}; a chain: every step waits for the one before, so no order saves anything;"
            f" estimated {took}" + (f" (naive order: {slow})" if took != slow else "")
        )
    if (loads, took) == (naive, slow):
        return f"loads: {loads}, estimated {took}; the naive order is as good"
    counted = f"loads: {loads} (naive order: {naive})" if loads != naive else f"loads: {loads} (naive order too)"
    return f"{counted}, estimated {took} (naive order: {slow})"


def _order(stays: Sequence[Stay]) -> Iterator[str]:
    for number, stay in enumerate(stays[:_STAYS]):
        models = " and ".join(one_line(model) for model in (stay.model, *stay.swaps))
        turns = " in turns" if stay.swaps else ""
        begin = "then " if number else "first " if len(stays) > 1 else ""
        yield f"{begin}{models}{turns}: {_some(stay.groups, _GROUPS)}"
    if len(stays) > _STAYS:
        yield f"and {len(stays) - _STAYS} more"


def _numbers(forecast: Forecast) -> Iterator[str]:
    yield from map(_estimate, forecast.estimates)
    if forecast.step_seconds:
        yield f"a task {_seconds(forecast.step_seconds)}, assumed"
    by_count: dict[int, list[str]] = {}
    for group, count in forecast.guessed_items.items():
        by_count.setdefault(count, []).append(group)
    for count, groups in by_count.items():
        yield f"{count} items of each, assumed: {_some(groups, _GROUPS)}"


def _estimate(one: LoadEstimate) -> str:
    how = "measured" if one.measured else "by its size" if one.sized else "assumed"
    return f"{one_line(one.model)} {_seconds(one.seconds)} to load, {how}"


def _seconds(seconds: float) -> str:
    """``10s``, not ``10.0s``, where nothing was measured so closely."""
    return show_seconds(seconds).replace(".0s", "s")


def _some(names: Sequence[str], most: int) -> str:
    rest = len(names) - most
    return ", ".join(map(one_line, names[:most])) + (f" and {rest} more" if rest > 0 else "")


def _wrapped(label: str, pieces: Sequence[str], room: int) -> list[str]:
    """The pieces behind their label, ``;`` between them; what does not fit stands on the next line, indented."""
    words = f"{label}{'; '.join(pieces)}".split(" ")
    lines: list[str] = []
    line = words[0]
    for word in words[1:]:
        if width(line) + 1 + width(word) > room:
            lines.append(fit(line, room))
            line = f"  {word}"
        else:
            line += f" {word}"
    return [*lines, fit(line, room)]
