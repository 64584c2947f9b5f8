"""GGUF files on this machine: one that was named, or all of LM Studio's models folder, as entries of a catalogue.

LM Studio keeps ``PUBLISHER/REPOSITORY/FILE.gguf`` under ``~/.lmstudio/models``, before 0.3.6 under
``~/.cache/lm-studio/models``, or where ``downloadsFolder`` of its ``settings.json`` says. Its catalogue's own names
(``qwen/qwen3-8b``) stand beside, in ``hub/models/OWNER/NAME/model.yaml``, with the repositories that hold the weights.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from runner.chat.catalogue import ModelEntry
from runner.edges.embedded.gguf import ModelHead, broken, read_head
from runner.words.errors import LLMResponseError, ModelNotFoundError
from runner.words.noun import noun
from runner.words.suggest import nearest

_HOMES: Final = (".lmstudio", ".cache/lm-studio")
_DEPTH: Final = 4
"""Folders below the models folder that are looked into."""
_PART: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_REPOSITORY_END: Final = re.compile(r"[-_.]gguf$", re.IGNORECASE)
_HUB_SOURCE: Final = re.compile(r"^\s*(?:-\s+)?(user|repo):\s*[\"']?([^\s\"'#]+)", re.MULTILINE)
_HUB_FILE: Final = 256 * 1024
_EMBEDDING_FAMILIES: Final = ("bert", "t5encoder", "gemma-embedding")


@noun
class ModelFile:
    """A model on disk: its first or only ``path``, what its head says, and how it is listed."""

    path: Path
    head: ModelHead
    entry: ModelEntry


@noun
class Shelf:
    """The models that were found, in the order of their keys, and why others are not among them."""

    files: tuple[ModelFile, ...]
    notes: tuple[str, ...] = ()


@noun
class _Found:
    """A file with its head; ``parts`` are all its pieces, ``place`` is its path within the models folder."""

    path: Path
    parts: tuple[Path, ...]
    head: ModelHead
    place: str


def models_folder(home: Path) -> Path:
    """LM Studio's models folder for the user whose home it is; the default one if there is none."""
    for name in _HOMES:
        try:
            said = json.loads((home / name / "settings.json").read_text(encoding="utf-8")).get("downloadsFolder")
        except (OSError, ValueError, AttributeError):
            said = None
        folder = Path(said) if isinstance(said, str) and said else home / name / "models"
        if folder.is_dir():
            return folder
    return home / _HOMES[0] / "models"


def find_model(name: str, folder: Path, *, home: Path) -> ModelFile:
    """The one model that ``name`` means: a file, or a key, variant or path within the models folder.

    Raises:
        LLMResponseError: the file is no model, or not whole (kind ``request``).
        ModelNotFoundError: there is neither such a file nor such a key.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return _named_file(path, name)
    shelf = all_models(folder, home=home)
    wanted = name.casefold()
    for file in shelf.files:
        if wanted in (one.casefold() for one in file.entry.names):
            return file
    raise _unknown(name, folder, shelf)


def all_models(folder: Path, *, home: Path) -> Shelf:
    """All models of a folder that is laid out as LM Studio's; broken files are told of in the notes."""
    found: list[_Found] = []
    notes: list[str] = []
    for path in sorted(_walk(folder, _DEPTH)):
        try:
            one = _read(path, path.relative_to(folder).as_posix())
        except LLMResponseError as error:
            notes.append(f"left out: {error.message}")
        else:
            if one is not None:
                found.append(one)
    hub = _hub_names(home)
    shared = Counter(_repository_key(one.place) for one in found)
    files = (_listed(one, hub, alone=shared[_repository_key(one.place)] == 1) for one in found)
    return Shelf(files=tuple(sorted(files, key=lambda file: file.entry.key)), notes=tuple(notes))


def _unknown(name: str, folder: Path, shelf: Shelf) -> ModelNotFoundError:
    """The error for a name that means nothing, with all that could help to find what was meant."""
    searched = f"no model of that name in {folder}" if folder.is_dir() else f"no models folder {folder}"
    notes = "".join(f"; {note}" for note in shelf.notes)
    names = tuple(each for file in shelf.files for each in file.entry.names)
    near = nearest(name, names, 1) or _beside(name)
    hint = f"did you mean `{near[0]}`?" if near else "name a GGUF file, as `embedded:FILE.gguf`"
    message = f"there is no model file `{name}`, and {searched}{notes}"
    return ModelNotFoundError(name, names, message=message, hint=hint)


def _beside(name: str) -> tuple[str, ...]:
    """The model file most like it in the folder in which it was looked for, as it would be named; empty if none is."""
    path = Path(name)
    files = {file.stem: file.name for file in _walk(path.expanduser().parent, 0)}
    return tuple(str(path.parent / files[stem]) for stem in nearest(path.name.removesuffix(".gguf"), files, 1))


