"""The token string: ``<prefix>_`` + 40 random base62 characters + 6 of their CRC32.

Text in, text out; standard library only. All characters are among those that RFC 6750 section 2.1
allows in a Bearer token, so a token survives every place that it may be sent in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_LENGTH = 40
"""238 random bits: with nothing to guess, a plain digest is enough."""
CHECKSUM_LENGTH = 6
TAIL_LENGTH = 4
FINGERPRINT_LENGTH = 8
MAX_LENGTH = 255
"""The longest value that is looked at; anything longer is nobody's token."""

PATTERN = rf"[a-z][a-z0-9]{{1,9}}(?:_|%5[Ff])[0-9A-Za-z]{{{SECRET_LENGTH},{MAX_LENGTH}}}"
"""What a token of any kind looks like, for whoever searches texts for them.

Also without its checksum, which anybody can compute, and as some URLs escape it.
"""

_PREFIX = re.compile(r"[a-z][a-z0-9]{1,9}")
_BODY = re.compile(rf"[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")


def is_prefix(prefix: str) -> bool:
    """Tell whether ``prefix`` is 2 to 10 of ``a-z0-9``, a letter first."""
    return _PREFIX.fullmatch(prefix) is not None


def generate(prefix: str) -> str:
    """Return a new token; raise ``ValueError`` for a prefix that ``is_prefix`` refuses."""
    if not is_prefix(prefix):
        raise ValueError(f"A token prefix is 2 to 10 of a-z and 0-9, letter first: not {prefix!r}.")
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return f"{prefix}_{secret}{checksum(secret)}"


def checksum(secret: str) -> str:
    """Return the CRC32 of an ASCII text as six base62 digits, most significant first.

    It lets a secret scanner, and us, tell a token from a typing error without a database.
    """
    number = zlib.crc32(secret.encode("ascii"))
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def has_prefix(token: str, prefix: str) -> bool:
    """Tell whether ``token`` claims to be of the kind that ``prefix`` names."""
    return token.startswith(f"{prefix}_")


def is_well_formed(token: str, prefix: str) -> bool:
    """Tell whether ``token`` has this prefix, the right length and a checksum that fits."""
    if len(token) > MAX_LENGTH or not has_prefix(token, prefix):
        return False
    body = token[len(prefix) + 1 :]
    if not _BODY.fullmatch(body):
        return False
    return hmac.compare_digest(checksum(body[:SECRET_LENGTH]), body[SECRET_LENGTH:])


def digest(token: str) -> str:
    """Return the SHA-256 of the whole token as 64 lower-case hex digits: what is stored."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def fingerprint(digest: str) -> str:
    """Return the first eight digits of a digest: enough to find an event, too few to find a token.

    Whoever holds a token can compute them: ``printf %s TOKEN | sha256sum | cut -c1-8``.
    """
    return digest[:FINGERPRINT_LENGTH]


def tail(token: str) -> str:
    """Return the last four characters: enough to recognise a token, part of its checksum only."""
    return token[-TAIL_LENGTH:]


def equal(left: str, right: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(
        left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass")
    )
