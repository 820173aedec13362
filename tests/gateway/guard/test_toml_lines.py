"""The line of every name, however the document is laid out."""

from __future__ import annotations

import tomllib

import pytest

from ponder.gateway.config.toml_lines import line_of_error, lines_of

DOCUMENT = '''\
# a comment
a = 1
b.c = """
[not.a.table]
"""

[d]  # the table
e = [
  1,   # x = 5
]
[d.f]
"g h" = {i = 1}
'''


def test_every_name_has_the_line_on_which_its_statement_begins() -> None:
    assert lines_of(DOCUMENT) == {
        ("a",): 2, ("b",): 3, ("b", "c"): 3, ("d",): 7, ("d", "e"): 8, ("d", "f"): 11,
        ("d", "f", "g h"): 12, ("d", "f", "g h", "i"): 12,
    }  # fmt: skip


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb =\n", 2), ('a = """\n\n', 2), ("= 1", 1), ("[a]\n[a]\n", 2)])
def test_what_is_no_toml_has_a_line(text: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as error:
        tomllib.loads(text)
    assert line_of_error(error.value, text) == line
