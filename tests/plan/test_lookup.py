"""A model's name against what the servers have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.chat.catalogue import Catalogue, Instance, ModelEntry
from runner.plan.lookup import Places, look_up, similar_names, the_loaded

Make = Callable[..., Catalogue]
QWEN = ModelEntry(
    key="qwen/Qwen3-8B",
    type="llm",
    quantization="Q4_K_M",
    variants=("qwen/qwen3-8b@q4_k_m", "qwen/qwen3-8b@q8_0"),
    instances=(Instance(id="qwen/Qwen3-8B"), Instance(id="qwen/Qwen3-8B:2"), Instance(id="my-qwen")),
    loaded=True,
)
LLAMA = ModelEntry(key="llama-3.1-8b", type="llm", quantization="Q8_0", loaded=False)
EMBED = ModelEntry(key="nomic-embed", type="embedding", loaded=True)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("qwen/qwen3-8b", "qwen/Qwen3-8B"),
        ("QWEN/QWEN3-8B@Q8_0", "qwen/qwen3-8b@q8_0"),
        ("qwen/Qwen3-8B:2", "qwen/Qwen3-8B:2"),
        ("my-qwen", "my-qwen"),
        ("llama-3.1-8b@q8_0", "llama-3.1-8b"),
        ("My-Qwen", None),
        ("qwen/Qwen3-8B:3", None),
        ("qwen/qwen3-8b@q2_k", None),
        ("llama-3.1-8b@q4_0", None),
        ("qwen3-8b", None),
        ("", None),
    ],
)
def test_the_forms_of_a_name(name: str, sent: str | None, catalogue: Make) -> None:
    found = look_up(name, catalogue([QWEN, LLAMA]))
    assert (found.model if found else None) == sent


def test_a_loaded_model_goes_before_one_that_is_not_and_then_the_order_of_the_servers(catalogue: Make) -> None:
    here = ModelEntry(key="m", type="llm", loaded=False)
    there = ModelEntry(key="M", type="llm", loaded=True)
    for servers, endpoint in (([here], [there]), "http://two"), (([there], [there]), "http://one"):
        found = look_up("m", catalogue(*servers))
        assert found is not None
        assert found.endpoint == endpoint


def placed_one_after_the_other(names: str, servers: Catalogue) -> list[str]:
    places = Places()
    where = []
    for name in names:
        found = look_up(name, servers, places)
        assert found is not None
        places.add(found.endpoint, found.entry, found.model, loads=True)
        where.append(found.endpoint.removeprefix("http://"))
    return where


def test_models_that_several_servers_could_load_are_spread_and_stay_where_they_are(catalogue: Make) -> None:
    a, b, c, d = (ModelEntry(key=name, type="llm", loaded=False) for name in "abcd")
    both = catalogue([a, b, c, d], [a, b, c, d])
    assert placed_one_after_the_other("abab", both) == ["one", "two", "one", "two"]
    assert placed_one_after_the_other("abcdA", both) == ["one", "two", "one", "two", "one"]
    assert placed_one_after_the_other("abc", catalogue([a, b, c], [a, c])) == ["one", "one", "two"]


def test_a_loaded_model_does_not_count_as_one_to_be_loaded(catalogue: Make) -> None:
    a = ModelEntry(key="a", type="llm", loaded=True)
    b = ModelEntry(key="b", type="llm", loaded=False)
    assert placed_one_after_the_other("ab", catalogue([a, b], [b])) == ["one", "one"]


def test_the_loaded_models_are_those_that_talk_each_once(catalogue: Make) -> None:
    loaded = the_loaded(catalogue([QWEN, LLAMA, EMBED], [QWEN]))
    assert [(one.endpoint, one.model) for one in loaded] == [("http://one", "qwen/Qwen3-8B")]


def test_a_server_that_does_not_say_what_is_loaded_counts_if_it_has_one_model(catalogue: Make) -> None:
    silent = ModelEntry(key="gguf", type="unknown")
    other = ModelEntry(key="more", type="unknown")
    assert [one.model for one in the_loaded(catalogue([silent]))] == ["gguf"]
    assert the_loaded(catalogue([silent, other])) == ()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("qwen3-8b", "qwen/Qwen3-8B"),
        ("qwen/qwen3-8b@q2_k", "qwen/Qwen3-8B"),
        ("llama-3.1-8", "llama-3.1-8b"),
        ("zzz", None),
    ],
)
def test_near_names_are_offered_best_first(name: str, near: str | None, catalogue: Make) -> None:
    names = similar_names(name, catalogue([QWEN, LLAMA]))
    assert (names[0] if names else None) == near
    assert len(names) <= 3
