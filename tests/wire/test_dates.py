"""The two spellings of a point in time."""

from datetime import UTC, datetime, timedelta, timezone

from connectnow_api.wire.dates import write_datetime

EARLY = datetime(2021, 4, 26, 22, 25, 35, tzinfo=UTC)
SUMMER = datetime(2021, 4, 26, 22, 25, 35, 123456, tzinfo=timezone(timedelta(hours=1)))


def test_zulu_has_six_digits_in_utc() -> None:
    assert write_datetime(EARLY, "zulu") == "2021-04-26T22:25:35.000000Z"
    assert write_datetime(SUMMER, "zulu") == "2021-04-26T21:25:35.123456Z"


def test_offset_keeps_its_own_offset_and_whole_seconds() -> None:
    assert write_datetime(EARLY, "offset") == "2021-04-26T22:25:35+00:00"
    assert write_datetime(SUMMER, "offset") == "2021-04-26T22:25:35+01:00"


def test_anything_else_is_a_strftime_format() -> None:
    assert write_datetime(EARLY, "%d.%m.%Y") == "26.04.2021"
