"""Dates and times of day."""

from __future__ import annotations

import re

from ponder.answers.kinds.reading import Reading
from ponder.answers.kinds.text import plain

__all__ = ["read_date", "read_time"]

_MONTHS = (
    "january|jan|januar|janvier|enero|gennaio|janeiro|januari|январь|января",
    "february|feb|februar|février|febrero|febbraio|fevereiro|februari|февраль|февраля",
    "march|mar|märz|mars|marzo|março|maart|март|марта",
    "april|apr|avril|abril|aprile|апрель|апреля",
    "may|mai|mayo|maggio|maio|mei|май|мая",
    "june|jun|juni|juin|junio|giugno|junho|июнь|июня",
    "july|jul|juli|juillet|julio|luglio|julho|июль|июля",
    "august|aug|août|agosto|augustus|август|августа",
    "september|sep|sept|septembre|septiembre|settembre|setembro|сентябрь|сентября",
    "october|oct|oktober|octobre|octubre|ottobre|outubro|октябрь|октября",
    "november|nov|novembre|noviembre|novembro|ноябрь|ноября",
    "december|dec|dezember|décembre|diciembre|dicembre|dezembro|декабрь|декабря",
)
_MONTH = {word: number for number, words in enumerate(_MONTHS, 1) for word in words.split("|")}
_WEEKDAYS = ("monday|mon", "tuesday|tue|tues", "wednesday|wed", "thursday|thu|thurs", "friday|fri", "saturday|sat",
             "sunday|sun")  # fmt: skip
_WEEKDAY = {word: number for number, words in enumerate(_WEEKDAYS, 1) for word in words.split("|")}
_WORD = r"([^\W\d_]{3,10})\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th|er|\.|º)?"
_YEAR = r"(\d{3,4})"
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:t00:00(?::00)?z?)?")
_CJK = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日号일]")
_NUMERIC = re.compile(r"(\d{1,2})([/.])(\d{1,2})\2(\d{4}|\d{2})")
_DAY_FIRST = re.compile(rf"(?:the )?{_DAY} (?:of |de |di )?{_WORD}(?:,? (?:of |de |del )?{_YEAR})?")
_MONTH_FIRST = re.compile(rf"{_WORD} (?:the )?{_DAY}(?:,? {_YEAR})?")
_MONTH_YEAR = re.compile(rf"{_WORD},? (?:of |de )?{_YEAR}")
_CLOCK = re.compile(
    r"(\d{1,2})(?:[:.](\d\d)(?::(\d\d))?)? ?(?:(a\.?m\.?|p\.?m\.?)|o'?clock|h|uhr)?"
    r"(?: (?:in the )?(morning|afternoon|evening))?"
)


def read_date(text: str) -> Reading | None:
    """A date in words or as ISO 8601 has it, a month of a year, or a day of the week.

    Of ``01/05/2024`` nobody knows which is the month: it is the same only as itself, zeros aside. ``25/12/2024`` can
    only be one date.
    """
    said = plain(text).casefold().strip(" .,\"'*")
    if said in _WEEKDAY:
        return Reading("date", _WEEKDAYS[_WEEKDAY[said] - 1].split("|")[0])
    head, comma, rest = said.partition(", ")
    weekday = f" {_WEEKDAY[head]}" if comma and head in _WEEKDAY else ""
    said = rest if weekday else said
    if match := _ISO.fullmatch(said):
        return _date(int(match[1]), int(match[3]), int(match[4]), weekday)
    if match := _CJK.fullmatch(said):
        return _date(int(match[1]), int(match[2]), int(match[3]), weekday)
    if match := _NUMERIC.fullmatch(said):
        if date := _one_way(int(match[1]), int(match[3]), match[4], weekday):
            return date
        return Reading("date", f"{int(match[1])}/{int(match[3])}/{match[4]}")
    if (match := _DAY_FIRST.fullmatch(said)) and match[2] in _MONTH:
        return _date(int(match[3] or 0), _MONTH[match[2]], int(match[1]), weekday)
    if (match := _MONTH_FIRST.fullmatch(said)) and match[1] in _MONTH:
        return _date(int(match[3] or 0), _MONTH[match[1]], int(match[2]), weekday)
    if (match := _MONTH_YEAR.fullmatch(said)) and match[1] in _MONTH:
        return _date(int(match[2]), _MONTH[match[1]], 0, weekday)
    return None


def _one_way(first: int, second: int, year: str, weekday: str) -> Reading | None:
    """The date, where only one of two numbers can be the month and the year has four digits."""
    if len(year) != 4 or (first > 12) == (second > 12):
        return None
    return _date(int(year), min(first, second), max(first, second), weekday)


def _date(year: int, month: int, day: int, weekday: str) -> Reading | None:
    if not (1 <= month <= 12 and day <= 31):
        return None
    return Reading("date", f"{year or '-'}-{month:02}-{day or '-'}{weekday}")


def read_time(text: str) -> Reading | None:
    """A time of day: ``3:30 pm`` and ``15:30``, ``noon``, ``7 o'clock``."""
    said = plain(text).casefold().strip(" ,\"'*")
    if said in ("noon", "midday", "midnight"):
        return Reading("time", "00:00:00" if said == "midnight" else "12:00:00")
    match = _CLOCK.fullmatch(said) or _CLOCK.fullmatch(said.rstrip("."))
    if match is None or said.replace(".", "").isdigit() or (match[2] is None and _only_hours(said)):
        return None
    if match[2] is not None and ":" not in said and not (match[4] or "uhr" in said):
        return None  # 3.30 is a number
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    half = match[4].replace(".", "") if match[4] else {"morning": "am", None: ""}.get(match[5], "pm")
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    return Reading("time", f"{hour:02}:{minute:02}:{second:02}") if hour <= 24 and minute < 60 > second else None


def _only_hours(said: str) -> bool:
    """``5 h`` is a duration."""
    return not re.search(r"[ap]\.?m|clock|uhr|morning|afternoon|evening", said)
