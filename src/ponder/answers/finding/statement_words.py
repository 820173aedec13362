"""The words by which a short statement is taken apart, in several languages: tables for `statement`."""

from __future__ import annotations

import re

__all__ = [
    "APPOSITION", "ARTICLES", "BEFORE_VALUE", "CJK", "CLAUSE", "FALSE",
    "FOREIGN_ARTICLES", "GENERIC", "LINKS", "NEGATION", "NO", "NUMBERED",
    "PARTICIPLE", "PARTICLES", "PRONOUN", "SHORTENED", "TAIL_VERB", "TRUE", "VERB", "YES",
]  # fmt: skip

VERB = re.compile(
    r"\s(?i:is|are|was|were|am|will be|would be|equals|means|has|have|had|costs?|weighs?|lasts?|takes?|stands for|"
    r"consists of|contains?|became|becomes|remains?|makes|gives)\s"
    r"|\s(?:ist|sind|war|waren|hat|heißt|lautet|kostet|ergibt|macht|est|sont|était|font|fait|es|son|era|fue|tiene|è|"
    r"sono|ha|fa|é|são|foi|tem|zijn|heeft|jest|je|är|er|это|является|είναι|este|adalah|là|คือ|—|–)\s"
    r"|(?:是|为|為|は|이|가|은|는)(?:\s|(?=\S))"
)
"""Joins two sides of a sentence, one of which may be the answer. Words of other languages are in lower case there."""

SHORTENED = re.compile(r"\b(it|that|he|she|this|there|what|who)['’]s\b", re.IGNORECASE)
PRONOUN = re.compile(
    r"(?:i (?:think|believe|guess|would say)(?: that)?(?: it(?:'s| is))?|it(?:'s| is| was| will be| would be)|"
    r"that(?:'s| is| was| would be)|this is|they are|there (?:is|are)|he (?:is|was)|she (?:is|was)|"
    r"c['’]est|ce sont|cela fait|ça fait|es ist|das ist|das sind|es sind|es la|es el|eso es|è|é|это|is|je|det är|"
    r"det er|het is|dat is)\s{1,4}(?=\S)",
    re.IGNORECASE,
)
"""A beginning that says nothing."""

ARTICLES = frozenset(
    """
    the a an der die das den dem ein eine einen le la les un une el los las una il lo gli o os as um uma de het een
    """.split()  # noqa: SIM905 - a table of words
)
FOREIGN_ARTICLES = ARTICLES - {"the", "a", "an", "as", "o", "de", "os", "um", "il", "den", "dem"}
LINKS = frozenset(
    """
    of in on at by to for from with about around into von im am um zu bei für aus de du des à en dans par pour del
    al por para di da per do em van op and that which who this it its his her their our your there und et y e also
    only called named known as approximately exactly equal
    """.split()  # noqa: SIM905 - a table of words
)
GENERIC = frozenset(
    """
    answer result product sum difference quotient total solution value number name word letter color colour city
    country planet year date price cost symbol formula translation capital unit term author person animal statement
    output amount area length form expression derivative average mean correct right final next new english german
    french spanish ergebnis lösung antwort wort zahl summe produkt hauptstadt réponse résultat mot nombre somme
    produit capitale respuesta resultado solución palabra número suma producto risposta risultato parola numero
    somma prodotto
    """.split()  # noqa: SIM905 - a table of words
)
"""Nouns that name an answer without saying anything of it."""

NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|nor|neither|nicht|kein|keine|keinen|pas|non|não|niet|geen|nie|не|нет)\b|n['’]t\b|不|没|ない",
    re.IGNORECASE,
)
YES = re.compile(r"(?:yes|yeah|yep|ja|oui|si|sí|sì|sim|tak|да|是的|はい|네|예)(?=[\s,.!;:—–-]|$)", re.IGNORECASE)
NO = re.compile(r"(?:no|nope|nein|non|não|nee|nie|нет|不是|いいえ|아니요)(?=[\s,.!;:—–-]|$)", re.IGNORECASE)
NUMBERED = re.compile(r"no\.? ?\d|no (?:one|man|of)\b", re.IGNORECASE)
TRUE = re.compile(r"\b(?:true|correct|right|wahr|richtig|vrai|verdadero|vero)\b", re.IGNORECASE)
FALSE = re.compile(r"\b(?:false|incorrect|wrong|untrue|falsch|faux|falso)\b", re.IGNORECASE)

BEFORE_VALUE = frozenset(("in", "on", "at", "by", "for", "im", "en", "um", "à", "equal"))
PARTICIPLE = re.compile(
    r"(?:[^\W\d_]{1,14}(?:ed|en|wn|ne|nt|lt|ht|ung)|made|found|built|led|won|born|told|sold|held|set|cut|put|écrit) "
    r"(?:by|in|on|at|from|of|von|par|por|da|im|durch) (?=\S)",
    re.IGNORECASE,
)
APPOSITION = re.compile(
    r"(?:the )?(?:city|country|planet|number|year|letter|colou?r|name|word|stadt|ville|ciudad|jahr|année|año) "
    r"(?:of )?(?=\S)",
    re.IGNORECASE,
)
CLAUSE = re.compile(r", (?:at|with|which|who|whose|because|since|where|having|so|not)\b|\s(?:because|since)\s")
"""Where what is added to an answer begins."""

CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
PARTICLES = "的是のはがを、 "
TAIL_VERB = re.compile(r"(?:です|だ|である|でした|입니다|이다|。|\.){1,3}\Z")
