"""Tell of tokens that are about to expire, once for each: by a signal, and by mail if asked."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import EmailMessage
from django.core.management import CommandParser
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template, render_to_string
from django.utils import timezone

from connectnow_api import events
from connectnow_api.base_models import AbstractAPIToken
from connectnow_api.management.arguments import add_dry_run, add_kind, days_to_come
from connectnow_api.management.batches import in_key_order
from connectnow_api.management.console import Console
from connectnow_api.management.errors import InterruptedVerbError, VerbError
from connectnow_api.management.finding import Kind, Rows, get_kinds, name_of, reference_to, rows_of
from connectnow_api.management.progress import Stop, stoppable
from connectnow_api.management.rows import how_many
from connectnow_api.management.tables import printable
from connectnow_api.states import is_too_old

SUBJECT = "connectnow_api/token_expiring_subject.txt"
BODY = "connectnow_api/token_expiring.txt"
COUNTED = ("notified", "mailed", "without_address", "failed")


def add_arguments(parser: CommandParser) -> None:
    """Declare when, and how."""
    add_kind(parser, default="all kinds")
    parser.add_argument(
        "--days",
        type=days_to_come,
        default=7,
        metavar="N",
        help="tell of tokens that expire within N days (%(default)s)",
    )
    parser.add_argument("--mail", action="store_true", help="send their owners a mail as well")
    parser.add_argument(
        "--from",
        dest="from_email",
        metavar="ADDRESS",
        help="the mail's sender (default: DEFAULT_FROM_EMAIL)",
    )
    add_dry_run(parser)


def run(console: Console, options: dict[str, Any]) -> None:
    """Tell, and count; a mail that fails is tried again the next time."""
    if options["mail"]:
        _check_templates()
    until = timezone.now() + timedelta(days=options["days"])
    counts = Counter(dict.fromkeys(COUNTED, 0))
    with stoppable() as stop:
        try:
            for kind in get_kinds(options["kind"]):
                _notify(console, expiring(kind, until), options, stop, counts)
        finally:
            _tell(console, options, counts)
    if stop:
        raise InterruptedVerbError("Interrupted; the rest is left for the next time.")
    if counts["failed"]:
        raise VerbError("Some mails could not be sent; they are tried again the next time.")


def expiring(kind: Kind, until: datetime) -> Rows:
    """Return the active tokens that expire until then and of which nobody was told.

    A token that is rotated already is none of them: its owner has taken care.
    """
    rows = rows_of(kind).active().filter(is_too_old(until))
    return rows.filter(revoked_at=None, expiry_notified_at=None)


def _check_templates() -> None:
    for name in (SUBJECT, BODY):
        try:
            get_template(name)
        except (TemplateDoesNotExist, TemplateSyntaxError) as exc:
            raise VerbError(f"The template {name} cannot be used: {exc}") from None


def _notify(
    console: Console, rows: Rows, options: dict[str, Any], stop: Stop, counts: Counter[str]
) -> None:
    with console.progress(f"Notifying {rows.model._meta.label}", rows.count) as progress:
        for batch in in_key_order(rows):
            for token in batch:
                if stop:
                    return
                # A token of somebody who may not come in opens nothing that could be missed.
                if token.is_owner_active:
                    counts.update(_notify_one(console, rows, token, options))
                progress.advance()


def _notify_one(
    console: Console, rows: Rows, token: AbstractAPIToken, options: dict[str, Any]
) -> list[str]:
    """Tell of a token and return what is to be counted."""
    address = address_of(token.owner)
    done = ["notified", *(["mailed" if address else "without_address"] if options["mail"] else [])]
    if options["dry_run"]:
        return done
    if not _claim(rows, token):
        return []
    try:
        if address and options["mail"]:
            _send(token, address, options["from_email"])
    except Exception as exc:  # noqa: BLE001 - each mail backend has errors of its own
        _give_back(rows, token)
        reason = printable(f"{type(exc).__name__}: {exc}")
        console.warn(f"Token {reference_to(token)}: the mail could not be sent. {reason}")
        return ["failed"]
    # After the mail, so that a mail that has to be tried again makes no second signal.
    events.emit("expiring", token)
    return done


def _claim(rows: Rows, token: AbstractAPIToken) -> bool:
    """Take it upon us to tell of a token; ``False`` if others did, or if it is not due any more."""
    now = timezone.now()
    if not rows.filter(pk=token.pk).update(expiry_notified_at=now):
        return False
    token.refresh_from_db(fields=["name", "expires_at", "expiry_notified_at"])
    return True


def _give_back(rows: Rows, token: AbstractAPIToken) -> None:
    """Let the next run tell of a token, unless it was claimed anew meanwhile."""
    claimed: Any = type(token)._base_manager.using(rows.db).filter(pk=token.pk)
    claimed.filter(expiry_notified_at=token.expiry_notified_at).update(expiry_notified_at=None)


def address_of(owner: Any) -> str:
    """Return an owner's mail address; ``""`` if there is none."""
    get_field = getattr(owner, "get_email_field_name", None)
    return str(getattr(owner, get_field() if get_field else "email", "") or "")


def _send(token: AbstractAPIToken, address: str, from_email: str | None) -> None:
    context = {
        "token": token,
        "owner": token.owner,
        "owner_name": name_of(token.owner),
        "expires_at": token.last_moment,
    }
    # A header has one line.
    subject = " ".join(render_to_string(SUBJECT, context).split())
    body = render_to_string(BODY, context)
    EmailMessage(subject, body, from_email=from_email, to=[address]).send()


def _tell(console: Console, options: dict[str, Any], counts: Counter[str]) -> None:
    word = "Would tell" if options["dry_run"] else "Told"
    text = f"{word} of {how_many(counts['notified'])} about to expire."
    if options["mail"]:
        text += (
            f" Mails: {counts['mailed']}, without an address: {counts['without_address']}, "
            f"failed: {counts['failed']}."
        )
    console.result(text, {**counts, "dry_run": options["dry_run"]})
