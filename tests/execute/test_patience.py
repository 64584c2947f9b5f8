"""Time limits that are learned, and never tighter than the floors."""

from __future__ import annotations

import pytest

from runner.execute.patience import LEAST_FIRST, LEAST_IDLE, SAMPLES, Limits, Patience


def taught(*, first=10.0, gap=5.0, prompt=1000, times=SAMPLES):
    patience = Patience()
    for _ in range(times):
        patience.answered(first=first, gap=gap, prompt_tokens=prompt)
    return patience


def test_nothing_is_concluded_from_too_few_answers():
    assert taught(times=SAMPLES - 1).limits(1000) == Limits(first=None, idle=None)


def test_twenty_times_what_it_takes():
    assert taught().limits(1000) == Limits(first=200.0, idle=100.0)


def test_never_below_the_floors():
    assert taught(first=0.01, gap=0.001).limits(10) == Limits(first=LEAST_FIRST, idle=LEAST_IDLE)
    assert (LEAST_FIRST, LEAST_IDLE) == (120.0, 30.0)


@pytest.mark.parametrize(("prompt", "first"), [(500, 200.0), (1000, 200.0), (4000, 800.0)])
def test_a_longer_prompt_may_take_longer_and_a_shorter_one_not_less(prompt, first):
    assert taught().limits(prompt).first == first


def test_a_few_slow_answers_are_no_measure():
    patience = taught(times=97)
    for _ in range(3):
        patience.answered(first=1000.0, gap=900.0, prompt_tokens=1000)
    assert patience.limits(1000) == Limits(first=200.0, idle=100.0)


def test_one_in_ten_is():
    patience = taught(times=90)
    for _ in range(10):
        patience.answered(first=100.0, gap=50.0, prompt_tokens=1000)
    assert patience.limits(1000) == Limits(first=2000.0, idle=1000.0)


def test_a_limit_that_struck_is_doubled():
    patience = taught()
    patience.timed_out()
    assert patience.limits(1000) == Limits(first=400.0, idle=200.0)


def test_old_answers_are_forgotten():
    patience = taught(first=100.0, times=200)
    for _ in range(200):
        patience.answered(first=10.0, gap=5.0, prompt_tokens=1000)
    assert patience.limits(1000).first == 200.0


def test_servers_that_count_no_tokens():
    assert taught(prompt=0).limits(0) == Limits(first=200.0, idle=100.0)
