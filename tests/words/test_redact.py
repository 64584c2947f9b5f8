"""Masking secrets."""

from __future__ import annotations

import json
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
        b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode(),
        b64encode(raw + b"tail").decode(),
    ):
        assert "[secret TOKEN]" in redactor.text(f"Basic {spelling} end"), spelling


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    masked = Redactor({"S": secret}).text(before + secret + after)
    assert "[secret S]" in masked
    assert secret not in masked.replace("[secret S]", "\0")
