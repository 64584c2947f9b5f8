"""Model files are read by their head alone, and never trusted."""

from __future__ import annotations

import struct

import pytest
from kit.tiny_gguf import TEMPLATE, write_model

from runner.edges.embedded.gguf import ModelHead, read_head
from runner.words.errors import LLMResponseError


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def words(count, *values):
    return struct.pack("<IQ", 8, count) + b"".join(text(value) for value in values)


ARCHITECTURE = key("general.architecture", 8, text("llama"))


def file_of(path, *keys, version=3, count=None):
    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(keys) if count is None else count)
    path.write_bytes(head + b"".join(keys))
    return path


def complaint(path):
    with pytest.raises(LLMResponseError) as caught:
        read_head(path)
    assert (caught.value.kind, caught.value.retryable) == ("request", False)
    return caught.value.message.removeprefix(f"the model file {path} ")


def test_a_real_file_says_all_that_it_knows(tmp_path):
    path = write_model(tmp_path / "a.gguf", quantization=15)
    assert read_head(path) == ModelHead(
        architecture="llama",
        name="tiny-noise",
        quantization="Q4_K_M",
        context_length=8192,
        chat_template=TEMPLATE.strip(),
        cache_bytes=2 * 2 * 64 * 2,  # two layers, keys and values, 64 wide, two bytes
    )


def test_what_stands_behind_a_long_vocabulary_is_found(tmp_path):
    path = file_of(
        tmp_path / "a.gguf",
        key("tokenizer.ggml.tokens", 9, words(70_000, *(f"word {n}" for n in range(70_000)))),
        key("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 5000) + bytes(4 * 5000)),
        ARCHITECTURE,
        key("llama.context_length", 4, struct.pack("<I", 4096)),
    )
    assert read_head(path) == ModelHead(architecture="llama", context_length=4096)


def test_a_text_longer_than_a_piece_of_reading_is_passed_over(tmp_path):
    long = key("a.list", 9, words(2, "x" * 3_000_000, "y"))
    assert read_head(file_of(tmp_path / "a.gguf", long, ARCHITECTURE)).architecture == "llama"


def test_the_cache_of_each_layer_counts_by_its_own_heads(tmp_path):
    path = file_of(
        tmp_path / "a.gguf",
        ARCHITECTURE,
        key("llama.block_count", 4, struct.pack("<I", 3)),
        key("llama.embedding_length", 4, struct.pack("<I", 512)),
        key("llama.attention.head_count", 4, struct.pack("<I", 8)),
        key("llama.attention.head_count_kv", 9, struct.pack("<IQiii", 5, 3, 8, 0, 2)),
        key("llama.attention.key_length", 4, struct.pack("<I", 100)),
    )
    assert read_head(path).cache_bytes == 2 * (8 + 0 + 2) * (100 + 64)


@pytest.mark.parametrize("name", ["attention.sliding_window", "attention.kv_lora_rank", "ssm.state_size"])
def test_a_cache_that_is_smaller_than_it_looks_is_not_guessed(tmp_path, name):
    numbers = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4}
    keys = [key(f"llama.{one}", 4, struct.pack("<I", value)) for one, value in numbers.items()]
    assert read_head(file_of(tmp_path / "a.gguf", ARCHITECTURE, *keys)).cache_bytes == 2 * 2 * 4 * 32
    keys.append(key(f"llama.{name}", 4, struct.pack("<I", 512)))
    assert read_head(file_of(tmp_path / "b.gguf", ARCHITECTURE, *keys)).cache_bytes is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends in the middle of its head"),
        (b"hello", "is no GGUF file"),
        (b"GGUF", "ends in the middle of its head"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "is GGUF of version 1; 2 and 3 are understood"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is written for big-endian machines"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "claims to have 1152921504606846976 keys"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "does not say of which architecture its model is"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, content, why):
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    assert complaint(path) == why


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (struct.pack("<Q", 2**62), "has a text of 4611686018427387904 bytes where at most 65536 make sense"),
        (
            text("a") + struct.pack("<IQ", 8, 2**40),
            "has a text of 1099511627776 bytes where at most 4194304 make sense",
        ),
        (text("a") + struct.pack("<I", 77), "has a value of the unknown type 77"),
        (text("a") + struct.pack("<IIQ", 9, 9, 1), "has a list of values of the type 9"),
        (text("a") + struct.pack("<IIQ", 9, 10, 2**61), "has a head of more than 512 MB"),
        (text("a") + struct.pack("<IIQ", 9, 8, 2**61), "ends in the middle of its head"),
        (text("a") + struct.pack("<IIQQ", 9, 8, 2, 2**63), "has a head of more than 512 MB"),
        (text("a") + struct.pack("<IIQ", 9, 4, 100), "ends in the middle of its head"),
    ],
)
def test_claims_that_cannot_be_true_are_bounded(tmp_path, entry, why):
    assert complaint(file_of(tmp_path / "a.gguf", ARCHITECTURE, entry, count=2)) == why


def test_every_beginning_of_a_good_file_is_told_to_be_cut(tmp_path):
    whole = file_of(tmp_path / "a.gguf", ARCHITECTURE, key("b", 9, words(2, "x", "y")), key("c", 7, b"\1"))
    content = whole.read_bytes()
    for size in range(len(content)):
        whole.write_bytes(content[:size])
        assert complaint(whole) == "ends in the middle of its head"


def test_a_folder_and_a_missing_file_cannot_be_read(tmp_path):
    assert complaint(tmp_path) == "cannot be read: Is a directory"
    assert complaint(tmp_path / "no.gguf") == "cannot be read: No such file or directory"
