"""Where answers are found, and where none is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.extract import extract

BOXES = [
    (r"so it is \boxed{42}.", "42"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\left\{ \frac{a}{b} \right\}}", r"\left\{ \frac{a}{b} \right\}"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}"),
    (r"\fbox{3}", "3"),
    (r"\boxed 5 it is", "5"),
    (r"\boxed{\text{(B)}}", "(B)"),
    (r"first \boxed{1}, or rather \boxed{2}", "2"),
    (r"\boxed{\boxed{7}}", "7"),
    (r"cut off: \boxed{42", "42"),
    ("$\\boxed{42$\nmore text", "42"),
    (r"\boxed{}", None),
    (r"put it in \boxed{...}", None),
]
SENTENCES = [
    ("Answer: 42", "42"),
    ("**Answer:** 42", "42"),
    ("**Answer: 42**", "42"),
    ("Final Answer: 1,234.", "1,234"),
    ("### Final Answer\n42", "42"),
    ("Final answer:\n\\[\n42\n\\]\n", "42"),
    ("Answer:\n\n**(C)**", "(C)"),
    ("The answer is 42.", "42"),
    ("The answer is 3.14. Let me check that.", "3.14"),
    ("So the answer is therefore 12", "12"),
    ("The answer to the question is: 7", "7"),
    ("The answer is $\\frac{1}{2}$.", "\\frac{1}{2}"),
    ("The answer is \\(x=5\\).", "x=5"),
    ("Answer: $5.", "$5"),
    ("Answer: (3, 4)", "(3, 4)"),
    ("Answer: New York City", "New York City"),
    ("$\\text{Answer: } 42$", "42"),
    ("\\textbf{Answer: 42}", "42"),
    ("she has 9 * 2 = 18 left\n#### 18", "18"),
    ("<answer>\n42\n</answer>", "42"),
    ("The answer is _5_.", "5"),
    ("Answer: ***yes***", "yes"),
    ("<answer>x < 5</answer>", "x < 5"),
    ("Answer:", None),
    ("Answer: ...", None),
    ("The answer is not clear to me", None),
    ("The answer is 42. I am sure that the answer is correct.", "42"),
]
CALCULATIONS = [
    (r"\boxed{5 + 5 + 4 = 14}", "14"),
    (r"Answer: $2 \times 3 = 6 = \frac{12}{2}$", r"\frac{12}{2}"),
    ("The answer is $5 + $9 = $14.", "$14"),
    (r"\boxed{x = 14}", "x = 14"),
    (r"\boxed{2x + 1 = 7}", "2x + 1 = 7"),
    (r"\boxed{4 = x}", "4 = x"),
    (r"\boxed{3 >= 2}", "3 >= 2"),
    (r"\boxed{3! = 6}", "6"),
    (r"\boxed{5 + 9 =}", "5 + 9 ="),
]
CHOICES = [
    ("Answer: B", "B"),
    ("The answer is (B).", "(B)"),
    ("The correct option is (B) Paris.", "(B) Paris"),
    ("A) 4\nB) 5\nAnswer: B) 5", "B) 5"),
    ("I rule out A and C.\n\n(D)", "(D)"),
]
JSON = [
    ('{"answer": 42}', "42"),
    ('{"answer": "Paris", "why": "the answer is obvious"}', "Paris"),
    ('Here you are:\n```json\n{"steps": [{"n": 1}], "answer": 1.5}\n```\nGood luck!', "1.5"),
    ('{"answer": {"x": 1}}', '{"x": 1}'),
    ('{"answer": "\\\\boxed{7}"}', "7"),
    ('```json\n{"name": "Ada",\n "born": 1815}\n```', '{"name": "Ada", "born": 1815}'),
    ('{"name": "Ada"}', '{"name": "Ada"}'),
    ('{"answer": 42', None),
]
LAST_OF_SEVERAL = [
    (r"\boxed{1}. The answer is 2.", "2"),
    ("Answer: 3\n\\boxed{4}", "4"),
    (r"Answer: \boxed{42} dollars", "42"),
    (r"The final answer is $\boxed{18}$. I hope it is correct.", "18"),
    ('{"answer": 1}\nOn second thought the answer is 2.', "2"),
]
LAST_LINES = [
    ("I add them up.\n$$42$$", "42"),
    ("I add them up.\n42", "42"),
    ("I add them up.\n\n**$18**", "$18"),
    ("x is five:\n\\[\nx = 5\n\\]", "x = 5"),
    ("B", "B"),
    ("So they have 42 apples.", None),
    ("60 * 7\n= 420", None),
    ("1. Add.\n2. Multiply.\n3.", None),
    ("- 5", None),
    ("#### Step 1", None),
    ("Yes", None),
    ("", None),
    (r"Answer: \boxed{...}", None),  # the instruction, said back
]
THINKING = [
    (r"<think>maybe \boxed{3}</think>The answer is 4", "4"),
    (r"<think>maybe \boxed{3}", None),
]


@pytest.mark.parametrize(
    ("text", "answer"), BOXES + SENTENCES + CALCULATIONS + CHOICES + JSON + LAST_OF_SEVERAL + LAST_LINES + THINKING
)
def test_finds_the_final_answer_or_none(text: str, answer: str | None) -> None:
    assert extract(text) == answer


@given(st.text() | st.text(alphabet='\\boxed{}$*#"answer:is \n[]()<>1.'))
def test_any_text_has_an_answer_that_says_something_or_none(text: str) -> None:
    answer = extract(text)
    assert answer is None or answer.strip()


@pytest.mark.parametrize(
    "piece",
    ["\\boxed{", "answer is ", '{"answer":', "####", "```json\n", "<answer>", "*", "$", "\\[", "{", "answer to "],
)
def test_a_long_hostile_text_does_not_hang_it(piece: str) -> None:
    assert extract(piece * (200_000 // len(piece)) + "\nAnswer: 42") == "42"
