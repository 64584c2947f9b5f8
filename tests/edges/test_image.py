"""Pictures from local files: what is taken, by what it is and not by its name, and what is refused in which words."""

from __future__ import annotations

import base64
import hashlib
import os
import struct

import pytest

from runner.edges.image import MAX_BYTES, read_image
from runner.words.errors import StepError

HINT = "give the path of a png, jpeg, webp or gif file on this machine"


def png(width=2, height=3):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + b"rest"


def jpeg(width=2, height=3, marker=0xC2):
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
    table = b"\xff\xff\xc4" + struct.pack(">H", 5) + bytes(3)
    return b"\xff\xd8" + app + table + b"\xff\x01" + bytes([0xFF, marker]) + struct.pack(">HBHH", 8, 8, height, width)


def gif(width=2, height=3):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0;"


def riff(kind, rest):
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(rest)) + b"WEBP" + kind + struct.pack("<I", len(rest)) + rest


def webp_extended(width=2, height=3):
    return riff(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def webp_lossless(width=2, height=3):
    return riff(b"VP8L", b"\x2f" + struct.pack("<I", (height - 1) << 14 | (width - 1)) + bytes(8))


def webp_lossy(width=2, height=3):
    return riff(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(4))


FORMATS = {
    "png": (png, "image/png"),
    "jpeg": (jpeg, "image/jpeg"),
    "gif": (gif, "image/gif"),
    "webp extended": (webp_extended, "image/webp"),
    "webp lossless": (webp_lossless, "image/webp"),
    "webp lossy": (webp_lossy, "image/webp"),
}


def refusal(path, folder):
    with pytest.raises(StepError) as caught:
        read_image(path, folder)
    assert caught.value.kind == "request"
    return str(caught.value), caught.value.hint


@pytest.mark.parametrize(("make", "media_type"), FORMATS.values(), ids=FORMATS)
def test_a_picture_is_what_its_bytes_say_whatever_its_name(make, media_type, tmp_path):
    data = make()
    (tmp_path / "shot.txt").write_bytes(data)
    image = read_image("shot.txt", tmp_path)
    assert (image.path, image.media_type, image.size) == ("shot.txt", media_type, len(data))
    assert base64.b64decode(image.data) == data
    assert image.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("make", [make for make, _ in FORMATS.values()], ids=FORMATS)
def test_a_picture_of_more_than_50_million_pixels_is_refused(make, tmp_path):
    wide = 16_000
    (tmp_path / "a").write_bytes(make(wide, 3125))
    assert read_image("a", tmp_path).size > 0
    (tmp_path / "a").write_bytes(make(wide, 3126))
    assert refusal("a", tmp_path) == (
        "the image `a` has 16000 x 3126 pixels; at most 50 million can be sent",
        "make it smaller",
    )


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xCF])
def test_every_kind_of_jpeg_is_measured(marker, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(20_000, 20_000, marker))
    assert refusal("a.jpg", tmp_path)[0].startswith("the image `a.jpg` has 20000 x 20000 pixels")


@pytest.mark.parametrize("data", [png()[:12], jpeg()[:9], jpeg()[:-3], gif()[:7], webp_lossy()[:20]])
def test_a_header_without_a_size_is_left_to_the_server(data, tmp_path):
    (tmp_path / "a").write_bytes(data)
    assert read_image("a", tmp_path).size == len(data)


@pytest.mark.parametrize(
    "data", [b"<svg/>", b"%PDF-1.7", b"RIFF\0\0\0\0WAVEfmt ", b"BM\0\0", b"\x89PNG", b"\xff\xd8", b"II*\0"]
)
def test_what_is_no_known_picture_is_refused(data, tmp_path):
    (tmp_path / "a.png").write_bytes(data)
    assert refusal("a.png", tmp_path) == ("the image `a.png` is no picture that a model can be sent", HINT)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    assert refusal("a.png", tmp_path) == ("the image `a.png` is empty", HINT)


def test_a_large_file_is_refused_without_reading_it(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.write(png())
        file.truncate(MAX_BYTES)
    assert read_image("a.png", tmp_path).size == MAX_BYTES
    os.truncate(tmp_path / "a.png", 10 * 1024**3)
    assert refusal("a.png", tmp_path) == (
        "the image `a.png` has 10.0 GB; at most 20.0 MB can be sent",
        "make it smaller",
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("https://example.org/a.png", "https://example.org/a.png"),
        ("HTTP://example.org/a.png", "HTTP://example.org/a.png"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("data:image/png;base64," + "A" * 1000, "data:image/png;base64," + "A" * 38 + "…"),
    ],
)
def test_an_address_is_refused(path, shown, tmp_path):
    assert refusal(path, tmp_path) == (f"the image `{shown}` is an address, and only local files are sent", HINT)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dir.png").mkdir()
    assert refusal("pipe.png", tmp_path)[0] == "the image `pipe.png` is no regular file"
    assert refusal("dir.png", tmp_path)[0] == "the image `dir.png` is a folder"
    assert refusal("/dev/zero", tmp_path)[0] == "the image `/dev/zero` is no regular file"


def test_a_missing_file_is_named(tmp_path):
    assert refusal("no.png", tmp_path)[0] == "the image `no.png` is not there"
    assert refusal("a\0.png", tmp_path)[0] == "the image `a\0.png` cannot be read: embedded null byte"


def test_an_absolute_path_stands_for_itself_and_a_link_for_its_file(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "link").symlink_to(tmp_path / "a.png")
    assert read_image(str(tmp_path / "a.png"), tmp_path / "elsewhere").media_type == "image/png"
    assert read_image("link", tmp_path).media_type == "image/png"
