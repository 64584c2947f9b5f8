"""Pictures in a step: what goes over the wire, and what is refused, before the run where it can be known."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest
from kit.leftover import events
from kit.project import Project
from kit.stage import CHAT, CODER, HEAD, Served, Stage, model
from syrupy.assertion import SnapshotAssertion

SEEING = "qwen/qwen2.5-vl-7b"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"


def png(padding: int = 0) -> bytes:
    """One red dot; ``padding`` bytes of text make the file larger."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    text = chunk(b"tEXt", b"x" * padding) if padding else b""
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")) + text + chunk(b"IEND", b"")


def look(images: str, *, by: str = SEEING, head: str = "") -> str:
    return f"{HEAD}{head}steps:\n  - id: look\n    model: {by}\n    images: {images}\n    task: What is there?\n"


@pytest.fixture
def server(stage: Stage) -> Served:
    """One model that sees and one that does not."""
    return stage.serve({SEEING: model("A red dot.", loaded={"context_length": 16384}, vision=True), CODER: model()})


def sent(server: Served) -> list[dict[str, Any]]:
    """The parts of the one message of the last request."""
    [message] = server.requests(CHAT)[-1]["messages"]
    parts: list[dict[str, Any]] = message["content"]
    return parts


def test_four_kinds_arrive_byte_for_byte_in_their_order(project: Project, server: Served) -> None:
    files = {"a.png": png(), "b.jpeg": JPEG, "c.webp": WEBP, "d.gif": GIF}
    for name, data in files.items():
        project.write(name, data)
    project.write("look.yaml", look("[a.png, b.jpeg, c.webp, d.gif]"))
    ended = project.run("look.yaml")
    assert (ended.code, ended.out) == (0, "A red dot.\n")
    text, *pictures = sent(server)
    assert text == {"type": "text", "text": "What is there?"}
    urls = [picture["image_url"]["url"].partition(";base64,") for picture in pictures]
    assert [kind for kind, _, _ in urls] == ["data:image/png", "data:image/jpeg", "data:image/webp", "data:image/gif"]
    assert [base64.b64decode(data) for _, _, data in urls] == list(files.values())


def test_what_a_file_is_its_bytes_say(project: Project, server: Served) -> None:
    project.write("photo.png", JPEG)
    project.write("look.yaml", look("[photo.png]"))
    assert project.run("look.yaml").code == 0
    assert sent(server)[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_the_journal_names_the_picture_and_does_not_hold_it(project: Project, server: Served) -> None:
    project.write("big.png", png(1024 * 1024))
    project.write("look.yaml", look("[big.png]"))
    assert project.run("look.yaml").code == 0
    [asked] = events(project, "model_asked")
    [message] = asked["messages"]
    assert message["images"][0]["path"] == "big.png"
    assert (project.runs()[-1] / "journal.jsonl").stat().st_size < 20_000


def test_a_path_of_a_template_and_one_of_another_step(project: Project, server: Served) -> None:
    project.write("pictures/E.PNG", png())
    head = "inputs: {picture: {type: string, default: pictures/E.PNG}}\n"
    pictures = "['{{ inputs.picture }}', copy.png]"
    steps = (
        "  - {id: make, run: [cp, '{{ inputs.picture }}', copy.png]}\n"
        f"  - {{id: look, needs: [make], model: {SEEING}, task: Look., images: {pictures}}}\n"
    )
    project.write("look.yaml", f"{HEAD}{head}steps:\n{steps}")
    assert project.run("look.yaml").code == 0
    assert len(sent(server)) == 3


def test_a_model_that_cannot_see(project: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    project.write("a.png", png())
    project.write("look.yaml", look("[a.png]", by=CODER))
    ended = project.run("look.yaml")
    assert str(ended) == snapshot
    assert (ended.code, project.runs(), server.requests(CHAT)) == (4, [], [])
    assert project.run("check", "look.yaml").err == ended.err


def test_a_fallback_that_cannot_see(project: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    project.write("a.png", png())
    project.write("look.yaml", look("[a.png]", by=f"[{SEEING}, {CODER}]"))
    assert str(project.run("check", "look.yaml")) == snapshot


@pytest.mark.parametrize("address", ["https://example.org/a.png", "data:image/png;base64,iVBORw0KGgo="])
def test_an_address_is_found_before_the_run(
    project: Project, server: Served, snapshot: SnapshotAssertion, address: str
) -> None:
    project.write("look.yaml", look(f'["{address}"]'))
    ended = project.run("look.yaml")
    assert str(ended) == snapshot
    assert (ended.code, project.runs()) == (3, [])


def test_an_address_that_an_input_brings(project: Project, server: Served, snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", look('["{{ inputs.p }}"]', head="inputs: {p: {type: string}}\n"))
    assert str(project.run("look.yaml", "-i", "p=https://example.org/a.png")) == snapshot
    assert server.requests(CHAT) == []


@pytest.mark.parametrize("name", ["missing.png", "text.png", "empty.png", "folder", "large.png"])
def test_what_is_no_picture(project: Project, server: Served, snapshot: SnapshotAssertion, name: str) -> None:
    project.write("text.png", "hello")
    project.write("empty.png", b"")
    project.write("folder/a.png", png())
    project.write("large.png", png(30 * 1024 * 1024))
    project.write("look.yaml", look(f"[{name}]"))
    assert str(project.run("look.yaml")) == snapshot
    assert server.requests(CHAT) == []
