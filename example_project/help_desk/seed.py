"""The help desk's seeded rows: the same texts, ids and times on every run."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser

from project.seeding import create

from .models import (
    Agent,
    Channel,
    Client,
    Contact,
    Customer,
    Message,
    Tag,
    Team,
    Ticket,
    Webhook,
    WebhookLog,
    no_events,
)

ACME, OTHER = 1, 2
CLIENTS = {ACME: ("acme", "Acme"), OTHER: ("other", "Other")}
CHANNELS = [
    (ACME, "Support", "support@acme.example", "email"),
    (ACME, "Sales", "sales@acme.example", "email"),
    (ACME, "Website", "www.acme.example", "widget"),
    (OTHER, "Support", "support@other.example", "email"),
]
TEAMS = [
    (ACME, "Billing", "billing@acme.example"),
    (ACME, "Shipping", "shipping@acme.example"),
    (ACME, "Repairs", "repairs@acme.example"),
]
AGENTS = [
    (ACME, "Maria Lindqvist", "maria@acme.example"),
    (ACME, "Oskar Bauer", "oskar@acme.example"),
    (ACME, "Priya Nair", "priya@acme.example"),
    (OTHER, "Tomas Novak", "tomas@other.example"),
]
AGENT_USERS = {1: 0, 4: 1}
"""Agent to the position of the user it is."""
TAGS = [
    *(("Invoice", "#1f77b4"), ("Refund", "#ff7f0e"), ("Delivery", "#2ca02c")),
    *(("Damage", "#d62728"), ("Warranty", "#9467bd"), ("Colour", "#8c564b")),
    *(("Size", "#e377c2"), ("Praise", "#7f7f7f"), ("Complaint", "#bcbd22")),
    ("Question", "#17becf"),
]
WEBHOOK_ANSWERS = [
    (503, "Closed for the night. Please try again in the morning."),
    (410, "Nobody lives here any more."),
]
FIRST_NAMES = ["Ada", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Ida", "Jonas"]
LAST_NAMES = [
    *("Archer", "Becker", "Castle", "Dupont", "Evans", "Fischer"),
    *("Garcia", "Hansen", "Ivanov", "Jansen", "Keller", "Larsen"),
]
HOMES = [
    ("12 Mill Lane", "Leeds", "Yorkshire", "LS1 4AP", "Europe/London", "United Kingdom", "en-GB"),
    ("Lindenweg 4", "Bremen", "Bremen", "28195", "Europe/Berlin", "Germany", "de-DE"),
    ("7 Rue Haute", "Lyon", "Rhône", "69001", "Europe/Paris", "France", "fr-FR"),
    ("90 Elm Street", "Boston", "Massachusetts", "02135", "America/New_York", "USA", "en-US"),
]
JOBS = ["Gardener", "Teacher", "Engineer", "Shop owner", "Student"]
SUBJECTS = [
    ("My lamp flickers", "The lamp that arrived on Monday flickers in the evening."),
    ("Parcel has not arrived", "My parcel was due last week. Could you find out what happened?"),
    ("Wrong colour", "I asked for a green chair and a blue one came."),
    ("A second invoice", "I was sent two invoices for one sofa. Which one is right?"),
    ("Thank you", "The new shelf fits perfectly. Thank you for the quick help."),
    ("Missing screws", "The box of my desk lacks four screws."),
    ("Delivery on a Saturday", "Could the wardrobe come on a Saturday morning?"),
]
REPLIES = [
    "Thank you for writing. We are looking into it and will be back soon.",
    "Spoke with the warehouse: the part goes out tomorrow.",
    "That is good to hear. Is there anything that I should do meanwhile?",
    "Please see the message below: can you help here?",
]
"""What follows the first message of a ticket: an agent's answer, an agent's note, the customer
again, and the agent passing it on."""
REPLY_TYPES = ["external", "internal", "external", "forward"]

CUSTOMERS = {ACME: 120, OTHER: 5}
OTHER_TICKETS = 5
STATUSES = Ticket.Status.values
MESSAGE_COUNTS = [3, 1, 2, 1, 5, 1, 2, 1, 4, 1]
START = datetime(2021, 9, 3, 12, 40, 43, tzinfo=UTC)
STEP = timedelta(hours=5, minutes=41)
PAUSE = timedelta(hours=3, minutes=7)
"""The time between two messages of a ticket."""
LONGEST = timedelta(days=1500)
"""However many tickets there are, the last one is made within this time."""


def seed(users: Sequence[AbstractBaseUser], tickets: int) -> None:
    """Fill the empty tables: ``tickets`` for the client acme, and the few of the other one."""
    _seed_offices(users)
    _seed_people()
    _seed_webhooks()
    total = tickets + OTHER_TICKETS
    step = min(STEP, LONGEST / total)
    create(_ticket(number, _owner(number, tickets), step) for number in range(1, total + 1))
    create(
        Ticket.tags.through(id=id_, ticket_id=ticket, tag_id=tag)
        for id_, (ticket, tag) in enumerate(_ticket_tags(tickets), 1)
    )
    create(_messages(tickets, total, step))


def _owner(ticket: int, tickets: int) -> int:
    return ACME if ticket <= tickets else OTHER


def _seed_offices(users: Sequence[AbstractBaseUser]) -> None:
    create(Client(id=id_, slug=slug, name=name) for id_, (slug, name) in CLIENTS.items())
    create(
        Channel(id=id_, client_id=client, name=name, value=value, type=type_)
        for id_, (client, name, value, type_) in enumerate(CHANNELS, 1)
    )
    create(
        Team(id=id_, client_id=client, name=name, email=email)
        for id_, (client, name, email) in enumerate(TEAMS, 1)
    )
    create(
        Agent(
            id=id_,
            client_id=client,
            name=name,
            email=email,
            user=users[AGENT_USERS[id_]] if id_ in AGENT_USERS else None,
        )
        for id_, (client, name, email) in enumerate(AGENTS, 1)
    )
    create(
        Tag(
            id=id_,
            client_id=ACME,
            name=name,
            slug=name.lower(),
            color=color,
            type="tickets" if id_ % 2 else "all",
            created_at=START,
            updated_at=START,
        )
        for id_, (name, color) in enumerate(TAGS, 1)
    )


def _seed_people() -> None:
    """Fill customers and contacts: one for each customer, of the same id, then the agents'."""
    owners = [client for client, count in CUSTOMERS.items() for _ in range(count)]
    create(_customer(number, client) for number, client in enumerate(owners, 1))
    create(
        Contact(
            id=number,
            client_id=client,
            customer_id=number,
            name=_name(number),
            value=_email(number),
        )
        for number, client in enumerate(owners, 1)
    )
    create(
        Contact(id=_agent_contact(id_), client_id=client, name=name, value=email)
        for id_, (client, name, email) in enumerate(AGENTS, 1)
    )


