"""Files as text, and back to the very same kind of bytes: encoding, byte order mark and line ends are kept."""

from __future__ import annotations

import codecs

from runner.edges.files.confine import refusal
from runner.words.noun import noun

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOK = 8192  # bytes in which a NUL betrays a binary file; as git does


@noun
class TextFile:
    """``text`` with plain newlines; what is needed to write it as it was."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    windows: bool = False
    """Whether every line ends with CR LF in the file."""

    def encode(self, text: str) -> bytes:
        """Other text in the dress of this file; UTF-8 where its encoding lacks a character."""
        if self.windows:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode()


def decode(data: bytes, place: str) -> TextFile:
    """The text of a file. What is not UTF-8 is read as Latin-1, which loses nothing on the way back.

    Raises:
        StepError: it is a binary file.
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    body = data[len(mark) :]
    if encoding == "utf-8" and b"\0" in body[:_LOOK]:
        raise refusal(f"`{place}` is a binary file, not text")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        mark, encoding, text = b"", "latin-1", data.decode("latin-1")
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return TextFile(text=text.replace("\r\n", "\n") if windows else text, encoding=encoding, mark=mark, windows=windows)
