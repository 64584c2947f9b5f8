"""A template's tokens with their exact places. Imported late, with Jinja.

Jinja's nodes know their line only. Here the token stream says the *offset* wherever Jinja expects a line number, so
every node and every syntax error carries its place for free.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from runner.words.sandbox import Parser, Sandbox, TemplateSyntaxError, lexer, nodes

_SANDBOX = Sandbox()


class _PlacedParser(Parser):
    """Jinja's parser on a stream of our making."""

    def __init__(self, tokens: Iterator[tuple[int, str, str]], state: str | None) -> None:
        super().__init__(_SANDBOX, "", state=state)
        self.stream = lexer.TokenStream(_SANDBOX.lexer.wrap(tokens), None, None)


class TokenPlaces:
    """The tokens of one source, as far as the parser has read them."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.raws: list[str] = []
        self.reached = 0

    def tree(self, text: str, state: str | None) -> nodes.Node:
        """The syntax tree; its line numbers are offsets.

        Raises:
            TemplateSyntaxError: with the offset as its line number.
        """
        parser = _PlacedParser(self._placed(text, state), state)
        if state is None:
            return parser.parse()
        expression = parser.parse_expression()
        if not parser.stream.eos:
            token = parser.stream.current
            raise TemplateSyntaxError(f"unexpected {lexer.describe_token(token)!r} after the expression", token.lineno)
        return expression

    def _placed(self, source: str, state: str | None) -> Iterator[tuple[int, str, str]]:
        try:
            for _, kind, raw in _SANDBOX.lexer.tokeniter(source, None, None, state):
                start = self.reached
                while not source.startswith(raw, start):  # white space that a `{{-` or `{%-` swallowed
                    start += 1
                if kind != "whitespace":
                    self.starts.append(start)
                    self.raws.append(raw)
                self.reached = start + len(raw)
                yield start, kind, raw
        except TemplateSyntaxError as error:
            never_closed = bool(self.starts) and (error.message or "").startswith("Missing end of")
            raise TemplateSyntaxError(error.message or "", self.starts[-1] if never_closed else self.reached) from error

    def index(self, offset: int) -> int:
        """The number of the token that starts at or after the offset."""
        return bisect_left(self.starts, offset)

    def extent(self, offset: int) -> tuple[int, int]:
        """Start and end of the token at the offset."""
        index = self.index(offset)
        if index < len(self.starts) and self.starts[index] == offset:
            return offset, offset + len(self.raws[index].rstrip() or self.raws[index])
        return offset, offset

    def end(self, index: int) -> int:
        """Where the token of that number ends."""
        return self.starts[index] + len(self.raws[index])

    def closing(self, index: int) -> int:
        """The number of the bracket that closes the one of that number."""
        depth = 0
        for number in range(index, len(self.raws)):
            depth += (self.raws[number] in "([{") - (self.raws[number] in ")]}")
            if depth == 0:
                return number
        return index