def _seed_webhooks() -> None:
    """Give each client a webhook, which for acme has been tried."""
    create(
        Webhook(
            id=client,
            client_id=client,
            enabled=client == ACME,
            url=f"https://{slug}.example/hook",
            headers=[{"key": "X-Sender", "value": "help desk"}],
            trigger={**no_events(), "tag": {"created": True, "updated": True, "deleted": False}},
            failed_count=len(WEBHOOK_ANSWERS) if client == ACME else 0,
            created_at=START,
            updated_at=START,
        )
        for client, (slug, _) in CLIENTS.items()
    )
    create(
        WebhookLog(
            id=id_,
            client_id=ACME,
            status=status,
            response=response,
            created_at=START + timedelta(days=id_),
        )
        for id_, (status, response) in enumerate(WEBHOOK_ANSWERS, 1)
    )


def _agent_contact(agent: int) -> int:
    return sum(CUSTOMERS.values()) + agent


def _name(number: int) -> str:
    first = FIRST_NAMES[(number - 1) % len(FIRST_NAMES)]
    return f"{first} {LAST_NAMES[(number - 1) // len(FIRST_NAMES) % len(LAST_NAMES)]}"


def _email(number: int) -> str:
    return f"{_name(number).lower().replace(' ', '.')}.{number}@example.com"


