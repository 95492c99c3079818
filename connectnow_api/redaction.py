"""Texts without the tokens that stand in them: for logs and reports, where a request is quoted.

What is found is replaced by ``[redacted]``. Rather too much than too little: a text that only looks
like a token goes, too.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from django.core.exceptions import ImproperlyConfigured

from . import tokens
from .settings import api_settings

REDACTED = "[redacted]"
SHORTEST = 8
"""Characters of a given value that is looked for wherever it stands; shorter ones are words."""

_QUOTES = {
    r'\\"': r'(?:(?!\\").)+',
    r"\\'": r"(?:(?!\\').)+",
    '"': r'(?:\\.|[^"\\])+',
    "'": r"(?:\\.|[^'\\])+",
    **{
        escaped: f"(?:(?!{escaped}).)+"
        for escaped in (
            *("&quot;", "&#34;", "&#x27;", "&#39;", "%22", "%27"),
            *("&amp;quot;", "&amp;#x27;", "&amp;#39;"),
        )
    },
}
"""Quotation marks, as they are and as texts within texts have them, to what may stand in them."""
_QUOTE = f"(?:{'|'.join(_QUOTES)})"
_SPACE = r"(?:\s|\+|%20)"
_IGNORED = r"(?:%[01][0-9A-Fa-f]|%20|\+){0,9}"
"""What may follow a name in a URL, which is still taken for it."""
_START = r"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
"""Where a word begins, be it after an escaped character, or one that is escaped twice."""
_IN_URL = r"[^&\s\"'<>\\,;#)}\]]"
_TOKEN = re.compile(
    # One of ours, of any kind; and Sanctum's, which sites that come from Laravel accept.
    rf"{_START}(?:{tokens.PATTERN}|[0-9]{{1,20}}(?:\||%7[Cc])[0-9A-Za-z]{{40,255}})"
    r"(?![0-9A-Za-z])"
)
_OPENING = (
    rf"{_SPACE}{{0,9}}[:=]{_SPACE}{{0,9}}b?{_QUOTE}?|{_SPACE}{{0,9}},{_SPACE}{{0,9}}b?{_QUOTE}"
)
_HEADER = re.compile(
    rf"(?P<kept>{_START}authorization{_QUOTE}?(?:{_OPENING})(?:[a-z-]{{1,40}}{_SPACE}{{1,9}})?"
    rf"|{_START}bearer{_SPACE}{{1,9}}(?=[^\s\"'&=]{{16}}))(?:(?!{_QUOTE})[^\s,;&<>])+",
    re.IGNORECASE,
)
_NEWLINE = r"(?:\r?\n|(?:\\r)?\\n)"
"""As it is, and as Python and JSON write it."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without what may be a token in it.

    That is what stands after a name of ``TOKEN_PARAMETERS``, spelt as in a URL, a form, JSON, HTML
    or a ``repr()``; after a scheme in an ``Authorization`` header; what has the form of a token;
    and each of ``secrets``, as it is or as those spell it.
    """
    for secret in sorted({value for value in secrets if len(value) >= SHORTEST}, key=len):
        for spelling in _spellings(secret):
            text = text.replace(spelling, REDACTED)
    for pattern in (_HEADER, *_patterns(_parameters())):
        text = pattern.sub(_without_value, text)
    return _TOKEN.sub(REDACTED, text)


def _parameters() -> tuple[str, ...]:
    """Return the names that tokens are sent by; a server's log may be older than its settings."""
    try:
        return tuple(api_settings.token_parameters)
    except ImproperlyConfigured:
        return ("api_token",)


def _spellings(secret: str) -> set[str]:
    """Return a value as a URL, a page, a Python text and JSON spell it."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    found |= {repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(repr(secret)[1:-1])}
    return found


@functools.lru_cache(maxsize=8)
def _patterns(names: tuple[str, ...]) -> list[re.Pattern[str]]:
    if not names:
        return []
    name = rf"{_START}(?<![_-])(?:{'|'.join(map(_name, names))})"
    brackets = r"(?:(?:\[|%5B)[^\]\[&=\s]{0,64}?(?:\]|%5D))?"
    # A value ends where its parameter, its URL, its attribute or its sentence does.
    character = rf"(?:(?!&amp;|&quot;|&\#x27;|&\#39;){_IN_URL}|[,;]+(?={_IN_URL}))"
    value = rf"(?!{re.escape(REDACTED)}){character}+"
    within = value.replace("(?!&", "(?!%(?:25)*26|%23|&")
    # In JSON, in Python, in a page; of a list each value goes.
    key = rf"{name}{brackets}{_QUOTE}?{_SPACE}{{0,9}}[:,=]{_SPACE}{{0,9}}"
    quoted = "|".join(f"(?P<mark{n}>{q}){v}" for n, (q, v) in enumerate(_QUOTES.items()))
    item = f"b?(?:{'|'.join(f'{q}{v}{q}' for q, v in _QUOTES.items())})"
    part = f"(?:{_NEWLINE}(?:(?!{_NEWLINE}).){{1,200}}){{0,9}}{_NEWLINE}{{2}}"
    spellings = (
        rf"(?P<kept>{name}{brackets}{_IGNORED}=){value}",
        # A URL within a URL.
        rf"(?P<kept>{name}{brackets}%(?:25)*3D){within}",
        rf"(?P<kept>{key}[\[(]{_SPACE}{{0,9}}){item}(?:{_SPACE}{{0,9}},{_SPACE}{{0,9}}{item})+",
        rf"{key}(?:[\[(]{_SPACE}{{0,9}})?b?(?:{quoted})",
        # A part of a multipart form.
        rf"(?P<kept>{name}{brackets}{_QUOTE}[^\r\n\\]{{0,200}}{part})(?:(?!{_NEWLINE}).)+",
    )
    return [re.compile(spelling, re.IGNORECASE | re.DOTALL) for spelling in spellings]


def _without_value(found: re.Match[str]) -> str:
    """Return what was found up to the end of the group that was matched last, and no more."""
    return found.string[found.start() : found.end(found.lastgroup or 0)] + REDACTED


def _name(name: str) -> str:
    """Return a pattern of a name, any character of which URLs or JSON may have escaped."""
    return "".join(
        rf"(?:{re.escape(c)}|{_in_url(c)}|\\{{1,8}}u{ord(c):04x})"
        if ord(c) < 0x10000
        else re.escape(c)
        for c in name
    )


def _in_url(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
