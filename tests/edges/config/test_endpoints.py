"""Which servers are asked, and with what token."""

from __future__ import annotations

import pytest
from kit.finding_text import shown

from runner.chat.endpoint import Embedded, Endpoint
from runner.edges.config.configuration import Configuration, ConfiguredEndpoint
from runner.edges.config.endpoints import endpoints_from, token_from, tokens_of, unset_tokens
from runner.words.errors import UsageError
from runner.words.spans import Span


def configured(name, url, token_env=None, **settings):
    endpoint = Endpoint(url=url, name=name, origin="bridge.toml", **settings)
    place = {"file": "bridge.toml", "token_span": Span(3, 1, 3, 10)}
    return ConfiguredEndpoint(endpoint=endpoint, name=name, token_env=token_env, **place)


DESK = configured("desk", "http://desk:1234", "DESK_TOKEN", max_loaded=2)
TINY = configured("tiny", "embedded:tiny", embedded=Embedded(model="/m/tiny.gguf"))
CONFIG = Configuration(endpoints=(DESK, TINY))


def urls(given, environment, config=CONFIG):
    return tuple(endpoint.url for endpoint in endpoints_from(given, environment, config))


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
    assert endpoints_from([given], {}) == (Endpoint(url=endpoint),)


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
    assert urls(given, environment, Configuration()) == endpoints


@pytest.mark.parametrize(
    ("given", "environment", "endpoints"),
    [
        ([], {}, ("http://desk:1234", "embedded:tiny")),
        ([], {"LMSTUDIO_PORT": "99"}, ("http://127.0.0.1:99",)),
        ([], {"BRIDGE_RUN_ENDPOINT": "tiny", "LMSTUDIO_PORT": "99"}, ("embedded:tiny",)),
        (["tiny", "other.lan", "desk"], {}, ("embedded:tiny", "http://other.lan:1234", "http://desk:1234")),
        (["desk", "http://desk:1234/v1"], {}, ("http://desk:1234",)),
        (["embedded"], {}, ("embedded",)),
        (["embedded:qwen/qwen3-8b", "embedded:a.gguf"], {}, ("embedded:qwen/qwen3-8b", "embedded:a.gguf")),
        (["embedded:8080"], {}, ("http://embedded:8080",)),
    ],
)
def test_who_is_asked_first_when_servers_are_configured(given, environment, endpoints):
    assert urls(given, environment) == endpoints


def test_an_address_that_is_configured_is_used_as_configured():
    (by_address,) = endpoints_from(["desk:1234"], {"DESK_TOKEN": "t"}, CONFIG)
    assert by_address == Endpoint(url="http://desk:1234", name="desk", origin="bridge.toml", max_loaded=2, token="t")


def test_a_server_of_our_own():
    (own,) = endpoints_from(["embedded:m.gguf"], {"LM_API_TOKEN": "t"})
    assert own == Endpoint(url="embedded:m.gguf", origin="--endpoint", embedded=Embedded(model="m.gguf"))


def test_a_word_that_is_nearly_a_name_must_say_what_it_is():
    with pytest.raises(UsageError) as caught:
        endpoints_from(["desks"], {}, CONFIG)
    assert str(caught.value) == "--endpoint: no endpoint `desks` is configured"
    assert caught.value.hint == "did you mean `desk`? The host is written `desks:1234`"
    assert urls(["workstation"], {}) == ("http://workstation:1234",)


def test_where_each_place_is_said_to_come_from():
    origins = {
        "--endpoint": (["a"], {}),
        "BRIDGE_RUN_ENDPOINT": ([], {"BRIDGE_RUN_ENDPOINT": "a"}),
        "LMSTUDIO_HOST": ([], {"LMSTUDIO_HOST": "a"}),
        "LMSTUDIO_PORT": ([], {"LMSTUDIO_PORT": "9"}),
        "the default": ([], {}),
    }
    for origin, (given, environment) in origins.items():
        assert endpoints_from(given, environment)[0].origin == origin


def test_each_server_gets_its_own_token_and_no_other():
    environment = {"LM_API_TOKEN": "common", "DESK_TOKEN": " own "}
    given = ["desk", "elsewhere:1", "tiny"]
    assert [one.token for one in endpoints_from(given, environment, CONFIG)] == ["own", "common", None]
    assert [one.token for one in endpoints_from(given, {"LM_API_TOKEN": "common"}, CONFIG)] == [None, "common", None]


def test_a_token_that_is_not_set_is_said():
    endpoints = endpoints_from(["desk", "elsewhere:1"], {}, CONFIG)
    assert shown(unset_tokens(endpoints, {}, CONFIG)) == (
        "BR506 3:1-3:10 warning: the token of the endpoint `desk` is to stand in DESK_TOKEN, which is not set\n"
        "  help: set DESK_TOKEN; until then the server is asked without a token"
    )
    assert list(unset_tokens(endpoints, {"DESK_TOKEN": "t"}, CONFIG)) == []
    assert list(unset_tokens(endpoints_from(["tiny"], {}, CONFIG), {}, CONFIG)) == []


def test_every_token_is_to_be_masked_used_or_not():
    environment = {"LM_API_TOKEN": "a", "LMSTUDIO_API_TOKEN": "b", "DESK_TOKEN": "c", "OTHER": "d"}
    assert tokens_of(environment, CONFIG) == {"LM_API_TOKEN": "a", "LMSTUDIO_API_TOKEN": "b", "DESK_TOKEN": "c"}
    assert tokens_of({"LM_API_TOKEN": " "}) == {}


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
