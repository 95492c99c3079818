"""Run the tests against 60 hand-chosen mutants of the package and report the mutants they miss.

    python benchmarks/mutants.py [--checkout DIR] [--only SUBSTRING] [--jobs N] [--check]
                                 [-- pytest arguments]

A mutant is one realistic mistake: a replacement of text in one file of ``connectnow_api``. For each
mutant the script runs the tests most likely to fail, then the whole suite. A mutant survives if all
of these tests pass. Survivors are holes in the test suite.

Compare two versions of the test suite: both must catch the same mutants. Tests run in copies of the
checkout's tracked files, so the checkout itself stays unchanged. ``--check`` runs no tests: it only
checks that each replacement applies and compiles.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PACKAGE = "connectnow_api"
PYTEST = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-n", "0")
TIMEOUT = 15 * 60
"""Seconds for one run of pytest."""
OK, FAILED, NOTHING_COLLECTED = 0, 1, 5
"""Exit codes of pytest."""


class Mutant(NamedTuple):
    """One mistake in one file of the package."""

    area: str
    name: str
    """The effect of the mistake, in a short sentence."""
    file: str
    """Path below ``connectnow_api/``."""
    old: str
    """Text to replace; it occurs exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Paths below ``tests/`` to run first; paths that do not exist are skipped."""

    def __str__(self) -> str:
        """Return area and name."""
        return f"{self.area}: {self.name}"


class Outcome(NamedTuple):
    """The result of all test runs of one mutant."""

    mutant: Mutant
    is_caught: bool
    word: str
    seconds: float


AUTHENTICATION = (
    Mutant(
        "authentication",
        "the last of several candidate tokens is taken instead of the first",
        "authentication.py",
        "candidate = candidates[0]",
        "candidate = candidates[-1]",
        ("test_authentication.py", "test_events.py", "test_placement_counts.py"),
    ),
    Mutant(
        "authentication",
        "the query token stays in the request's query after authentication",
        "authentication.py",
        "        take_out(request)\n        last_used",
        "        last_used",
        ("test_query_tokens.py", "test_authentication.py", "test_reports.py"),
    ),
    Mutant(
        "authentication",
        "tokens found by the view's other authenticators are not compared",
        "authentication.py",
        "            found.extend(other.get_candidates(request))",
        "            other.get_candidates(request)",
        ("test_authentication.py", "test_kinds.py", "test_promises_of_requests.py"),
    ),
    Mutant(
        "authentication",
        "a missing required header matches a token without a client",
        "authentication.py",
        'return expected not in (None, "") and tokens.equal(sent, str(expected))',
        'return tokens.equal(sent, str(expected or ""))',
        ("test_authentication.py", "contract", "test_promises_of_requests.py"),
    ),
    Mutant(
        "authentication",
        "a token still works at the exact moment at which it expires",
        "base_models.py",
        "self.last_moment is not None and self.last_moment <= now",
        "self.last_moment is not None and self.last_moment < now",
        ("test_states.py", "test_base_models.py", "test_lifecycle.py"),
    ),
    Mutant(
        "authentication",
        "the scheme in the Authorization header is case-sensitive",
        "placements.py",
        'header["scheme"].lower() != authenticator.keyword.lower()',
        'header["scheme"] != authenticator.keyword',
        ("test_authentication.py", "test_golden_token_header.py", "test_kinds.py"),
    ),
    Mutant(
        "authentication",
        "responses do not vary by Authorization",
        "authentication.py",
        'by_header = ["Authorization"] if "header" in self.get_placements(request) else []',
        "by_header: list[str] = []",
        ("test_caching.py", "test_authentication.py"),
    ),
    Mutant(
        "authentication",
        "a token in the body of a GET request authenticates",
        "placements.py",
        "if decode is None or django_request.method in SAFE_METHODS:",
        "if decode is None:",
        ("test_payload_tokens.py", "test_authentication.py"),
    ),
)

PERMISSIONS = (
    Mutant(
        "permissions",
        "HasAbilities accepts a token with only one of the required abilities",
        "permissions.py",
        "return [name for name in required if token.cannot(name)]",
        "return [] if token.can_any(*required) else required",
        ("test_permissions.py",),
    ),
    Mutant(
        "permissions",
        "HasAnyAbility demands all of the abilities",
        "permissions.py",
        "token.can_any(*required)",
        "token.can(*required)",
        ("test_permissions.py",),
    ),
    Mutant(
        "permissions",
        "a mapping that names GET denies HEAD",
        "permissions.py",
        'method = "GET" if request.method == "HEAD" else request.method',
        "method = request.method",
        ("test_permissions.py",),
    ),
    Mutant(
        "permissions",
        "a method that the mapping does not name needs no ability",
        "permissions.py",
        'return [] if method == "OPTIONS" else None',
        "return []",
        ("test_permissions.py",),
    ),
    Mutant(
        "permissions",
        "the abilities of the HTTP method outrank those of the action",
        "permissions.py",
        'for key in (getattr(view, "action", None), method):',
        'for key in (method, getattr(view, "action", None)):',
        ("test_permissions.py",),
    ),
    Mutant(
        "permissions",
        "the view's require_token is ignored",
        "permissions.py",
        'return not getattr(view, "require_token", api_settings.require_token)',
        "return not api_settings.require_token",
        ("test_permissions.py",),
    ),
)

PAGES = (
    Mutant(
        "pages",
        "a full last page without a total has a next page",
        "pagination.py",
        "self._has_next = len(object_list) > per_page",
        "self._has_next = len(object_list) >= per_page",
        ("test_pagination.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "pages",
        "the client's page size has no maximum",
        "pagination.py",
        "return asked if maximum is None else min(asked, maximum)",
        "return asked",
        ("test_pagination.py", "contract"),
    ),
    Mutant(
        "pages",
        "the first of repeated page numbers counts",
        "pagination.py",
        "return values[-1] if values else None",
        "return values[0] if values else None",
        ("test_pagination.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "pages",
        "the window of page links changes to its end one page early",
        "wire/windows.py",
        "if current > last - near:",
        "if current >= last - near:",
        ("wire/test_windows.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "pages",
        "the last item of a short page is counted as of a full one",
        "wire/pages.py",
        "first + len(self.data) - 1",
        "first + self.per_page - 1",
        ("test_pagination.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "pages",
        "a unique column that may be null needs no tie-breaker",
        "ordering.py",
        "return field.primary_key or (field.unique and not field.null)",
        "return field.primary_key or field.unique",
        ("test_ordering.py",),
    ),
)

LINKS = (
    Mutant(
        "links",
        "links repeat a token whose parameter has an unusual spelling",
        "wire/links.py",
        "if plain_name(pair[0]) not in unwanted]",
        "if pair[0] not in unwanted]",
        ("wire/test_links.py", "test_pagination.py", "test_promises_of_requests.py"),
    ),
    Mutant(
        "links",
        "links keep the first of repeated parameters",
        "wire/links.py",
        "else values[-1:]",
        "else values[:1]",
        ("wire/test_links.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "links",
        "links do not escape slashes in values",
        "wire/links.py",
        "={quote(value, safe='')}&",
        "={quote(value)}&",
        ("wire/test_links.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "links",
        "the first page links to a page before it",
        "wire/pages.py",
        "return self.current_page - 1 if self.current_page > 1 else None",
        "return self.current_page - 1 if self.current_page >= 1 else None",
        ("test_pagination.py", "test_golden_pagination.py"),
    ),
    Mutant(
        "links",
        "links keep a page parameter with brackets",
        "wire/links.py",
        "return self.parameter not in (key, base_name(key))",
        "return self.parameter != key",
        ("wire/test_links.py", "test_golden_pagination.py", "test_pagination.py"),
    ),
    Mutant(
        "links",
        "a redirect repeats the token of the query",
        "query_tokens.py",
        'response["Location"] = without_tokens(response["Location"], request)',
        'response["Location"] = str(response["Location"])',
        ("test_query_tokens.py", "test_middleware.py"),
    ),
)

ERRORS = (
    Mutant(
        "errors",
        "a violated constraint of two fields is blamed on the first one",
        "handlers.py",
        "{fields[0]: [text]} if len(fields) == 1 else [text]",
        "{fields[0]: [text]} if fields else [text]",
        ("test_handlers.py",),
    ),
    Mutant(
        "errors",
        "every integrity error is reported as a value that must be unique",
        "integrity.py",
        "    if not _is_unique_violation(exc):\n        return None\n",
        "    if not _is_unique_violation(exc):\n        return []\n",
        ("test_handlers.py", "test_stores.py"),
    ),
    Mutant(
        "errors",
        "the summary of a 422 counts its first text twice",
        "errors.py",
        "more = len(found) - 1",
        "more = len(found)",
        ("test_golden_validation.py", "test_handlers.py"),
    ),
    Mutant(
        "errors",
        "the indexes in names of errors begin at 1",
        "wire/errors.py",
        "(*path, str(index)) if nested else path",
        "(*path, str(index + 1)) if nested else path",
        ("wire/test_errors.py", "test_golden_validation.py"),
    ),
    Mutant(
        "errors",
        "client errors contain the request id",
        "errors.py",
        "wanted = status.is_server_error(status_code) and api_settings.request_id_in_errors",
        "wanted = api_settings.request_id_in_errors",
        ("test_request_ids.py",),
    ),
    Mutant(
        "errors",
        "a hand-written 409 with lists of texts becomes a 422",
        "errors.py",
        "if status_code in INVALID and is_field_errors(data):",
        "if is_field_errors(data):",
        ("test_renderers.py",),
    ),
    Mutant(
        "errors",
        "DRF's own text of a 405 or 415 reaches the client",
        "handlers.py",
        "    if isinstance(exc, WORDED_BY_STATUS):\n        return False\n",
        "",
        ("test_golden_errors.py", "test_handlers.py"),
    ),
)

HANDLERS = (
    Mutant(
        "handlers",
        "Retry-After is rounded down",
        "handlers.py",
        "math.ceil(wait)",
        "math.floor(wait)",
        ("test_handlers.py", "throttling/test_answers.py"),
    ),
    Mutant(
        "handlers",
        "an authenticator's own challenge is ignored",
        "handlers.py",
        "        if own:\n            return own\n",
        "",
        ("test_handlers.py", "test_authentication.py"),
    ),
    Mutant(
        "handlers",
        "a 429 of another package's throttle may be cached",
        "handlers.py",
        'headers["Cache-Control"] = "no-store"',
        "pass",
        ("test_handlers.py", "test_caching.py", "throttling/test_answers.py"),
    ),
    Mutant(
        "handlers",
        "the middleware replaces bodies of application/problem+json",
        "middleware.py",
        'return not media_type.endswith(("/json", "+json"))',
        'return not media_type.endswith("/json")',
        ("test_middleware.py",),
    ),
    Mutant(
        "handlers",
        "a POST without the trailing slash is redirected and loses its body",
        "middleware.py",
        'return has_query_token(request) or request.method not in ("GET", "HEAD")',
        "return has_query_token(request)",
        ("test_middleware.py",),
    ),
    Mutant(
        "handlers",
        "an empty mapping gets an envelope",
        "renderers.py",
        "return bool(data) and wrap not in data",
        "return wrap not in data",
        ("test_renderers.py", "test_golden_resources.py"),
    ),
    Mutant(
        "handlers",
        "the strict Accept rule demands JSON in every range",
        "negotiation.py",
        "        return any(\n            accepted.main_type",
        "        return all(\n            accepted.main_type",
        ("test_negotiation.py", "contract"),
    ),
)

LIMITS = (
    Mutant(
        "limits",
        "a shared counter is named like a limit's own",
        "limits.py",
        'f"shared:{self.counter}" if shares',
        'f"limit:{self.counter}" if shares',
        ("test_limits.py", "throttling/test_limiters.py"),
    ),
    Mutant(
        "limits",
        "a limit that rejects the request does not outrank a shadow limit",
        "limits.py",
        "        if self.refuses != other.refuses:\n            return self.refuses\n",
        "",
        ("throttling/test_shadow.py", "throttling/test_answers.py", "test_limits.py"),
    ),
    Mutant(
        "limits",
        "rejected tokens are not counted locally while the cache is unavailable",
        "limits.py",
        'return "local" if api_settings.on_cache_failure == "local" else "open"',
        'return "open"',
        ("test_refused_tokens.py", "throttling/test_outages.py", "management/test_limits.py"),
    ),
    Mutant(
        "limits",
        "the seconds to wait for a limit are rounded down",
        "engines/counting.py",
        "return max(1, math.ceil(self.reset - self.now))",
        "return max(1, math.floor(self.reset - self.now))",
        ("test_limits.py", "engines", "throttling/test_answers.py", "test_refused_tokens.py"),
    ),
    Mutant(
        "limits",
        "X-RateLimit-Reset is rounded down",
        "limits.py",
        "str(math.ceil(usage.reset))",
        "str(math.floor(usage.reset))",
        ("test_limits.py", "throttling", "test_refused_tokens.py"),
    ),
    Mutant(
        "limits",
        "each IPv6 address of one network is counted for itself",
        "limits.py",
        "ipaddress.IPv6Network((int(address), 64), strict=False)",
        "ipaddress.IPv6Network((int(address), 128), strict=False)",
        ("test_limits.py", "test_addresses.py", "throttling/test_askers.py"),
    ),
    Mutant(
        "limits",
        "a 429 counts where 4xx is counted",
        "limiters.py",
        'kind = "" if code == status.HTTP_429_TOO_MANY_REQUESTS else f"{code // 100}xx"',
        'kind = f"{code // 100}xx"',
        ("throttling/test_answers_that_count.py",),
    ),
)

ENGINES = (
    Mutant(
        "engines",
        "a fixed window counts one millisecond too long",
        "engines/memory.py",
        "return self.count if now < self.ends_at else 0",
        "return self.count if now <= self.ends_at else 0",
        ("engines/test_windows.py", "test_limits.py"),
    ),
    Mutant(
        "engines",
        "on a Redis cluster one client key is counted before another rejects the request",
        "engines/storages.py",
        "        if len(groups) > 1:\n            refused",
        "        if len(groups) > len(counters):\n            refused",
        ("engines/test_redis.py", "engines"),
    ),
    Mutant(
        "engines",
        "a sliding window rounds the part of the window before down",
        "engines/memory.py",
        "count + math.ceil(before * left / self.length)",
        "count + math.floor(before * left / self.length)",
        ("engines/test_windows.py", "test_limits.py"),
    ),
    Mutant(
        "engines",
        "counters in a Django cache report their end one second early",
        "engines/caches.py",
        "core._get_window(self._value(counter), counter.rate.seconds) + 1",
        "core._get_window(self._value(counter), counter.rate.seconds)",
        ("engines/test_caches.py", "test_limits.py"),
    ),
    Mutant(
        "engines",
        "a request of cost 3 that is rejected uses up the rest of the limit",
        "engines/counting.py",
        "if len(counters) > 1 or first.cost > 1 or first.window == SLIDING:",
        "if len(counters) > 1 or first.window == SLIDING:",
        ("test_limits.py", "engines", "throttling/test_limiters.py"),
    ),
    Mutant(
        "engines",
        "the site's time-outs of Redis do not replace the defaults",
        "engines/storages.py",
        "given = {**TIME_OUTS.get(kind, {}), **options}",
        "given = {**options, **TIME_OUTS.get(kind, {})}",
        ("engines", "test_time_out_checks.py", "test_limit_checks.py"),
    ),
)

LIFE_CYCLE = (
    Mutant(
        "life cycle",
        "a grace period extends a token that would expire before its end",
        "rotation.py",
        "end if old.expires_at is None else min(old.expires_at, end)",
        "end",
        ("test_lifecycle.py", "management/test_rotate.py"),
    ),
    Mutant(
        "life cycle",
        "a revocation does not end the grace period",
        "managers.py",
        "            if row.revoked_at is None or row.revoked_at > now:",
        "            if row.revoked_at is None:",
        ("test_lifecycle.py", "management/test_revoke.py"),
    ),
    Mutant(
        "life cycle",
        "a token that was unused for too long can be extended",
        "base_models.py",
        "Q(revoked_at=None) & ~is_idle()",
        "Q(revoked_at=None)",
        ("test_lifecycle.py", "admin/test_list.py"),
    ),
    Mutant(
        "life cycle",
        "the last use of a token with an idle timeout waits in the cache",
        "last_used.py",
        'if mode == "cache" and token.idle_timeout is None:',
        'if mode == "cache":',
        ("test_last_used.py",),
    ),
    Mutant(
        "life cycle",
        "the site's idle timeout replaces that of the new token",
        "managers.py",
        'fields.setdefault("idle_timeout", api_settings.token_idle_timeout)',
        'fields["idle_timeout"] = api_settings.token_idle_timeout',
        ("test_lifecycle.py", "test_states.py", "test_base_models.py", "management/test_create.py"),
    ),
    Mutant(
        "life cycle",
        "the reason of an event may contain a token",
        "events.py",
        'for field in ("name", "reason"):',
        'for field in ("name",):',
        ("test_events.py", "test_redaction.py", "test_audit.py"),
    ),
    Mutant(
        "life cycle",
        "last uses are lost after the cache was emptied",
        "last_used.py",
        "first = tail + 1 if tail <= head else 1",
        "first = tail + 1",
        ("test_last_used.py",),
    ),
)

MUTANTS = (
    *AUTHENTICATION,
    *PERMISSIONS,
    *PAGES,
    *LINKS,
    *ERRORS,
    *HANDLERS,
    *LIMITS,
    *ENGINES,
    *LIFE_CYCLE,
)


def main() -> None:
    """Run the tests against each chosen mutant and print the results."""
    options = parse_arguments()
    mutants = [mutant for mutant in MUTANTS if options.only.lower() in str(mutant).lower()]
    for mutant in mutants:
        compile(mutate(options.checkout, mutant), mutant.file, "exec")
    if options.check:
        print(f"{len(mutants)} mutants apply and compile.")
        return
    start = time.monotonic()
    with copies(options.checkout, options.jobs) as checkouts:
        check_collection(checkouts.queue[0], options.pytest)
        outcomes = run_all(mutants, checkouts, options.pytest, options.jobs)
    survivors = report([outcomes[mutant] for mutant in mutants], time.monotonic() - start)
    sys.exit(bool(survivors))


def parse_arguments() -> argparse.Namespace:
    """Return the options; ``pytest`` is the list of arguments after ``--``."""
    ours, pytest_arguments = sys.argv[1:], []
    if "--" in ours:
        at = ours.index("--")
        ours, pytest_arguments = ours[:at], ours[at + 1 :]
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        usage="%(prog)s [options] [-- pytest arguments]",
    )
    parser.add_argument(
        "--checkout",
        type=Path,
        default=Path(__file__).resolve().parent.parent,
        help="repository to test (default: the one of this script)",
    )
    parser.add_argument("--only", default="", help="part of 'area: name' of the mutants to run")
    parser.add_argument("--jobs", type=int, default=1, help="mutants to test at once (default: 1)")
    parser.add_argument("--check", action="store_true", help="only check that all mutants apply")
    options = parser.parse_args(ours)
    options.pytest = pytest_arguments
    return options


def mutate(checkout: Path, mutant: Mutant) -> str:
    """Return the mutated source; exit if the text to replace does not occur exactly once."""
    source = (checkout / PACKAGE / mutant.file).read_text("utf-8")
    found = source.count(mutant.old)
    if found != 1:
        sys.exit(
            f"The mutant '{mutant}' cannot be applied: its text occurs {found} times in "
            f"{PACKAGE}/{mutant.file}, and has to occur once. Update its 'old' text:\n{mutant.old}"
        )
    return source.replace(mutant.old, mutant.new)


@contextmanager
def copies(checkout: Path, number: int) -> Iterator[queue.Queue[Path]]:
    """Copy the checkout's tracked files once per job; remove the copies at the end."""
    git = ["git", "-C", str(checkout), "ls-files", "-z"]
    listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutants_") as folder:
        found: queue.Queue[Path] = queue.Queue()
        for job in range(number):
            target = Path(folder, str(job))
            for name in filter(None, listed):
                # Deleted files are listed until their deletion is staged.
                if (checkout / name).is_file():
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(checkout / name, target / name)
            found.put(target)
        yield found


