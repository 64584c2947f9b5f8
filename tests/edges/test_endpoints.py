"""Which servers are asked, and with what token."""

from __future__ import annotations

import pytest

from runner.edges.endpoints import endpoints_from, token_from
from runner.words.errors import UsageError


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://127.0.0.1:1234", "http://127.0.0.1:1234"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:1234", "http://localhost:1234"),
        ("localhost", "http://localhost:1234"),
        ("box.lan", "http://box.lan:1234"),
        ("http://box.lan", "http://box.lan"),
        ("https://models.example.org", "https://models.example.org"),
        ("HTTP://Box.LAN:1234/", "http://box.lan:1234"),
        ("http://box:1234/v1", "http://box:1234"),
        ("http://box:1234/v1/", "http://box:1234"),
        ("http://box:1234/api/v1", "http://box:1234"),
        ("http://box:1234/v1/chat/completions", "http://box:1234"),
        ("https://example.org/lm/v1", "https://example.org/lm"),
        ("https://example.org/lm/", "https://example.org/lm"),
        ("http://[::1]:1234", "http://[::1]:1234"),
        (" 127.0.0.1:1234 ", "http://127.0.0.1:1234"),
    ],
)
def test_an_address_in_its_normal_form(given, endpoint):
    assert endpoints_from([given], {}) == (endpoint,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "--endpoint: `` is not the address of a server"),
        ("http://", "--endpoint: `http://` is not the address of a server"),
        ("ftp://box", "--endpoint: `ftp://box` is not the address of a server"),
        ("two words", "--endpoint: `two words` is not the address of a server"),
        ("http://box:port", "--endpoint: `http://box:port` is not the address of a server"),
        ("http://box/v1?key=1", "--endpoint: `http://box/v1?key=1` is not the address of a server"),
        ("http://me:secret@box", "--endpoint: an address with a user name is not the address of a server"),
        ("box:0", "--endpoint: `0` is not a port; ports go from 1 to 65535"),
        ("box:65536", "--endpoint: `65536` is not a port; ports go from 1 to 65535"),
        ("box:" + "9" * 5000, "--endpoint: `" + "9" * 5000 + "` is not a port; ports go from 1 to 65535"),
    ],
)
def test_nonsense_is_refused(given, message):
    with pytest.raises(UsageError) as caught:
        endpoints_from([given], {})
    assert str(caught.value) == message
    assert caught.value.hint == "write it as http://127.0.0.1:1234 or as 127.0.0.1:1234"


@pytest.mark.parametrize(
    ("given", "environment", "endpoints"),
    [
        ([], {}, ("http://127.0.0.1:1234",)),
        (["a:1", "b:2", "http://a:1/v1"], {"BRIDGE_RUN_ENDPOINT": "c:3"}, ("http://a:1", "http://b:2")),
        ([], {"BRIDGE_RUN_ENDPOINT": "a:1, b:2,", "LMSTUDIO_HOST": "c"}, ("http://a:1", "http://b:2")),
        ([], {"BRIDGE_RUN_ENDPOINT": " ", "LMSTUDIO_HOST": ""}, ("http://127.0.0.1:1234",)),
        ([], {"LMSTUDIO_HOST": "box"}, ("http://box:1234",)),
        ([], {"LMSTUDIO_HOST": "box", "LMSTUDIO_PORT": "99"}, ("http://box:99",)),
        ([], {"LMSTUDIO_HOST": "http://box/lm", "LMSTUDIO_PORT": "99"}, ("http://box:99/lm",)),
        ([], {"LMSTUDIO_HOST": "box:88", "LMSTUDIO_PORT": "99"}, ("http://box:88",)),
        ([], {"LMSTUDIO_PORT": "99"}, ("http://127.0.0.1:99",)),
    ],
)
def test_who_is_asked_first(given, environment, endpoints):
    assert endpoints_from(given, environment) == endpoints


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"BRIDGE_RUN_ENDPOINT": "a:1,!"}, "BRIDGE_RUN_ENDPOINT: `!` is not the address of a server"),
        ({"LMSTUDIO_HOST": "a b"}, "LMSTUDIO_HOST: `a b` is not the address of a server"),
        ({"LMSTUDIO_PORT": "x"}, "LMSTUDIO_PORT: `x` is not a port; ports go from 1 to 65535"),
    ],
)
def test_the_message_names_the_variable(environment, message):
    with pytest.raises(UsageError) as caught:
        endpoints_from([], environment)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({}, None),
        ({"LM_API_TOKEN": " "}, None),
        ({"LM_API_TOKEN": "a\n", "LMSTUDIO_API_TOKEN": "b"}, "a"),
        ({"LMSTUDIO_API_TOKEN": "b"}, "b"),
    ],
)
def test_token(environment, token):
    assert token_from(environment) == token


@pytest.mark.parametrize("token", ["a\nb", "schlüssel", "a\x00b"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token):
    with pytest.raises(UsageError) as caught:
        token_from({"LM_API_TOKEN": token})
    assert str(caught.value) == "LM_API_TOKEN has characters that a token cannot have"
