"""Texts inside XML, whatever is in them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr


def attribute(text: str) -> str:
    """The text as the value of an attribute, with its quotes."""
    return quoteattr(_legal(text))


def content(text: str) -> str:
    """The text between two tags."""
    return escape(_legal(text))


def _legal(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(
        sign
        if sign in "\t\n" or (sign >= " " and sign not in "\ufffe\uffff" and not "\ud800" <= sign <= "\udfff")
        else "�"
        for sign in text
    )
