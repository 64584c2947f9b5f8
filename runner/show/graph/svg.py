"""The graph as a picture for web pages and documents: one file, no fonts, no scripts, for light and dark screens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise

from runner.plan.edges import EdgeKind
from runner.show.graph.card import BOLD, DOT, FONT, POINT, STACK, Card, Sheet, Word, sheet
from runner.show.graph.colour import OTHERS, PALETTE, model_legend, tint, tints
from runner.show.graph.graph import MEANING, Box, Diagram
from runner.show.graph.layout import Direction, Point, Size
from runner.show.graph.measure import flow, is_certain, text_width

_MARGIN = 28.0
_LEAST = 420.0
_HEAD = 58.0
_ROW = 24.0
_TITLE, _SMALL = 18.0, 12.0
_CLASS: dict[EdgeKind, str] = {"written": "needs", "inferred": "reads", "when": "when"}
_ARROW = 7.0


def graph_svg(view: Diagram) -> str:
    """The picture as well-formed XML, ending in a newline.

    Boxes are groups with ``data-step``, lines are paths with ``data-from``, ``data-to`` and ``data-kind``.
    """
    drawn = sheet(view)
    size = drawn.layout.size
    title = flow(view.name, _TITLE, max(size.width, _LEAST), 1, bold=True)[0]
    file = flow(_where(view), _SMALL, max(size.width, _LEAST), 1)[0]
    legend, height = _legend(view, max(size.width, _LEAST))
    width = max(size.width, _LEAST) + 2 * _MARGIN
    top = _MARGIN + _HEAD
    whole = Size(width=width, height=top + size.height + 26 + height + _MARGIN)
    painter = _Painter(view)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bridge-graph" role="img" width="{_n(whole.width)}"'
        f' height="{_n(whole.height)}" viewBox="0 0 {_n(whole.width)} {_n(whole.height)}">',
        f"<title>{escape(view.name)}</title>",
        f"<desc>{escape(_description(view))}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="page" width="{_n(whole.width)}" height="{_n(whole.height)}"/>',
        f'<text class="head" x="{_n(_MARGIN)}" y="{_n(_MARGIN + 15)}">{escape(title)}</text>',
        f'<text class="file" x="{_n(_MARGIN)}" y="{_n(_MARGIN + 34)}"{_held(file, _SMALL)}>{escape(file)}</text>',
        _group(((width - size.width) / 2, top), painter.sheet(drawn)),
        _group((_MARGIN, top + size.height + 26), legend),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _where(view: Diagram) -> str:
    count = len(view.boxes)
    return f"{count} step{'s' * (count != 1)} · {view.file}"


def _description(view: Diagram) -> str:
    """The graph in words, for those who do not see it."""
    names = {box.key: box.key.replace("/", ", ") for box in view.every_box}
    into: dict[str, list[str]] = {}
    for line in view.every_line:
        into.setdefault(line.target, []).append(names[line.source])
    words = (f"{names[key]} waits for {' and '.join(those)}." for key, those in into.items())
    return " ".join((f"A graph of {len(names)} steps.", *words))


class _Painter:
    def __init__(self, view: Diagram) -> None:
        self._tints = tints(view)

    def sheet(self, drawn: Sheet) -> Iterator[str]:
        """Lines first, so that boxes lie on top of them."""
        layout = drawn.layout
        for line in drawn.view.lines:
            points = layout.routes[line.source, line.target]
            yield (
                f'<path class="line {_CLASS[line.kind]}" data-from="{line.source}" data-to="{line.target}"'
                f' data-kind="{line.kind}" d="{_path(points, layout.direction)}"/>'
            )
            yield f'<path class="arrow" d="{_head(points[-1], layout.direction)}"/>'
        for key, card in drawn.cards.items():
            yield _group(layout.corners[key], self._card(card), f' data-step="{key}" class="{self._classes(card)}"')

    def _classes(self, card: Card) -> str:
        box = card.box
        model = f"m{self._tints[box.model.id]}" if box.model is not None else "plain"
        kind = "asks" if box.kind == "approve" else "frame" if card.inside is not None else model
        return f"card {kind}{' cleans' * box.cleans_up}"

    def _card(self, card: Card) -> Iterator[str]:
        yield f"<title>{escape(_tip(card.box))}</title>"
        yield from _shape(card)
        for number, word in enumerate(card.words):
            if word.style == "model" and card.words[number - 1].style != "model":
                yield f'<circle class="dot" cx="{_n(word.x - DOT + 4)}" cy="{_n(word.y - 4)}" r="4"/>'
            yield _text(word)
        if card.inside is not None:
            yield _group(card.origin, self.sheet(card.inside))


def _tip(box: Box) -> str:
    model = box.model.label if box.model is not None else ""
    return "\n".join(filter(None, (f"{box.key} · {box.kind}", box.title, box.subject, model, *box.notes)))


def _shape(card: Card) -> Iterator[str]:
    """A rounded card, a pack of them for many runs, a card with points for a question."""
    back = STACK * 2 if card.box.many and card.inside is None else 0.0
    w, h = card.size.width - back, card.size.height - back
    outline = _n(w), _n(h)
    if card.box.kind == "approve":
        half = h / 2
        points = ((POINT, 0), (w - POINT, 0), (w, half), (w - POINT, h), (POINT, h), (0, half))
        for shift in _pack(back):
            yield f'<polygon class="body" points="{" ".join(f"{_n(x + shift)},{_n(y + shift)}" for x, y in points)}"/>'
        return
    for shift in _pack(back):
        place = f'x="{_n(shift)}" y="{_n(shift)}" ' if shift else ""
        yield f'<rect class="body" {place}width="{outline[0]}" height="{outline[1]}" rx="8"/>'
    if card.inside is None and card.box.model is not None:
        yield f'<path class="band" d="M8 0 A8 8 0 0 0 0 8 V{_n(h - 8)} A8 8 0 0 0 8 {_n(h)} Z"/>'


def _pack(back: float) -> Iterable[float]:
    return (back, back / 2, 0.0) if back else (0.0,)


def _text(word: Word) -> str:
    held = _held(word.text, FONT[word.style], bold=word.style in BOLD)
    return f'<text class="{word.style}" x="{_n(word.x)}" y="{_n(word.y)}"{held}>{escape(word.text)}</text>'


def _held(text: str, size: float, *, bold: bool = False) -> str:
    """Of letters whose width nobody knows: squeezed or stretched to what was reckoned."""
    if is_certain(text) or not text:
        return ""
    return f' textLength="{_n(text_width(text, size, bold=bold) * 0.86)}" lengthAdjust="spacingAndGlyphs"'


def _path(points: Sequence[Point], direction: Direction) -> str:
    """Straight from each even point to the next, a curve from each odd one; it ends where the arrow begins."""
    x, y = points[-1]
    ended = (*points[:-1], (x, y - _ARROW) if direction == "down" else (x - _ARROW, y))
    parts = [f"M{_xy(ended[0])}"]
    for number, (start, end) in enumerate(pairwise(ended)):
        if number % 2 == 0:
            if start != end:
                parts.append(f"L{_xy(end)}")
        elif direction == "down":
            middle = (start[1] + end[1]) / 2
            parts.append(f"C{_xy((start[0], middle))} {_xy((end[0], middle))} {_xy(end)}")
        else:
            middle = (start[0] + end[0]) / 2
            parts.append(f"C{_xy((middle, start[1]))} {_xy((middle, end[1]))} {_xy(end)}")
    return " ".join(parts)


def _head(tip: Point, direction: Direction) -> str:
    x, y = tip
    long, half = _ARROW + 1, _ARROW * 0.55
    if direction == "down":
        corners = ((x - half, y - long), (x + half, y - long))
    else:
        corners = ((x - long, y - half), (x - long, y + half))
    return f"M{_xy(tip)} L{_xy(corners[0])} L{_xy(corners[1])} Z"


def _legend(view: Diagram, room: float) -> tuple[list[str], float]:
    """What colours, lines and shapes mean, each sort in rows of its own; and how high they are."""
    parts: list[str] = []
    y = 12.0
    for entries in filter(None, _entries(view)):
        x = 0.0
        for sign, words, look in entries:
            shown = flow(words, _SMALL, room - 30, 1)[0]
            wide = 30 + text_width(shown, _SMALL)
            if x > 0 and x + wide > room:
                x, y = 0.0, y + _ROW
            text = f'<text class="key" x="28" y="0"{_held(shown, _SMALL)}>{escape(shown)}</text>'
            parts.append(_group((x, y), (sign, text), f' class="{look}"' if look else ""))
            x += wide + 22
        y += _ROW
    return parts, y - _ROW + 4


def _entries(view: Diagram) -> Iterator[list[tuple[str, str, str]]]:
    """Sign, words and class of each entry of the legend, sort by sort."""
    yield [('<circle class="dot" cx="10" cy="-4" r="5"/>', words, f"m{index}") for index, words in model_legend(view)]
    yield [(f'<path class="line {_CLASS[kind]}" d="M0 -4 H20"/>', MEANING[kind], "") for kind in view.kinds]
    boxes = list(view.every_box)
    shapes: list[tuple[str, str, str]] = []
    if any(box.many for box in boxes):
        pack = "".join(f'<rect class="body" x="{s}" y="{s - 12}" width="13" height="9" rx="2"/>' for s in (4, 2, 0))
        shapes.append((pack, "runs many times", "card plain"))
    if any(box.kind == "approve" for box in boxes):
        points = "4,-10 16,-10 20,-4 16,2 4,2 0,-4"
        shapes.append((f'<polygon class="body" points="{points}"/>', "asks a person", "card asks"))
    if any(box.cleans_up for box in boxes):
        shapes.append(('<rect class="body" y="-10" width="20" height="12" rx="3"/>', "clean-up", "card plain cleans"))
    yield shapes


def _group(corner: Point, parts: Iterable[str], attributes: str = "") -> str:
    return f'<g transform="translate({_n(corner[0])} {_n(corner[1])})"{attributes}>\n' + "\n".join(parts) + "\n</g>"


def _xy(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    """Tenths of a pixel, without a needless end."""
    return (
        f"{number:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(number) < 0.05
        else f"{number:.1f}".removesuffix(".0")
    )


def _style() -> str:
    fonts = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
    sizes = "".join(
        f".bridge-graph .{style}{{font-size:{size:g}px{';font-weight:600' * (style in BOLD)}}}"
        for style, size in FONT.items()
    )
    models = "".join(
        f".bridge-graph .m{index}{{--pale:{tint(index).pale};--strong:{tint(index).strong}}}"
        for index in range(len(PALETTE) + 1)
    )
    dark = "".join(f".bridge-graph .m{index}{{--pale:{tint(index).deep}}}" for index in range(len(PALETTE) + 1))
    return (
        f".bridge-graph{{--page:#fff;--ink:#1b1f24;--soft:#59636e;--line:#59636e;--pale:#f4f5f7;--strong:{OTHERS.strong};"
        f"--frame:#fafbfc;--asks:#fff3bf;--ask:#a67c00;font-family:{fonts}}}"
        ".bridge-graph .page{fill:var(--page)}.bridge-graph text{fill:var(--ink)}"
        f".bridge-graph .head{{font-size:{_TITLE:g}px;font-weight:600}}.bridge-graph .file,.bridge-graph .key"
        f"{{font-size:{_SMALL:g}px}}.bridge-graph .file,.bridge-graph .note,.bridge-graph .kind{{fill:var(--soft)}}"
        f"{sizes}.bridge-graph .kind{{letter-spacing:.04em}}"
        ".bridge-graph .body{fill:var(--pale);stroke:var(--strong);stroke-width:1.2}"
        ".bridge-graph .band,.bridge-graph .dot{fill:var(--strong)}"
        ".bridge-graph .frame>.body{fill:var(--frame);stroke:var(--strong)}"
        ".bridge-graph .asks>.body{fill:var(--asks);stroke:var(--ask);stroke-width:2}"
        ".bridge-graph .cleans>.body{stroke-dasharray:6 4;stroke-width:1.6}"
        ".bridge-graph .line{fill:none;stroke:var(--line);stroke-width:1.5}.bridge-graph .arrow{fill:var(--line)}"
        ".bridge-graph .reads{stroke-dasharray:7 4}.bridge-graph .when{stroke-dasharray:.1 5;stroke-linecap:round;"
        f"stroke-width:2.2}}{models}"
        "@media (prefers-color-scheme:dark){.bridge-graph{--page:#0d1117;--ink:#e6edf3;--soft:#9aa4af;--line:#9aa4af;"
        f"--pale:#1c2128;--frame:#12171e;--asks:#3d3109;--ask:#e3b341}}{dark}}}"
    )
