"""What only a shell, or GitHub Actions, would understand."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

ALONE = "write it as one text, with `shell: true` beside it"


@pytest.mark.parametrize("word", ["&&", "||", "|", ">", ">>", "2>&1", "$HOME", "${HOME}", "$HOME/src"])
def test_a_word_for_a_shell_that_is_not_started(tmp_path: Path, word: str) -> None:
    assert findings(tmp_path, steps(f"run: [echo, hi, '{word}', x]")) == [
        f"BR247 5:21 the program gets `{word}` letter by letter: no shell reads this command | {ALONE}"
    ]


@pytest.mark.parametrize(
    "keys",
    [
        "run: [sh, -c, 'echo $HOME > x', '>', '$HOME']",
        "run: [test, 1, '>', 0]",
        "run: [cut, -d, '|', -f, '2', table]",
        "run: [awk, -F, '|', '{print $1}', table]",
        "run: [psql, -F, '|', -c, 'select 1']",
        "run: [awk, '{print $1}', 'a|b', '$1', 'costs $5', '-o>x']",
        "run: 'echo hi > x && cat $HOME'\nshell: true",
    ],
)
def test_all_else_is_left_alone(tmp_path: Path, keys: str) -> None:
    assert findings(tmp_path, steps(keys)) == []


def test_a_price_is_a_price(tmp_path: Path) -> None:
    body = "inputs: {price: {type: number}}\n" + steps("task: 'It costs ${{ inputs.price }}. Is that much?'")
    assert findings(tmp_path, body) == []


def test_braces_as_github_has_them(tmp_path: Path) -> None:
    body = "inputs: {b: {type: string}}\n" + steps("run: [echo, 'x/${{ inputs.b }}']", "task: '${{ inputs.b }}'")
    stays = "the `$` before the braces stays in the text | write `{{ … }}` alone"
    assert findings(tmp_path, body) == [f"BR247 6:20 {stays}", f"BR247 8:12 {stays}"]
