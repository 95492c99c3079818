"""What a database's URL means to Django, with the options that this project wants."""

from typing import Any

import dj_database_url

OPTIONS: dict[str, dict[str, Any]] = {
    "django.db.backends.sqlite3": {
        # A writer takes its lock at the start and waits for it, instead of failing half way; the
        # write-ahead log lets others read meanwhile.
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
    "django.db.backends.postgresql": {
        # A server that does not answer holds requests up no longer than this (seconds).
        "connect_timeout": 5,
        # Nor does a statement (milliseconds), or one that went away without a word.
        "options": "-c statement_timeout=30000",
        "tcp_user_timeout": 30_000,
    },
    "django.db.backends.mysql": {
        # The same, all in seconds.
        "connect_timeout": 5,
        "read_timeout": 30,
        "write_timeout": 30,
        "charset": "utf8mb4",
        # MariaDB's own default; a server may have been told otherwise and cut texts in silence.
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES'",
    },
}


def database(url: str) -> dict[str, Any]:
    """Return the form that ``DATABASES`` wants."""
    found: dict[str, Any] = {**dj_database_url.parse(url)}
    if found["ENGINE"] == "django.db.backends.mysql":
        # PyMySQL installs without a compiler; Django asks for mysqlclient by its module's name.
        import pymysql  # noqa: PLC0415 -- only MariaDB needs it

        pymysql.install_as_MySQLdb()
    options = OPTIONS.get(found["ENGINE"], {})
    return {**found, "OPTIONS": {**options, **found.get("OPTIONS", {})}}
