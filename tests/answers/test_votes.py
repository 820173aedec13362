"""Replies of every kind of question, and the vote that should come out."""

from __future__ import annotations

import pytest

import ponder
from ponder.backends.scripted import Scripted

THREE_OF_FOUR = [
    (
        "What is the capital of Australia?",
        ["The capital of Australia is Canberra.", "Canberra", "**Canberra**", "Answer: Melbourne"],
        "Canberra",
    ),
    (
        "Who wrote Hamlet?",
        [
            "William Shakespeare",
            "Hamlet was written by William Shakespeare.",
            "It was William Shakespeare.",
            "Christopher Marlowe",
        ],
        "Shakespeare",
    ),
    ("How many legs does a spider have?", ["8", "8 legs", "A spider has 8 legs.", "6"], "8"),
    ("Is the sun a star?", ["Yes", "Yes, the sun is a star.", "The sun is a star.", "No"], "Yes"),
    ("Can fish breathe air?", ["No", "No, they cannot.", "No, fish use gills.", "Yes"], "No"),
    ("Which is bigger? (A) cat (B) elephant", ["(B) elephant", "B", "elephant", "(A)"], "B"),
    (
        "Which of the following is a fruit?\nA. carrot\nB. apple\nC. potato",
        ["B. apple", "The answer is B.", "apple", "C"],
        "B",
    ),
    ("When did World War II end?", ["1945", "World War II ended in 1945.", "In 1945.", "1944"], "1945"),
    ("What time does the shop open?", ["9 a.m.", "9am", "9:00 AM", "10 am"], "9"),
    ("Translate 'dog' into Spanish.", ["perro", '"Perro"', "The Spanish word for dog is perro.", "gato"], "perro"),
    (
        "What is the largest ocean?",
        ["The Pacific Ocean", "Pacific Ocean", "The largest ocean is the Pacific Ocean.", "Atlantic Ocean"],
        "Pacific",
    ),
    ("Welche Farbe hat Gras?", ["Grün", "Gras ist grün.", "grün.", "blau"], "gr"),
    (
        "Quelle est la capitale de la France ?",
        ["Paris", "La capitale de la France est Paris.", "C'est Paris.", "Lyon"],
        "Paris",
    ),
    (
        "¿Cuál es la capital de España?",
        ["Madrid", "La capital de España es Madrid.", "Respuesta: Madrid", "Barcelona"],
        "Madrid",
    ),
    (
        "What is the chemical symbol for iron?",
        ["Fe", "The symbol is Fe.", "The chemical symbol for iron is Fe.", "Ir"],
        "Fe",
    ),
    (
        "True or false: water boils at 100 °C at sea level.",
        ["True", "True.", "The statement is true.", "False"],
        "True",
    ),
    ("What is the square root of 81?", ["9", "The square root of 81 is 9.", "\\sqrt{81} = 9", "8"], "9"),
    (
        "Name the first president of the United States.",
        [
            "George Washington",
            "The first president of the United States was George Washington.",
            "George Washington.",
            "Thomas Jefferson",
        ],
        "George Washington",
    ),
    ("How far is it?", ["5 km", "5 kilometers", "5000 m", "5 miles"], "5"),
    ("When was she born?", ["5 May 1990", "May 5, 1990", "1990-05-05", "6 May 1990"], "1990"),
    (
        "List the primary colours.",
        ["red, blue, yellow", "Red, yellow and blue", "yellow, red, blue", "red, green, blue"],
        "red",
    ),
    ("What is the next prime after 7?", ["11", "The next prime after 7 is 11.", "It's 11.", "9"], "11"),
    (
        "What does CPU stand for?",
        [
            "Central Processing Unit",
            "CPU stands for Central Processing Unit.",
            "central processing unit",
            "Computer Power Unit",
        ],
        "entral",
    ),
    ("1足す1は?", ["2", "答えは2です。", "2です。", "3"], "2"),
    ("法国的首都是哪里？", ["巴黎", "法国的首都是巴黎。", "答案：巴黎", "里昂"], "巴黎"),
]
TWO_OF_FOUR = [
    ("What's the phone number?", ["555-1234", "555-4321", "555-1234", "555-1243"], "555-1234"),
    ("What was the final score?", ["3:1", "1:3", "3:1", "2:1"], "3:1"),
]
ALL = [
    ("What is 15% of 200?", ["30", "15% of 200 is 30.", "15% of 200 = 30"], "30"),
    (
        "Write a Python function that doubles x.",
        ["```python\ndef double(x):\n    return 2 * x\n```", "Sure:\n```python\ndef double(x):\n    return 2*x\n```"],
        "return 2",
    ),
]
CASES = [
    *((*case, 0.75) for case in THREE_OF_FOUR),
    *((*case, 0.5) for case in TWO_OF_FOUR),
    *((*case, 1.0) for case in ALL),
]


@pytest.mark.parametrize(("question", "replies", "value", "confidence"), CASES)
def test_replies_that_say_the_same_vote_together(
    question: str, replies: list[str], value: str, confidence: float
) -> None:
    strategy = f"self-consistency(n={len(replies)})"
    answer = ponder.solve(question, strategy=strategy, model=Scripted(replies), store=None)
    assert value.casefold() in str(answer.value).casefold()
    assert answer.confidence == confidence
