"""The chats' seeded rows: the same texts, ids and times on every run."""

from datetime import UTC, datetime

from project.seeding import create

from .models import Chat, ChatUser

CHATS = {
    "Opening hours": [("Vera Holm", "vera@example.com"), ("Emil Brandt", "emil@example.com")],
    "A lost umbrella": [("Vera Holm", "vera@example.com"), ("Noor Haddad", "noor@example.com")],
    "Where to park": [("Lucia Romano", "lucia@example.com")],
}
"""Name of a chat to the people in it."""
START = datetime(2021, 7, 5, 9, 31, 38, tzinfo=UTC)


def seed() -> None:
    """Fill the empty tables of chats and people, who have neither codes nor tokens yet."""
    create(
        Chat(id=number, name=name, created_at=START, updated_at=START)
        for number, name in enumerate(CHATS, 1)
    )
    people = [
        (chat, *person) for chat, everybody in enumerate(CHATS.values(), 1) for person in everybody
    ]
    create(
        ChatUser(
            id=number, chat_id=chat, name=name, email=email, created_at=START, updated_at=START
        )
        for number, (chat, name, email) in enumerate(people, 1)
    )