def check_collection(checkout: Path, arguments: Sequence[str]) -> None:
    """Exit unless pytest collects the unmutated suite: each mutant would count as caught."""
    if run_pytest(checkout, ["--collect-only", *arguments]) != OK:
        sys.exit(
            "pytest does not collect the unmutated suite. Check the pytest arguments: "
            f"{' '.join(arguments)}"
        )


def run_all(
    mutants: Sequence[Mutant],
    checkouts: queue.Queue[Path],
    arguments: Sequence[str],
    jobs: int,
) -> dict[Mutant, Outcome]:
    """Test all mutants, ``jobs`` at once, and print each outcome."""

    def run(mutant: Mutant) -> Outcome:
        checkout = checkouts.get()
        try:
            return run_mutant(checkout, mutant, arguments)
        finally:
            checkouts.put(checkout)

    outcomes = {}
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(run, mutant) for mutant in mutants]):
            outcome = future.result()
            outcomes[outcome.mutant] = outcome
            print(f"{outcome.word}  {outcome.seconds:.1f} s  {outcome.mutant}", flush=True)
    return outcomes


def run_mutant(checkout: Path, mutant: Mutant, arguments: Sequence[str]) -> Outcome:
    """Run the tests of one mutant: the most likely ones, then the whole suite."""
    start = time.monotonic()
    paths = [f"tests/{name}" for name in mutant.tests if (checkout / "tests" / name).exists()]
    words = {OK: "survived", FAILED: "caught", None: "caught (timeout)"}
    with applied(checkout, mutant):
        code = run_pytest(checkout, [*arguments, *paths]) if paths else NOTHING_COLLECTED
        if code in (OK, NOTHING_COLLECTED):
            code = run_pytest(checkout, arguments)
    word = words.get(code, f"caught (collection error, exit code {code})")
    return Outcome(mutant, code != OK, word, time.monotonic() - start)


