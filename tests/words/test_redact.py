"""Masking secrets."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.words.redact import Redactor


def test_nothing_to_mask_costs_nothing() -> None:
    value = {"a": ["x"]}
    redactor = Redactor({"SHORT": "abc", "EMPTY": ""})
    assert redactor.empty
    assert redactor.value(value) is value
    assert redactor.text("abc") == "abc"


def test_values_are_masked_everywhere() -> None:
    redactor = Redactor({"TOKEN": "hunter2!"})
    assert not redactor.empty
    assert redactor.text("a hunter2! b") == "a [secret TOKEN] b"
    assert redactor.value({"hunter2!": ["x hunter2!", 1, None, ("hunter2!",)]}) == {
        "[secret TOKEN]": ["x [secret TOKEN]", 1, None, ["[secret TOKEN]"]]
    }


def test_the_longest_wins() -> None:
    redactor = Redactor({"SHORT": "secret", "LONG": "secret-and-more"})
    assert redactor.text("secret-and-more secret") == "[secret LONG] [secret SHORT]"


@pytest.mark.parametrize("secret", ["hunter2!pass", 'q"uo\\te\n12', "ümlaut/ß+ &=?", 'ü"quote d/x'])
@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
def test_encoded_forms(secret: str, before: str) -> None:
    redactor = Redactor({"TOKEN": secret})
    raw = (before + secret).encode()
    for spelling in (
        before + secret,
        json.dumps(before + secret),
        json.dumps(before + secret, ensure_ascii=False),
        quote(before + secret, safe=""),
        quote(before + secret),
        quote_plus(before + secret),
        quote(before + secret, safe="!'()*"),  # JavaScript's encodeURIComponent
        quote(before + secret, safe="!'()*;,/?:@&=+$#"),  # and encodeURI
        re.sub("%..", lambda escape: escape[0].lower(), quote(before + secret, safe="")),
        b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode(),
        b64encode(raw + b"tail").decode(),
    ):
        assert "[secret TOKEN]" in redactor.text(f"Basic {spelling} end"), spelling


@pytest.mark.parametrize(
    "before", ["", "u", "us", "a line that is long enough to push the secret over the end of it: "]
)
@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_base64_is_masked_over_the_ends_of_lines(before: str, width: int, end: str) -> None:
    redactor = Redactor({"TOKEN": "github_pat_" + "0aZ9" * 20})
    encoded = b64encode((before + "github_pat_" + "0aZ9" * 20 + "tail").encode()).decode()
    text = end.join(encoded[at : at + width] for at in range(0, len(encoded), width))
    for shown in (text, json.dumps(text)):
        masked = redactor.text(shown)
        assert "[secret TOKEN]" in masked
        assert encoded[len(before) * 4 // 3 + 4 :][:12] not in masked
        assert "".join(redactor.pieces([shown[:70], shown[70:90], shown[90:]])) == masked


def test_a_secret_of_several_lines_is_masked_as_it_is_and_encoded() -> None:
    key = "-----BEGIN KEY-----\nabcd\n-----END KEY-----\n"
    redactor = Redactor({"KEY": key})
    assert redactor.text(f"a {key}b") == "a [secret KEY]b"
    assert redactor.text(b64encode(key.encode()).decode()).startswith("[secret KEY]")


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    masked = Redactor({"S": secret}).text(before + secret + after)
    assert "[secret S]" in masked
    assert secret not in masked.replace("[secret S]", "\0")


# Pieces of one text


@given(st.lists(st.sampled_from(["", "a", "ab", "s3c", "r3t", "s3cr3t", "r3ts", "3", " x "]), max_size=12))
def test_no_boundary_between_pieces_hides_a_secret(pieces):
    redactor = Redactor({"KEY": "s3cr3t"})
    masked = redactor.pieces(pieces)
    assert "".join(masked) == redactor.text("".join(pieces))


def test_boundaries_outside_of_secrets_stay():
    redactor = Redactor({"KEY": "s3cr3t"})
    assert redactor.pieces(["a", "b s3", "cr", "3t c", "d"]) == ("a", "b [secret KEY] c", "d")
    assert redactor.pieces(["s3cr3t", "s3cr3t"]) == ("[secret KEY]", "[secret KEY]")
    assert redactor.pieces(["a", "", "b"]) == ("a", "", "b")
    assert Redactor({}).pieces(["a"]) == ("a",)


def test_other_texts_are_replaced_beside_secrets():
    redactor = Redactor({"KEY": "s3cr3t"}, {"/home/me": "[folder]", "": "nothing"})
    assert redactor.text("/home/me/s3cr3t") == "[folder]/[secret KEY]"


def test_a_number_that_is_a_secret():
    assert Redactor({"PIN": "48151623"}).value({"a": [48151623, 4, True, 2.5]}) == {"a": ["[secret PIN]", 4, True, 2.5]}
