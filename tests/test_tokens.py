"""The token string."""

import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectnow_api import tokens

# A token made once: its form may never change, or tokens in the field stop working.
KNOWN = "cn_" + "0123456789" * 4 + "32mxo1"

base62 = st.text(alphabet=tokens.ALPHABET, min_size=40, max_size=40)


def test_a_token_of_an_earlier_day_is_still_well_formed() -> None:
    assert tokens.is_well_formed(KNOWN, "cn")


@given(base62)
def test_checksum_is_the_crc32_in_six_base62_digits(secret: str) -> None:
    written = tokens.checksum(secret)
    number = 0
    for digit in written:
        number = number * 62 + tokens.ALPHABET.index(digit)
    assert len(written) == 6
    assert number == zlib.crc32(secret.encode())


@given(st.from_regex(r"[a-z][a-z0-9]{1,9}", fullmatch=True))
def test_generated_tokens_are_well_formed_and_of_rfc_6750_characters(prefix: str) -> None:
    token = tokens.generate(prefix)
    assert tokens.is_well_formed(token, prefix)
    assert re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{46}}", token)
    assert re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token)


def test_generated_tokens_differ() -> None:
    assert len({tokens.generate("cn") for _ in range(1000)}) == 1000


@pytest.mark.parametrize("prefix", ["", "c", "1n", "CN", "c-n", "c_n", "abcdefghijk", "cn\n", "çn"])
def test_a_prefix_that_is_none(prefix: str) -> None:
    with pytest.raises(ValueError, match="token prefix"):
        tokens.generate(prefix)


@given(st.integers(0, 45), st.sampled_from(tokens.ALPHABET))
def test_no_token_with_one_character_changed_is_well_formed(place: int, character: str) -> None:
    """Also another letter case: the checksum is over the letters as they stand."""
    body = KNOWN[3:]
    changed = body[:place] + character + body[place + 1 :]
    assert tokens.is_well_formed(f"cn_{changed}", "cn") == (changed == body)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "cn_",
        KNOWN[:-1],
        KNOWN + "0",
        KNOWN + "\n",
        " " + KNOWN,
        KNOWN.upper(),
        KNOWN.replace("cn_", "ab_"),
        KNOWN.replace("cn_", "cn-"),
        "cn_" + "٣" * 46,
        "cn_" + "\ud800" * 46,
        "cn_" + "\0" * 46,
        tokens.digest(KNOWN),
        "cn_" + "a" * 10_000,
    ],
)
def test_what_is_not_well_formed(token: str) -> None:
    assert not tokens.is_well_formed(token, "cn")


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert not tokens.is_well_formed(text, "cn")


def test_digest_is_the_sha256_of_the_whole_token() -> None:
    assert tokens.digest(KNOWN) == hashlib.sha256(KNOWN.encode()).hexdigest()


@given(st.text(), st.text())
def test_equal_compares_any_two_texts(left: str, right: str) -> None:
    assert tokens.equal(left, right) == (left == right)
    assert tokens.equal(left, left)


def test_tail_is_part_of_the_checksum() -> None:
    assert tokens.tail(KNOWN) == KNOWN[-4:]