def _customer(number: int, client: int) -> Customer:
    address, city, state, postal_code, timezone, country, locale = HOMES[(number - 1) % len(HOMES)]
    created_at = START + timedelta(hours=number - 1)
    return Customer(
        id=number,
        client_id=client,
        name=_name(number),
        email=_email(number),
        job_title=JOBS[(number - 1) % len(JOBS)],
        address=address,
        city=city,
        state=state,
        postal_code=postal_code,
        timezone=timezone,
        country=country,
        note="Prefers to be written to." if number % 4 == 0 else "",
        locale=locale,
        created_at=created_at,
        updated_at=created_at,
    )


def _ticket(number: int, client: int, step: timedelta) -> Ticket:
    status = STATUSES[(number - 1) % len(STATUSES)]
    handled = status not in {"unassigned", "spam"}
    created_at = _opened(number, step)
    last_contact = created_at + PAUSE * (_message_count(number) - 1)
    return Ticket(
        id=number,
        client_id=client,
        subject=SUBJECTS[(number - 1) % len(SUBJECTS)][0],
        channel_id=_channel(number, client),
        from_contact_id=_contact(number, client),
        status=status,
        assignee_id=_agent(number, client) if handled else None,
        team_id=(number - 1) % 3 + 1 if client == ACME and number % 4 else None,
        creator_id=_agent(number, client) if number % 3 == 0 else None,
        last_contact=last_contact,
        closed_at=last_contact if status == "closed" else None,
        created_at=created_at,
        updated_at=last_contact,
    )


def _opened(number: int, step: timedelta) -> datetime:
    return (START + step * (number - 1)).replace(microsecond=0)


def _message_count(ticket: int) -> int:
    return MESSAGE_COUNTS[(ticket - 1) % len(MESSAGE_COUNTS)]


def _channel(ticket: int, client: int) -> int:
    return (ticket - 1) % 3 + 1 if client == ACME else len(CHANNELS)


def _contact(ticket: int, client: int) -> int:
    before = 0 if client == ACME else CUSTOMERS[ACME]
    return before + (ticket - 1) % CUSTOMERS[client] + 1


def _agent(ticket: int, client: int) -> int:
    return (ticket - 1) % 3 + 1 if client == ACME else len(AGENTS)


def _ticket_tags(tickets: int) -> Iterator[tuple[int, int]]:
    """Yield ticket and tag: none, one or two for each of acme's tickets."""
    for ticket in range(1, tickets + 1):
        for position in range(ticket % 3):
            yield ticket, (ticket - 1 + 3 * position) % len(TAGS) + 1


def _messages(tickets: int, total: int, step: timedelta) -> Iterator[Message]:
    id_ = 0
    for ticket in range(1, total + 1):
        for position in range(_message_count(ticket)):
            id_ += 1
            yield _message(id_, ticket, _owner(ticket, tickets), position, step)


def _message(id_: int, ticket: int, client: int, position: int, step: timedelta) -> Message:
    channel = CHANNELS[_channel(ticket, client) - 1]
    by_customer = position in {0, 3}
    if position == 0:
        type_ = "widget" if channel[3] == "widget" else "external"
        body = SUBJECTS[(ticket - 1) % len(SUBJECTS)][1]
    else:
        type_ = REPLY_TYPES[position - 1]
        body = REPLIES[position - 1]
    customer = _contact(ticket, client)
    agent = _agent(ticket, client)
    return Message(
        id=id_,
        ticket_id=ticket,
        from_contact_id=customer if by_customer else _agent_contact(agent),
        type=type_,
        to=_recipients(position, channel, customer),
        body=body,
        created_at=_opened(ticket, step) + PAUSE * position,
    )


def _recipients(position: int, channel: tuple[int, str, str, str], customer: int) -> list[str]:
    _, _, value, type_ = channel
    if position in {0, 3}:
        return [value] if type_ == "email" else []
    return [_email(customer)] if position == 1 else []