@contextmanager
def applied(checkout: Path, mutant: Mutant) -> Iterator[None]:
    """Apply a mutant inside the block."""
    path = checkout / PACKAGE / mutant.file
    original = path.read_text("utf-8")
    write(path, mutate(checkout, mutant))
    try:
        yield
    finally:
        write(path, original)


def write(path: Path, source: str) -> None:
    """Write a module and remove its bytecode."""
    path.write_text(source, "utf-8")
    # Python compares size and whole seconds, which a mutant may share with the original.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def run_pytest(checkout: Path, arguments: Sequence[str]) -> int | None:
    """Return the exit code of pytest, or ``None`` after ``TIMEOUT`` seconds."""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *PYTEST, *arguments],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Tests may start servers: a timeout ends the whole group.
        start_new_session=True,
    ) as process:
        try:
            return process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None


def report(outcomes: Sequence[Outcome], seconds: float) -> list[Mutant]:
    """Print a Markdown table by area and the survivors, and return the survivors."""
    mutants = Counter(outcome.mutant.area for outcome in outcomes)
    caught = Counter(outcome.mutant.area for outcome in outcomes if outcome.is_caught)
    print("\n| area | mutants | caught |\n|---|---|---|")
    for area, number in mutants.items():
        print(f"| {area} | {number} | {caught[area]} |")
    print(f"| all | {mutants.total()} | {caught.total()} |")
    survivors = [outcome.mutant for outcome in outcomes if not outcome.is_caught]
    print(f"\n{seconds / 60:.1f} minutes. Survivors: {len(survivors)}")
    for mutant in survivors:
        print(f"- {mutant} ({mutant.file})")
    return survivors


if __name__ == "__main__":
    main()
