"""Our words for what Jinja's parser complains about. Imported late, with Jinja.

A wording is a message, or ``message; hint``: what to do about it, where that is plain.
"""

from __future__ import annotations

import re

_NOTHING = "there is nothing between `{{` and `}}`"

# Messages of jinja2/parser.py and jinja2/lexer.py, 3.1. The first that fits is taken.
_WORDINGS = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"unexpected end of template, expected 'end of print", "a `{{` is never closed; write `}}` behind it"),
        (r"unexpected end of template, expected 'end of statement", "a `{%` is never closed; write `%}` behind it"),
        (r"unexpected end of template, expected 'name'", "a name is missing at its end"),
        (r"unexpected end of template, expected '([\])}])'", r"a `\1` is missing at its end"),
        (r"unexpected end of template, expected", "a bracket is never closed"),
        (r"unexpected end of template.*needs to be closed is '(\w+)'",
         r"`{% \1 %}` is never closed; write `{% end\1 %}` behind it"),
        (r"unexpected 'end of template'", "it ends before it is complete"),
        (r"unknown tag '(\w+)'.*needs to be closed is '(\w+)'",
         r"`{% \1 %}` stands inside `{% \2 %}`; write `{% end\2 %}` before it"),
        (r"unknown tag '(end\w+)'", r"there is nothing that `{% \1 %}` closes"),
        (r"unknown tag '(else|elif)'", r"`{% \1 %}` stands outside of any `{% if %}`"),
        (r"unknown tag '(\w+)'", r"there is no tag `\1`; there are `if`, `for` and `set`"),
        (r"missing end of comment tag", "a `{#` is never closed; write `#}` behind it"),
        (r"missing end of raw directive", "`{% raw %}` is never closed; write `{% endraw %}` behind it"),
        (r"unexpected char (?:\"'\"|'\"') at", "this quote is never closed"),
        (r"unexpected char '&' at", "`&` means nothing here; write `and`"),
        (r"unexpected char '!' at", "`!` means nothing here; write `not`"),
        (r"unexpected char '\?' at", "`?` means nothing here; write `A if CONDITION else B`"),
        (r"unexpected char (.*) at \d+", r"\1 means nothing here"),
        (r"expected token 'name', got '\|'", "a name is expected here, not `|`; of two conditions write `or`"),
        (r"expected token 'end of print statement', got '='",
         "`}}` or an operator is expected here, not `=`; compare with `==`"),
        (r"expected token 'end of print statement', got (.*)", r"`}}` or an operator is expected here, not \1"),
        (r"expected token 'name', got 'end of (print|statement).*", r"a name is missing before 'end of \1'"),
        (r"expected token 'name', got (.*)", r"a name is expected here, not \1"),
        (r"expected token (.*), got (.*)", r"\1 is expected here, not \2"),
        (r"expected an expression, got 'end of print statement'", _NOTHING),
        (r"expected an expression, got (.*)", r"something is missing before \1"),
        (r"unexpected '(?:end of (print|statement).*)'", r"something is missing before 'end of \1'"),
        (r"unexpected '='", "`=` cannot stand here; compare with `==`"),
        (r"unexpected (.*), expected (.*)", r"\2 is expected here, not \1"),
        (r"unexpected (.*) after the expression", r"\1 cannot stand here"),
        (r"unexpected ('[^']+')$", r"\1 cannot stand here"),
        (r"expected name or number", "a name is missing behind the `.`"),
        (r"can't assign to .*", "only a name can be set"),
    )
)  # fmt: skip
_SIGNS = (
    (r"'(?:integer|float)'", "a number"),
    (r"'string'", "a text"),
    (r"'end of print(?: statement)?'", "`}}`"),
    (r"'end of statement(?: block)?'", "`%}`"),
    (r"'([^']+)'", r"`\1`"),
)


def word_syntax(message: str) -> str:
    """Jinja's message as a reader of the file would put it."""
    said = message[:1].lower() + message[1:]
    for pattern, words in _WORDINGS:
        found = pattern.search(said)
        if found is not None:
            said = found.expand(words)
            break
    for sign, plain in _SIGNS:
        said = re.sub(sign, plain, said)
    return said.rstrip(". ")
