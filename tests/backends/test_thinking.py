"""Reasoning is kept apart from the answer, however the text arrives."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ponder.backends.thinking import ThinkingStream, opens_inside, split_thinking

# Texts made of what matters: whole tags, broken tags, white space, words.
TEXTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<thi", "</thi", "nk>", "<", "/", ">", "<think", "</think", " ", "\n", "so", "数"]
    )
).map("".join)


def stream(text: str, cuts: list[int], inside: bool) -> str:
    """The visible text after `text` came in pieces, cut at `cuts`."""
    at = [0, *sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    splitter = ThinkingStream(inside)
    shown = ""
    for start, end in itertools.pairwise(at):
        retract, visible = splitter.feed(text[start:end])
        shown = visible if retract else shown + visible
    return shown + splitter.close()


@given(TEXTS, st.lists(st.integers(0, 40)), st.booleans())
@example("<think>a</think>b", list(range(20)), False)
@example("a</think>b", list(range(20)), False)
def test_any_chunking_shows_the_same(text: str, cuts: list[int], inside: bool) -> None:
    assert stream(text, cuts, inside) == split_thinking(text, inside)[1]


@given(TEXTS, st.booleans())
def test_nothing_but_tags_and_white_space_is_lost(text: str, inside: bool) -> None:
    thinking, visible = split_thinking(text, inside)
    assert "".join((thinking + visible).split()) in (
        "".join(text.split()),
        "".join(text.replace("</think>", "", 1).split()),
        "".join(text.replace("</think>", "", 1).replace("<think>", "", 1).split()),
        "".join(text.replace("<think>", "", 1).split()),
    )


@pytest.mark.parametrize(
    ("text", "thinking", "visible"),
    [
        ("It is 4.", "", "It is 4."),
        ("<think>2+2</think>\n\nIt is 4.", "2+2", "It is 4."),
        ("\n<think>\n2+2\n</think>It is 4. ", "2+2", "It is 4. "),
        ("2+2 is\n</think>\n\nIt is 4.", "2+2 is", "It is 4."),  # the template opened the block
        ("<think>2+2 is", "2+2 is", ""),  # cut off by the token limit
        ("<think></think>It is 4.", "", "It is 4."),
        ("<think>a</think>Write <think> to think.</think>", "a", "Write <think> to think.</think>"),
        ("Write <think> to think.", "", "Write <think> to think."),
        ("a < b", "", "a < b"),
        ("", "", ""),
    ],
)
def test_where_the_reasoning_ends(text: str, thinking: str, visible: str) -> None:
    assert split_thinking(text) == (thinking, visible)


def test_text_that_continues_open_reasoning_is_reasoning() -> None:
    assert opens_inside("<think>So far")
    assert not opens_inside("<think>So far</think>It")
    assert not opens_inside("It is")
    assert split_thinking("we have 4", inside=True) == ("we have 4", "")
    assert split_thinking("we have 4</think>It is 4", inside=True) == ("we have 4", "It is 4")


def test_only_what_may_be_a_tag_is_held_back() -> None:
    splitter = ThinkingStream()
    assert [splitter.feed(piece) for piece in ("So <", "b ", "</th", "e>")] == [
        (False, "So "),
        (False, "<b "),
        (False, ""),
        (False, "</the>"),
    ]


def test_shown_text_is_taken_back_when_a_closing_tag_says_it_was_reasoning() -> None:
    splitter = ThinkingStream()
    assert splitter.feed("2+2 is 4, so ") == (False, "2+2 is 4, so ")
    assert splitter.feed("</think> It is") == (True, "It is")
    assert splitter.feed(" 4.") == (False, " 4.")
