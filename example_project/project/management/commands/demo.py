"""``manage.py demo``: the example, ready to be tried with any HTTP client."""

import argparse
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import OperationalError
from django.urls import reverse

from project.demo import CLIENT, Credentials, get_throttled_limit, prepare
from project.private_files import refuse_unwritable
from project.server import Server

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Hosts that mean all of this machine's addresses, to one that a client can use."""


class Command(BaseCommand):
    """Migrates, seeds, says how to try it, and serves."""

    help = "Reset the example's rows, issue new tokens, print how to try both APIs, and serve them."
    # Some of them ask the database, which comes after the address.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="where to serve (%(default)s)")
        parser.add_argument(
            "--port", type=_port, default=8000, help="0 takes any free one (%(default)s)"
        )
        parser.add_argument(
            "--credentials", type=Path, metavar="FILE", help="write tokens and passwords to FILE"
        )
        parser.add_argument(
            "--rows", type=_rows, metavar="N", help="have N issues, and N tickets for one client"
        )
        parser.add_argument(
            "--no-serve", action="store_true", help="stop once everything has been prepared"
        )

    def handle(
        self,
        *,
        host: str,
        port: int,
        credentials: Path | None,
        rows: int | None,
        no_serve: bool,
        **options: Any,
    ) -> None:
        """Do it. The address is taken first: a second server disturbs nothing of the first."""
        with contextlib.nullcontext() if no_serve else _bind(host, port) as server:
            base_url = _base_url(host, server.server_port if server else port)
            if credentials:
                # Before the old tokens are revoked: the new ones would be lost to a program.
                with _explain_unwritable(credentials):
                    refuse_unwritable(credentials)
            prepared = self._prepare(rows)
            if credentials:
                with _explain_unwritable(credentials):
                    prepared.write(credentials, base_url)
            self.stdout.write(_explanation(prepared, base_url))
            if server:
                self._serve(server, host, base_url)

    def _prepare(self, rows: int | None) -> Credentials:
        try:
            self.check()
            call_command("migrate", verbosity=0, interactive=False)
            return prepare(rows)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: the rows are as they were.", returncode=130) from None

    def _serve(self, server: Server, host: str, base_url: str) -> None:
        # Whoever serves at a name or address wants to be reached by it.
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, _bracketed(host)]
        with contextlib.suppress(KeyboardInterrupt):
            # Both signals, even where a shell that starts us in the background ignores one.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler)
            with _explain_failure(host, server.server_port):
                server.open()
            self.stdout.write(f"Serving at {base_url}/ until Ctrl-C.")
            # A pipe would keep it back until the server ends.
            self.stdout.flush()
            server.serve_forever()


def _explanation(prepared: Credentials, base_url: str) -> str:
    tokens = prepared.tokens
    issues = base_url + reverse("issue_tracker:issue-list")
    companies = base_url + reverse("issue_tracker:company-list")
    user = base_url + reverse("issue_tracker:user")
    tickets = base_url + reverse("help_desk:ticket-list")
    throttled = base_url + reverse("issue_tracker:throttled")
    chat = prepared.chat
    chat_user = base_url + reverse("chats:chat-user")
    get_token = base_url + reverse("chats:get-token", args=[chat["id"]])
    bearer = f"-H 'Authorization: Bearer {tokens['valid']}'"
    users = "\n".join(f"  {user['username']:<12}{user['password']}" for user in prepared.users)
    kinds = "\n".join(f"  {kind:<12}{token}" for kind, token in tokens.items())
    return f"""Addresses
  {base_url}/
  {base_url}/api/      issue tracker, in ConnectNow's dialect
  {base_url}/api/v1/   help desk, in HelpSpace's dialect
  {base_url}{reverse("admin:index")}

Users and passwords (the first may enter the admin)
{users}

Tokens (the last one is the second user's, for another client)
{kinds}

Chat user, who has no account (the code is good for one more token, within a day)
  {chat["email"]} in chat {chat["id"]}
  auth-code   {chat["auth_code"]}
  token       {chat["token"]}

Try
  # no token: this list is public
  curl '{issues}?per_page=2'
  # a token in the header
  curl {bearer} '{user}'
  # a token in the query
  curl '{user}?api_token={tokens["valid"]}'
  # a token in the body, beside what a new company needs
  curl '{companies}' -d 'name=Elm Street Bakery' -d 'api_token={tokens["valid"]}'
  # the second kind of token: whose it is
  curl -H 'Authorization: Bearer {chat["token"]}' '{chat_user}'
  # a code for a token of that kind, once
  curl '{get_token}' -d 'email={chat["email"]}' -d 'auth-code={chat["auth_code"]}'
  # the other dialect: it wants the client's name, too
  curl {bearer} -H 'Hs-Client-Id: {CLIENT}' '{tickets}?per-page=2'
  # 422: an invalid parameter
  curl -i '{issues}?before=garbage'
  # 429: once more than a minute allows
  curl -i '{throttled}?number=[1-{get_throttled_limit() + 1}]'
"""


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _rows(text: str) -> int:
    rows = int(text)
    if rows < 1:
        raise argparse.ArgumentTypeError("there has to be one, at least")
    return rows


def _bind(host: str, port: int) -> Server:
    with _explain_failure(host, port):
        return Server(host, port)


@contextlib.contextmanager
def _explain_failure(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"Cannot serve at {_bracketed(host)}:{port}: {error.strerror}. Choose another --port."
        ) from error


@contextlib.contextmanager
def _explain_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"Cannot write {path}: {error.strerror}.") from error


def _base_url(host: str, port: int) -> str:
    return f"http://{_bracketed(EVERY_ADDRESS.get(host, host))}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
