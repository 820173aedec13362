"""What a short statement says, beyond what its question has said already."""

from __future__ import annotations

import re

from ponder.answers.finding.question import Question, read_question, stem, words_of
from ponder.answers.markup import bare

__all__ = ["core"]

_MOST_WORDS = 40
_VERB = re.compile(
    r"\s(?:is|are|was|were|am|will be|would be|equals|means|has|have|had|costs?|weighs?|lasts?|takes?|stands for|"
    r"consists of|contains?|became|becomes|remains?|"
    r"ist|sind|war|waren|hat|heißt|lautet|kostet|est|sont|était|a|es|son|era|fue|tiene|è|sono|ha|é|são|foi|tem|"
    r"zijn|heeft|jest|to|je|är|er|on|это|этo|является|είναι|este|adalah|là|คือ)\s"
    r"|(?:是|为|為|は|이|가|은|는)(?:\s|(?=\S))|=\s",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"\b(it|that|he|she|this|there|what|who)['’]s\b", re.IGNORECASE)
_PRONOUN = re.compile(
    r"(?:i (?:think|believe|guess|would say)(?: that)?(?: it(?:'s| is))?|it(?:'s| is| was| will be| would be)|"
    r"that(?:'s| is| was| would be)|this is|they are|there (?:is|are)|he (?:is|was)|she (?:is|was)|"
    r"c['’]est|ce sont|es ist|das ist|das sind|es sind|es la|es el|eso es|è|é|to|это|is|je|det är|det er|het is|dat is)\s+"
    r"(?=\S)",
    re.IGNORECASE,
)
_ARTICLES = (
    "the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les", "un", "une", "el", "los", "las", "una", "il", "lo",
    "gli", "o", "os", "as", "um", "uma", "de", "het", "een",
)  # fmt: skip
_LINKS = {
    "of", "in", "on", "at", "by", "to", "for", "from", "with", "about", "around", "into", "von", "im", "in", "am", "um",
    "zu", "bei", "für", "aus", "de", "du", "des", "à", "en", "dans", "par", "pour", "del", "al", "por", "para", "di",
    "da", "per", "do", "em", "van", "op", "and", "that", "which", "who", "this", "it", "its", "his", "her", "their",
    "our", "your", "there", "und", "et", "y", "e", "also", "only", "called", "named", "known", "as", "approximately",
    "exactly", "equal",
}  # fmt: skip
_GENERIC = {
    "answer", "result", "product", "sum", "difference", "quotient", "total", "solution", "value", "number", "name",
    "word", "letter", "color", "colour", "city", "country", "planet", "year", "date", "price", "cost", "symbol",
    "formula", "translation", "capital", "unit", "term", "author", "person", "animal", "statement", "output", "amount",
    "area", "length", "ergebnis", "lösung", "antwort", "wort", "zahl", "summe", "produkt", "hauptstadt", "réponse",
    "résultat", "solution", "mot", "nombre", "somme", "produit", "capitale", "respuesta", "resultado", "solución",
    "palabra", "número", "suma", "producto", "risposta", "risultato", "parola", "numero", "somma", "prodotto",
    "correct", "right", "final", "next", "new", "average", "mean", "english", "german", "french", "spanish",
}  # fmt: skip
_NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|nor|neither|nicht|kein|keine|keinen|pas|non|não|niet|geen|nie|не|нет)\b|n['’]t\b|不|没|ない",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:yes|yeah|yep|ja|oui|si|sí|sì|sim|tak|да|是的|はい|네|예)(?=[\s,.!;:—–-]|$)", re.IGNORECASE)
_NO = re.compile(r"(?:no|nope|nein|non|não|nee|nie|нет|不是|いいえ|아니요)(?=[\s,.!;:—–-]|$)", re.IGNORECASE)
_NUMBERED = re.compile(r"no\.? ?\d|no (?:one|man|of)\b", re.IGNORECASE)
_TRUE = re.compile(r"\b(true|correct|right|wahr|richtig|vrai|verdadero|vero)\b", re.IGNORECASE)
_FALSE = re.compile(r"\b(false|incorrect|wrong|untrue|falsch|faux|falso)\b", re.IGNORECASE)
_LETTERED = re.compile(r"\(?([A-Ja-j])\)?(?:[).:]|\Z)(?:\s|\Z)")
_PARTICIPLE = re.compile(
    r"(?:[^\W\d_]{3,16}(?:ed|en|wn|ne|nt|lt|ht|ung)|made|found|built|led|won|born|told|sold|held|set|cut|put|geschrieben|écrit)\s+"
    r"(?:by|in|on|at|from|of|von|par|por|da|im|durch)\s+(?=\S)",
    re.IGNORECASE,
)
_TAIL_VERB = re.compile(r"(?:です|だ|である|でした|입니다|이다|。|\.)+\Z")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def core(statement: str, question: str = "") -> str:
    """The part of a short statement that answers `question`; the statement as it is where that cannot be told.

    Where a question offers choices, the text of one stands for its letter. Where it asks for yes or no, a reply that
    begins so, or that says the question over, is that word. Of a sentence whose one side only says what the question
    says ("The capital of Australia is Canberra", "Canberra is the capital"), the other side is the answer. "Not" is
    never taken off.
    """
    asked = read_question(question)
    value = bare(statement)
    if "\n" in value or len(value.split()) > _MOST_WORDS or value[:1] in ("{", "["):
        return value
    if asked.options:
        return _choice(value, asked)
    if (verdict := _verdict(value, asked)) is not None:
        return verdict
    return _without_quotes(_said(value, asked))


def _choice(value: str, asked: Question) -> str:
    """The letter, where the text of a choice is given without it."""
    if _LETTERED.match(value):
        return value
    for said in (value, _said(value, asked)):
        plain = said.casefold().strip(" .\"'")
        if plain in asked.options:
            return asked.options[plain]
        without = _without_article(plain)
        for text, letter in asked.options.items():
            if _without_article(text) == without:
                return letter
    said = _said(value, asked)
    return said if _LETTERED.match(said) else value


def _verdict(value: str, asked: Question) -> str | None:
    """Yes or no, true or false; None if the statement is neither."""
    if asked.true_false:
        for pattern, positive in ((_FALSE, False), (_TRUE, True)):
            if match := pattern.search(value):
                negated = bool(_NEGATION.search(value[: match.start()]))
                return "True" if positive != negated else "False"
    if _YES.match(value):
        return _YES.match(value)[0] if len(value.split()) > 1 else value  # type: ignore[index]
    if (no := _NO.match(value)) and not _NUMBERED.match(value):
        return no[0] if len(value.split()) > 1 else value
    if not asked.polar or len(words_of(value)) < 3:
        return None
    said = [word for word in words_of(value) if word not in _LINKS and word not in _ARTICLES]
    shared = sum(stem(word) in asked.words for word in said)
    if shared < 0.6 * len(said):
        return None
    return "No" if bool(_NEGATION.search(value)) != bool(_NEGATION.search(asked.text)) else "Yes"


def _said(value: str, asked: Question) -> str:
    """One side of a sentence, if the other says nothing new."""
    value = _SHORTENED.sub(r"\1 is", value)
    plain = _PRONOUN.sub("", value, count=1) if _PRONOUN.match(value) else value
    if plain != value:
        return _opened(plain, asked)
    for verb in list(_VERB.finditer(value))[:4]:
        left, right = value[: verb.start()], value[verb.end() :]
        if not left.strip() or not right.strip():
            continue
        if _known(left, asked) and not _known(right, asked):
            return _opened(right, asked)
        if _known(right, asked) and not _known(left, asked) and not _NEGATION.search(right):
            return _opened(left, asked)
    return _after_known_verb(value, asked)


def _after_known_verb(value: str, asked: Question) -> str:
    """ "World War II ended in 1945": words of the question, one of them a verb, then what is new."""
    if not asked.words or _CJK.search(value):
        return _opened(value, asked) if len(value.split()) <= 3 else value
    words = value.split()
    known = 0
    while known < len(words) and _is_known(words[known], asked):
        known += 1
    has_verb = any(word.casefold().endswith(("ed", "s")) for word in words[1:known])
    if 2 <= known < len(words) and has_verb and len(words) - known <= 6:
        return _opened(" ".join(words[known:]), asked)
    return _opened(value, asked) if words and words[0].casefold() in ("in", "on", "at", "by", "im", "en", "um") else value


def _known(part: str, asked: Question) -> bool:
    """True for words that the question has, or that say nothing: it has at least one word, and no "not"."""
    if _CJK.search(part):
        return bool(asked.text) and all(sign in asked.text or sign in "的是のはがを、 です" for sign in _TAIL_VERB.sub("", part))
    if _NEGATION.search(part):
        return False
    words = [word for word in words_of(part) if word not in _LINKS and word not in _ARTICLES]
    if not words:
        return bool(part.strip()) and bool(words_of(part))
    if any(not re.search(r"\w", symbol) for symbol in part.split()) and not asked.words:
        return False
    known = [stem(word) in asked.words or word in _GENERIC for word in words]
    if all(known):
        return not (asked.alternatives and not any(word in _GENERIC for word in words) and len(words) < 3)
    return not asked.words and _is_description(part) or (len(words) >= 3 and sum(known) >= 0.6 * len(words) and _is_description(part))


def _is_description(part: str) -> bool:
    """ "The capital of Australia": an article, and a noun with its complement."""
    words = part.casefold().split()
    return len(words) >= 2 and words[0] in _ARTICLES and (len(words) == 2 and words[1] in _GENERIC or bool(set(words) & _LINKS))


def _is_known(word: str, asked: Question) -> bool:
    plain = word.strip(".,;:!?\"'“”‘’()").casefold()
    return plain in _ARTICLES or plain in _LINKS or stem(plain) in asked.words


def _opened(value: str, asked: Question) -> str:
    """Without what leads to the value: "written by", "in", a tail of the question's own words."""
    value = bare(_TAIL_VERB.sub("", value.strip()))
    if match := _PARTICIPLE.match(value):
        value = value[match.end() :]
    first, _, rest = value.partition(" ")
    if rest and first.casefold() in ("in", "on", "at", "by", "for", "im", "en", "um", "à", "equal") and len(rest.split()) <= 6:
        value = rest.removeprefix("to ") if first == "equal" else rest
    if rest and asked.words and re.match(r"(?:the )?(?:city|country|planet|number|year|letter|colou?r|name|word) (?:of )?\S", value, re.I):
        value = re.sub(r"^(?:the )?(?:city|country|planet|number|year|letter|colou?r|name|word) (?:of )?", "", value, flags=re.I)
    return bare(value) or value


def _without_article(text: str) -> str:
    first, _, rest = text.partition(" ")
    return rest if rest and first in _ARTICLES else text


def _without_quotes(value: str) -> str:
    """``'la maison'`` is a word with its article; in a sentence an article stays."""
    return value
