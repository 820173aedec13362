"""Where answers are found, and where none is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from ponder.answers.finding import words

pytestmark = pytest.mark.anyio

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
    ("Answer: 3\n\\boxed{4}", "4"),
    (r"Answer: \boxed{42} dollars", "42"),
    (r"The final answer is $\boxed{18}$. I hope it is correct.", "18"),
]
STRONGEST_OF_SEVERAL = [
    (r"\boxed{1}. The answer is 2.", "1"),
    ('{"answer": 1}\nOn second thought the answer is 2.', "1"),
]
LAST_LINES = [
    ("I add them up.\n$$42$$", "42"),
    ("I add them up.\n42", "42"),
    ("I add them up.\n\n**$18**", "$18"),
    ("x is five:\n\\[\nx = 5\n\\]", "x = 5"),
    ("B", "B"),
    ("60 * 7\n= 420", "420"),
    ("1. Add.\n2. Multiply.\n3.", None),
    ("- 5", None),
    ("#### Step 1", None),
    ("", None),
    (r"Answer: \boxed{...}", None),  # the instruction, said back
]
THINKING = [
    (r"<think>maybe \boxed{3}</think>The answer is 4", "4"),
    (r"<think>maybe \boxed{3}", None),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    BOXES + SENTENCES + CALCULATIONS + CHOICES + JSON + LAST_OF_SEVERAL + STRONGEST_OF_SEVERAL + LAST_LINES + THINKING,
)
def test_finds_the_final_answer_or_none(text: str, answer: str | None) -> None:
    assert extract(text) == answer


NAMES_AND_SIGNS = [
    ("The answer is J. K. Rowling.", "J. K. Rowling"),
    ("Final answer: C++", "C++"),
    ("The answer is .NET.", ".NET"),
    ("Answer: https://example.com/a?b=1", "https://example.com/a?b=1"),
    ("The answer is version 3.11.4.", "version 3.11.4"),
    ("The answer is U.S.", "U.S"),
    ("The answer is 10 p.m.", "10 p.m"),
    ("The answer is 3.5 kg. This is because 7/2 = 3.5.", "3.5 kg"),
    ("Answer: Mt. Everest. It is 8,849 m high.", "Mt. Everest"),
    ("The answer is Mr. Darcy!", "Mr. Darcy"),
]
CLOSING_SENTENCES = [
    ("**Final Answer**\n\n$\\boxed{12}$\n\nLet me know if you have questions!", "12"),
    ("Answer: 7\n\nI hope that helps.", "7"),
    ("\\boxed{7}\n\nCheck: the answer is not 8.", "7"),
    ("Answer: 7\nThe wrong answer would be 9.", "7"),
    ("#### 18\nThis is the answer.", "18"),
    ("<answer>7</answer>\nSo the answer is clear.", "7"),
    ("Answer: Paris\n\nIs there anything else I can answer?", "Paris"),
]
TAGS = [
    ("<answer>The answer is 5.</answer>", "5"),
    ("<answer>\\boxed{5}</answer>", "5"),
    ("<thinking>Answer: 3</thinking>\nAnswer: 4", "4"),
    ("<reflection>The answer is 3</reflection> The answer is 4.", "4"),
    ("[THINK]\\boxed{2}[/THINK]\\boxed{3}", "3"),
    ("<|channel|>analysis<|message|>Answer: 1<|end|><|start|>assistant<|channel|>final<|message|>Answer: 2", "2"),
    ("<think>Answer: 3", None),
    ("<reasoning>so 5", None),
]
NO_ANSWERS = [
    ("Answer: N/A", None),
    ("Answer: null", None),
    ("Answer: [number]", None),
    ('{"answer": ""}', None),
    ('{"answer": null}', None),
    ("Answer: ...", None),
    ("\\boxed{...}", None),
    ("Answer: [your answer]", None),
    ("Answer: <answer>", None),
    ("Answer: \\boxed{\\text{answer}}", None),
    ("Answer: TBD", None),
    ("Answer: unknown", "unknown"),
    ("", None),
    ("   \n", None),
]
LANGUAGES = [
    ("Antwort: 8", "8"),
    ("Die Antwort lautet 8.", "8"),
    ("Die richtige Antwort ist B.", "B"),
    ("La respuesta es 7.", "7"),
    ("La risposta è 7.", "7"),
    ("A resposta é 7.", "7"),
    ("Het antwoord is 7.", "7"),
    ("Odpowiedź: 7", "7"),
    ("Ответ: 7", "7"),
    ("Відповідь: 7", "7"),
    ("答案：7", "7"),
    ("答えは7です。", "7"),
    ("答え: 7", "7"),
    ("답: 7", "7"),
    ("정답은 7입니다.", "7"),
    ("الإجابة: 7", "7"),
    ("الإجابة هي 7", "7"),
    ("תשובה: 7", "7"),
    ("Cevap: 7", "7"),
    ("Svar: 7", "7"),
    ("Vastaus: 7", "7"),
    ("Đáp án: 7", "7"),
    ("คำตอบ: 7", "7"),
    ("Jawaban: 7", "7"),
    ("Réponse finale : 7", "7"),
    ("Odpověď: 7", "7"),
]
BLOCKS = [
    ("Answer:\n1. Alice\n2. Bob", "Alice, Bob"),
    ("Answer:\n* red\n* green\n* blue", "red, green, blue"),
    ("Answer:\nx = 1\ny = 2", "x = 1, y = 2"),
    ("Answer:\n```\nfoo\nbar\n```", "foo\nbar"),
    ("Answer:\n```python\ndef f(x):\n    return x\n```\nThis function returns x.", "def f(x):\n    return x"),
    ("```python\ndef f(x):\n    return x\n```", "def f(x):\n    return x"),
    ('Answer:\n{\n  "a": 1,\n  "b": 2\n}', '{"a": 1, "b": 2}'),
]
SHORT_STATEMENTS = [
    ("Canberra", "Canberra"),
    ("Canberra.", "Canberra"),
    ("**Canberra**", "Canberra"),
    ("It is Canberra.", "Canberra"),
    ("The capital of Australia is Canberra.", "Canberra"),
    ("17 * 23 = 391.", "391"),
    ("7 + 5 is 12.", "12"),
    ("False.", "False"),
    ("I think the answer is 12.", "12"),
    ("So, the final answer is: **12**.", "12"),
    ("Thus the answer is $\\frac{1}{2}$.", "\\frac{1}{2}"),
    ("Hence, the correct answer is option (D).", "(D)"),
    ("The correct answer is C) Jupiter.", "C) Jupiter"),
    ("Therefore, the answer is 12 apples.", "12 apples"),
    ("The result is 12.", "12"),
    ("= 12", "12"),
    ("x = 12", "x = 12"),
    ("Choice A", "A"),
    ("Answer is A", "A"),
    ("Correct answer: A", "A"),
    ("ANSWER = 12", "12"),
    ("Final answer - 12", "12"),
    ("The answer is -12.", "-12"),
    ("The answer is 1,000,000.", "1000000"),
    ("\\boxed{\\frac{3}{4}}", "\\frac{3}{4}"),
    ("$$\\boxed{x = 3}$$", "x = 3"),
    ("The answer is \\(x=3\\).", "x=3"),
    ("\\boxed{7}\\boxed{8}", "7, 8"),
    ("First \\boxed{3}. Wait, that is wrong. \\boxed{4}", "4"),
    (
        "Sure! Here is a poem about the sea.\n\nThe sea is wide,\nIt holds the tide.",
        None,
    ),
    (
        "I cannot answer that question because there is not enough context to say which of the persons is meant here.",
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    NAMES_AND_SIGNS + CLOSING_SENTENCES + TAGS + NO_ANSWERS + LANGUAGES + BLOCKS + SHORT_STATEMENTS,
)
async def test_finds_what_is_meant(text: str, answer: str | None, equivalence: Equivalence) -> None:
    found = extract(text)
    assert found == answer or (found is not None and answer is not None and await equivalence.same(found, answer))


def test_every_noun_has_its_stem() -> None:
    for language in words.LANGUAGES.values():
        for noun in language.nouns.split("|"):
            assert any(stem in noun.lower() for stem in words.STEMS), noun


CLOSING = ["I hope this answer is helpful!", "The answer is correct.", "A common wrong answer is 3.",
           "Is the answer clear?", "Let me know if you have any questions.", "Note: the answer is not 5."]  # fmt: skip
STRONG = [
    "Answer: {}",
    "\\boxed{{{}}}",
    "<answer>{}</answer>",
    "**Answer:** {}",
    '{{"answer": "{}"}}',
    "Antwort: {}",
    "答案：{}",
]
VALUES = ["4", "-1/2", "Paris", "x = 5", "(B)", "3.5 kg", "New York", "1914-1918"]
MARKDOWN = ["**{}**", "*{}*", "  {}", "{}  ", "__{}__", "\n\n{}\n\n"]


@given(st.sampled_from(STRONG), st.sampled_from(VALUES), st.lists(st.sampled_from(CLOSING), max_size=3))
def test_prose_after_a_strong_statement_changes_nothing(form: str, value: str, closing: list[str]) -> None:
    assert extract("\n".join(["Let me think.", form.format(value), *closing])) == extract(form.format(value)) == value


@given(st.sampled_from(["Answer: {}", "The answer is {}.", "{}"]), st.sampled_from(VALUES), st.sampled_from(MARKDOWN))
def test_markdown_around_a_statement_changes_nothing(form: str, value: str, around: str) -> None:
    assert extract(around.format(form.format(value))) == value


@given(st.text() | st.text(alphabet='\\boxed{}$*#"answer:is \n[]()<>1.'))
def test_any_text_has_an_answer_that_says_something_or_none(text: str) -> None:
    answer = extract(text)
    assert answer is None or answer.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        " ",
        "\n",
        "<answer>",
        "</",
        "**",
        "#### 1\n",
        "- a\n",
        "| a ",
        "{'answer': ",
        "</think>",
        "A. ",
        "x = 1\n",
        "! ",
        "\\boxed{",
        "answer is ",
        '{"answer":',
        "####",
        "```json\n",
        "*",
        "$",
        "\\[",
        "{",
        "answer to ",
    ],
)
def test_a_long_hostile_text_does_not_hang_it(piece: str) -> None:
    assert extract(piece * (200_000 // len(piece)) + "\nAnswer: 42") == "42"
