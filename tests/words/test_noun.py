"""A noun beside the dataclass that it stands for: what one does, the other does."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from runner.words.noun import noun


@noun
class Tea:
    """As we write it."""

    leaf: str
    grams: float = 2.5
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def strong(self) -> bool:
        return self.grams > 3


@noun
class IcedTea(Tea):
    """One that inherits."""

    cubes: int = 4


def twin() -> type:
    """The class that ``dataclasses`` alone makes of the same words."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Tea:
        leaf: str
        grams: float = 2.5
        notes: Mapping[str, Any] = field(default_factory=dict)

    Tea.__qualname__ = "Tea"
    return Tea


def test_has_the_fields_of_its_twin():
    assert is_dataclass(Tea)
    assert [(one.name, one.default) for one in fields(Tea)] == [(one.name, one.default) for one in fields(twin())]
    assert Tea.__slots__ == twin().__slots__


def test_takes_what_is_given_and_its_defaults_for_the_rest():
    tea = Tea(leaf="Assam", grams=4)
    assert (tea.leaf, tea.grams, tea.notes, tea.strong) == ("Assam", 4, {}, True)


def test_makes_a_new_default_each_time():
    assert Tea(leaf="Assam").notes is not Tea(leaf="Assam").notes


def test_an_heir_has_the_fields_of_both():
    assert repr(IcedTea(leaf="Assam")) == "IcedTea(leaf='Assam', grams=2.5, notes={}, cubes=4)"
    assert IcedTea(leaf="Assam") != Tea(leaf="Assam")


def test_prints_as_its_twin():
    assert repr(Tea(leaf="Assam")) == repr(twin()(leaf="Assam")) == "Tea(leaf='Assam', grams=2.5, notes={})"


def test_equals_what_has_the_same_kind_and_values():
    assert Tea(leaf="Assam") == Tea(leaf="Assam", grams=2.5)
    assert Tea(leaf="Assam") != Tea(leaf="Ceylon")
    assert Tea(leaf="Assam") != twin()(leaf="Assam")


def test_hashes_by_its_values():
    assert hash(Tea(leaf="Assam", notes=())) == hash(Tea(leaf="Assam", notes=()))
    assert len({Tea(leaf="Assam", notes=()), Tea(leaf="Assam", notes=()), Tea(leaf="Ceylon", notes=())}) == 2
    with pytest.raises(TypeError, match="unhashable type: 'dict'"):
        hash(Tea(leaf="Assam"))


def test_is_replaced_not_changed():
    tea = Tea(leaf="Assam")
    assert replace(tea, grams=3.0) == Tea(leaf="Assam", grams=3.0)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'grams'"):
        tea.grams = 3.0
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'sugar'"):
        tea.sugar = 1
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'leaf'"):
        del tea.leaf
    assert tea == Tea(leaf="Assam")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Tea was given no `leaf`"),
        ({"leaf": "Assam", "sugar": 1}, "Tea has no field `sugar`"),
        ({"leave": "Assam"}, "Tea has no field `leave`"),
    ],
)
def test_refuses_other_fields(given, said):
    with pytest.raises(TypeError) as refused:
        Tea(**given)
    assert str(refused.value) == said


def test_takes_nothing_by_position():
    with pytest.raises(TypeError):
        Tea("Assam")


@pytest.mark.parametrize("again", [lambda tea: pickle.loads(pickle.dumps(tea)), copy.copy, copy.deepcopy])
def test_comes_out_of_a_pickle_and_a_copy_as_it_was(again):
    tea = IcedTea(leaf="Assam", notes={"from": ["Jorhat"]})
    come = again(tea)
    assert come == tea
    assert come is not tea
    with pytest.raises(FrozenInstanceError):
        come.grams = 3.0
