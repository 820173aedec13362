"""The words with which an answer is stated, in every language that is known here: one table."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AFTER", "LANGUAGES", "LEADS", "NOT_AN_ANSWER", "RESULTS", "STEMS", "WRONG", "Language"]


class Language(NamedTuple):
    """`nouns` name an answer; a `verb` joins it to its value. Both are regular expressions without case."""

    nouns: str
    verbs: str


LANGUAGES = {
    "English": Language("answers?|ans", "is|are|was|were|equals|would be|should be|must be|will be|has to be"),
    "German": Language("antwort(?:en)?", "ist|sind|lautet|wäre|war"),
    "French": Language("réponses?|reponses?", "est|sont|serait|était"),
    "Spanish": Language("respuestas?", "es|son|sería|era"),
    "Italian": Language("rispost[ae]", "è|sono|sarebbe|e'"),
    "Portuguese": Language("respostas?", "é|são|seria"),
    "Dutch": Language("antwoord(?:en)?", "is|zijn|luidt"),
    "Polish": Language("odpowied[źz](?:ią)?", "to|jest|brzmi"),
    "Czech, Slovak": Language("odpověď|odpoveď", "je|zní|znie"),
    "Scandinavian": Language("svar(?:et)?", "är|er|blir"),
    "Finnish, Estonian": Language("vastaus|vastus", "on"),
    "Russian": Language("ответ(?:ом)?", "это|является|равен|—"),
    "Ukrainian": Language("відповідь", "це|є|дорівнює"),
    "Bulgarian, Serbian": Language("отговорът?|одговор|odgovor", "е|је|je"),
    "Greek": Language("απάντηση", "είναι"),
    "Turkish": Language("cevap|cevabı|yanıt", "şudur"),
    "Hungarian": Language("válasz", "az|a"),
    "Romanian": Language("răspuns(?:ul)?", "este|e"),
    "Baltic": Language("atsakymas|atbilde", "yra|ir"),
    "Vietnamese": Language("đáp án|đáp số|câu trả lời|trả lời", "là"),
    "Indonesian, Malay": Language("jawaban(?:nya)?|jawapan(?:nya)?", "adalah|ialah"),
    "Swahili": Language("jibu", "ni"),
    "Arabic": Language("الإجابة|الاجابة|إجابة|الجواب|جواب", "هي|هو"),
    "Hebrew": Language("התשובה|תשובה", "היא|הוא"),
    "Persian, Urdu": Language("پاسخ|جواب", "برابر است با|عبارت است از"),
    "Hindi, Marathi": Language("उत्तर|जवाब", "है"),
    "Bengali": Language("উত্তর", "হলো|হল"),
    "Tamil, Telugu": Language("பதில்|விடை|సమాధానం", "என்பது"),
    "Thai": Language("คำตอบ", "คือ"),
    "Chinese": Language("答案|答覆|答复|答(?!え)", "應該是|应该是|就是|是|为|為"),
    "Japanese": Language("答え|解答|回答|正解", "は"),
    "Korean": Language("정답|답변|답", "은|는"),
}

STEMS = (
    "answer", "ans", "antwort", "réponse", "reponse", "respuesta", "rispost", "resposta", "antwoord", "odpowied",
    "odpověď", "odpoveď", "svar", "vastaus", "vastus", "ответ", "відповідь", "отговор", "одговор", "odgovor",
    "απάντηση", "cevap", "cevabı", "yanıt", "válasz", "răspuns", "atsakymas", "atbilde", "đáp", "câu trả lời",
    "trả lời", "jawaban", "jawapan", "jibu", "جابة", "جواب", "תשובה", "پاسخ", "उत्तर", "जवाब", "উত্তর", "பதில்", "விடை",
    "సమాధానం", "คำตอบ", "答", "正解", "답",
)  # fmt: skip
"""A part of each noun, in small letters: to look for these first is many times faster."""

RESULTS = (
    "results?|solutions?|conclusion|output|ergebnis|lösung|résultat|solution|resultado|solución|risultato|soluzione|"
    "solução|resultaat|oplossing|wynik|rozwiązanie|výsledek|resultat|lösning|løsning|tulos|результат|решение|"
    "αποτέλεσμα|sonuç|eredmény|rezultat(?:ul)?|结果|結果|결과|النتيجة|תוצאה|परिणाम|kết quả|hasil|ผลลัพธ์"
)
"""Words for a result: weaker than those for an answer, since a text may have several."""

WRONG = frozenset(
    """
    wrong incorrect false common not no other another possible bad typical tempting naive false falsche falschen
    fausse incorrecta incorrecto errónea sbagliata errada fout verkeerde неправильный неверный does can cannot an
    alternative previous earlier initial first preliminary student's students
    """.split()  # noqa: SIM905 - a table of words
)
"""Before the word for an answer: what follows is another's, or a mistake."""

NOT_AN_ANSWER = frozenset(
    """
    not that correct incorrect right wrong clear unclear obvious given obtained found known unknown as to because
    final exact helpful verified confirmed now complete reasonable consistent valid invalid unique straightforward
    available based derived shown provided written stated explained trivial so what when how why whether below above
    here ready also very quite supported rounded accurate satisfactory nicht kein richtig korrekt falsch pas
    correcte exacte correcta correcto corretta corretto correta correto juist goed верен правильный верный
    unambiguous sufficient enough meaningful checked simplified expressed
    """.split()  # noqa: SIM905 - a table of words
)
"""After "the answer is": words that say something of an answer, and are none."""

LEADS = (
    "therefore|thus|hence|simply|just|then|indeed|clearly|actually|definitely|certainly|likely|probably|most likely|"
    "obviously|of course|also|still|either|donc|also|entonces|quindi|portanto"
)
"""Words between the verb and the value."""

AFTER = (
    "です", "だ", "である", "でした", "になります", "となります", "입니다", "이다", "예요", "이에요", "है", "हैं", "است",
    "می‌باشد", "'dir", "'dır", "'tir", "'tır", "'dur", "'dür",
)  # fmt: skip
"""Verbs that stand behind the value, with nothing between."""
