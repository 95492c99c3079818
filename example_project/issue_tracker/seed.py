"""The issue tracker's seeded rows: the same texts, ids and times on every run."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser

from project.seeding import create

from .models import Category, Company, CompanyUser, Issue, IssueSubscription

COMPANIES = ["Harbour Foods", "Alder Energy", "Linden Transport", "Copper Bridge Bank"]
CATEGORIES = [
    *("Online shop", "Home delivery", "Loyalty cards"),
    *("Electricity", "Charging stations", "Meter readings"),
    *("Buses", "Trams", "Ticket machines"),
    *("Card payments", "Savings accounts", "Mobile banking"),
]
"""Three for each company, in the companies' sequence."""
MEMBERS = {1: 1, 2: 1, 3: 1, 4: 2}
"""Company to user, both counted from 1."""

TOPICS = [
    ("Long waiting times", "Visitors wait far longer than usual before they are helped."),
    ("Wrong prices shown", "Some prices still show last month's amounts."),
    ("Power cut", "Parts of the town are without power. A team is on its way."),
    ("Payments are refused", "Several banks refuse payments at the moment. Cash is welcome."),
    ("Letters arrive late", "Letters of this week arrive two to three days late."),
    ("Short maintenance break", "The service rests for an hour tonight while we look after it."),
    ("Doors stay closed", "The main entrance is closed. Please walk round to the garden side."),
    ("Noise during repairs", "Repairs next door are loud until the end of the week."),
    ("Phone line is silent", "Callers hear nothing. Writing to us works as ever."),
    ("Receipts lack a date", "Receipts of this morning lack their date. They are valid."),
    ("Heating is off", "The heating rests until the new boiler has been fitted."),
    ("Map shows old stops", "The printed map still shows the stops of last year."),
]
PLACES = [
    *("Ashford", "Birkenhead", "Carlisle", "Dundee", "Exeter"),
    *("Falmouth", "Galway", "Hastings", "Inverness", "Jarrow"),
]
SEVERITIES = Issue.Severity.values

START = datetime(2021, 4, 26, 22, 25, 35, tzinfo=UTC)
STEP = timedelta(hours=7, minutes=13)
LONGEST = timedelta(days=1500)
"""However many issues there are, the last one is made within this time."""


def seed(users: Sequence[AbstractBaseUser], issues: int) -> None:
    """Fill the empty tables; ``users`` are the first and the second member of companies."""
    create(
        Company(
            id=number,
            name=name,
            slug=name.lower().replace(" ", "-"),
            logo_url=f"https://{name.lower().replace(' ', '-')}.example/logo",
            created_at=START,
            updated_at=START,
        )
        for number, name in enumerate(COMPANIES, 1)
    )
    create(
        CompanyUser(
            id=company, company_id=company, user=users[user - 1], email=users[user - 1].email
        )
        for company, user in MEMBERS.items()
    )
    create(
        Category(
            id=number,
            name=name,
            company_id=(number - 1) // 3 + 1,
            created_at=START,
            updated_at=START,
        )
        for number, name in enumerate(CATEGORIES, 1)
    )
    create(_issue(number, min(STEP, LONGEST / issues)) for number in range(1, issues + 1))
    create(
        Issue.categories.through(id=id_, issue_id=issue, category_id=category)
        for id_, (issue, category) in enumerate(_issue_categories(issues), 1)
    )
    create(
        IssueSubscription(id=id_, issue_id=issue, email=f"reader{reader}@example.com")
        for id_, (issue, reader) in enumerate(_subscriptions(issues), 1)
    )


def _issue(number: int, step: timedelta) -> Issue:
    topic, description = TOPICS[(number - 1) % len(TOPICS)]
    created_at = (START + step * (number - 1)).replace(microsecond=0)
    closed_at = created_at + timedelta(days=2, hours=5) if number % 5 == 0 else None
    return Issue(
        id=number,
        name=f"{topic} in {PLACES[(number - 1) // len(TOPICS) % len(PLACES)]}",
        description=description,
        severity=SEVERITIES[(number - 1) % len(SEVERITIES)],
        closed_at=closed_at,
        created_at=created_at,
        updated_at=closed_at or created_at,
    )


def _issue_categories(issues: int) -> Iterator[tuple[int, int]]:
    """Yield issue and category: one or two of each issue's company, which are taken in turns."""
    for issue in range(1, issues + 1):
        company = (issue - 1) % len(COMPANIES)
        first = (issue - 1) // len(COMPANIES) % 3
        yield issue, company * 3 + first + 1
        if issue % 3 == 1:
            yield issue, company * 3 + (first + 1) % 3 + 1


def _subscriptions(issues: int) -> Iterator[tuple[int, int]]:
    """Yield issue and reader: none, one or two for each issue."""
    for issue in range(1, issues + 1):
        for reader in range(1, (issue + 1) % 3 + 1):
            yield issue, reader