def _named_file(path: Path, name: str) -> ModelFile:
    """A file that somebody named is listed under its own name, wherever it lies."""
    match = _PART.fullmatch(path.name)
    first = path if match is None else path.with_name(f"{match['stem']}-00001-of-{match['count']}.gguf")
    one = _read(first, first.name)
    if one is None:
        raise broken(path, "holds no model that talks, but a part that goes with one")
    stem = _stem(first)
    variants = (stem, path.name, name, str(path.absolute()))
    return ModelFile(path=first, head=one.head, entry=_entry(one, stem.casefold(), variants))


def _read(path: Path, place: str) -> _Found | None:
    """The model of a file; None for what goes with a model: a projector for images, an adapter, a later piece."""
    match = _PART.fullmatch(path.name)
    if "mmproj" in path.name.casefold() or (match is not None and int(match["number"]) != 1):
        return None
    parts = (path,) if match is None else _parts(path, match)
    head = read_head(path)
    if head.kind not in ("model", "") or head.architecture == "clip":
        return None
    return _Found(path=path, parts=parts, head=head, place=place)


def _parts(first: Path, match: re.Match[str]) -> tuple[Path, ...]:
    count = int(match["count"])
    parts = tuple(first.with_name(f"{match['stem']}-{n:05}-of-{count:05}.gguf") for n in range(1, count + 1))
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise broken(first, f"is one of {count} pieces, of which {len(missing)} are missing, the first {missing[0]}")
    return parts


def _listed(one: _Found, hub: Mapping[str, Sequence[str]], *, alone: bool) -> ModelFile:
    """The key is that of the repository; files that share one are told apart by their quantisation."""
    repository = _repository_key(one.place)
    stem = _stem(one.path)
    tag = (one.head.quantization or stem).casefold()
    names = [repository, *hub.get(one.place.rpartition("/")[0].casefold(), ())]
    tagged = [f"{name}@{tag}" for name in names]
    if alone:
        tagged = [*names[1:], *tagged]
    key = repository if alone else f"{repository}@{tag}"
    return ModelFile(path=one.path, head=one.head, entry=_entry(one, key, (*tagged, one.place, stem)))


def _entry(one: _Found, key: str, names: Sequence[str]) -> ModelEntry:
    head, publisher = one.head, one.place.split("/")[0] if one.place.count("/") > 1 else None
    embeds = head.pooling not in (None, 0) or any(word in head.architecture for word in _EMBEDDING_FAMILIES)
    return ModelEntry(
        key=key,
        type="embedding" if embeds else "llm",
        publisher=publisher,
        architecture=head.architecture,
        quantization=head.quantization,
        format="gguf",
        size_bytes=sum(part.stat().st_size for part in one.parts),
        parameters=head.size_label,
        max_context_length=head.context_length,
        vision=False,
        tool_use=_knows_tools(head.chat_template),
        reasoning_options=("off", "on") if "enable_thinking" in head.chat_template else (),
        variants=tuple(dict.fromkeys(name for name in names if name != key)),
        loaded=False,
    )


def _knows_tools(template: str) -> bool:
    """Whether the template writes the tools down; one that does not leaves them out without a word."""
    return re.search(r"\btools?\b", template) is not None


def _repository_key(place: str) -> str:
    """``lmstudio-community/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf`` is listed as ``lmstudio-community/qwen3-8b``."""
    folders = place.split("/")[:-1][:2]
    if not folders:
        return place.rpartition(".")[0].casefold()
    return _REPOSITORY_END.sub("", "/".join(folders)).casefold()


def _stem(path: Path) -> str:
    match = _PART.fullmatch(path.name)
    return match["stem"] if match else path.name[: -len(".gguf")] if path.suffix.casefold() == ".gguf" else path.name


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """GGUF files in and below a folder; what may not be read is passed by."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if depth:
                        yield from _walk(Path(entry.path), depth - 1)
                elif entry.name.casefold().endswith(".gguf"):
                    yield Path(entry.path)
    except OSError:
        return


def _hub_names(home: Path) -> Mapping[str, Sequence[str]]:
    """By ``user/repository`` in lower case, the names under which LM Studio's catalogue offers it."""
    names: dict[str, list[str]] = {}
    for base in _HOMES:
        for path in sorted((home / base / "hub/models").glob("*/*/model.yaml")):
            try:
                text = path.read_bytes()[:_HUB_FILE].decode("utf-8", "replace")
            except OSError:
                continue
            user = ""
            for what, value in _HUB_SOURCE.findall(text):
                if what == "user":
                    user = value
                else:
                    names.setdefault(f"{user}/{value}".casefold(), []).append("/".join(path.parts[-3:-1]).casefold())
    return {place: tuple(dict.fromkeys(found)) for place, found in names.items()}
