"""What clients do with the help desk: tickets of their own and of everybody's, and what goes with
them."""

from __future__ import annotations

from typing import Any

from .clients import MOST, Answer, Caller, HelpDesk, Person, data_of
from .ledger import Key, State

STATUSES = ["unassigned", "open", "escalated", "waiting", "closed", "spam"]
TYPES = ["external", "widget", "forward", "internal", "event"]
CUSTOMER = ["name", "email", "job_title", "city", "postal_code", "note", "locale"]


class Desk:
    """One client's rows of the help desk, and what it does with them."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.rng = caller, caller.rng
        self.known: dict[Key, State] = {}
        self.usable: dict[str, list[Key]] = {
            kind: [] for kind in ("ticket", "message", "customer", "tag")
        }
        self.owners: dict[Key, Person] = {}
        self.contacts: dict[tuple[str, str], State] = {}
        """Client and address to what is known of it."""
        self.seen_tags: dict[str, list[int]] = {}
        """Tags that were there when somebody looked, other clients' too."""
        self.gone: list[tuple[Person, str]] = []
        self.reads = {
            self.list_tickets: 8,
            self.list_messages: 5,
            self.list_customers: 4,
            self.list_tags: 3,
            self.read_own: 10,
            self.read_gone: 2,
            self.read_foreign: 2,
            self.read_webhook: 1,
            self.read_report: 0.6,
        }
        self.writes = {
            self.make_ticket: 7,
            self.make_message: 7,
            self.make_customer: 4,
            self.make_tag: 3,
            self.change_ticket: 6,
            self.change_customer: 3,
            self.change_tag: 2,
            self.change_shared_ticket: 3,
            self.change_webhook: 1,
            self.delete_ticket: 2,
            self.delete_customer: 1.5,
            self.delete_tag: 1.5,
            self.race_for_address: 1,
        }
        self.refused = {
            self.ask_as_nobody: 2,
            self.ask_for_another_client: 1,
            self.write_as_reader: 2,
            self.write_nonsense: 3,
        }

    # --- Reads --------------------------------------------------------------------------------

    def list_tickets(self) -> None:
        """Read a page of tickets."""
        parameters = self.rng.sample(
            [f"page={self.rng.randint(1, 20)}", f"per-page={self.rng.choice([1, 10, 50])}"],
            self.rng.randint(0, 2),
        )
        self._list("tickets", parameters)

    def list_messages(self) -> None:
        """Read the messages of a ticket, of some types."""
        person = self._somebody()
        ticket = self.rng.choice(list(self._desk(person).tickets))
        parameters = [f"types[{n}]={t}" for n, t in enumerate(self.rng.sample(TYPES, 2))]
        self._list(f"tickets/{ticket}/messages", parameters[: self.rng.randint(0, 2)], person)

    def list_customers(self) -> None:
        """Read a page of customers."""
        self._list("customers", [f"page={self.rng.randint(1, 9)}"])

    def list_tags(self) -> None:
        """Read the last tags, for tickets to come."""
        person = self._somebody()
        answer = self._list("tags", [], person)
        if answer.status == 200 and (last := answer.json()["meta"]["last_page"]) > 1:
            answer = self._list("tags", [f"page={last}"], person)
        if answer.status == 200:
            self.seen_tags[person.client] = [row["id"] for row in answer.json()["data"]][-10:]

    def _list(self, path: str, parameters: list[str], person: Person | None = None) -> Answer:
        query = f"?{'&'.join(parameters)}" if parameters else ""
        return self.caller.ask("GET", f"/api/v1/{path}{query}", person=person or self._somebody())

    def read_own(self) -> None:
        """Read a row of one's own: it has to be as it was left."""
        key = self._pick(self.rng.choice(["ticket", "message", "customer", "tag"]))
        if key:
            path, state = self._path(key), self.known[key]
            answer = self.caller.ask("GET", path, person=self.owners[key])
            self.caller.compare(path, answer, _shown(key[0], state))
            if key[0] == "ticket" and answer.status == 200:
                self._compare_contact(path, data_of(answer)["from_contact"], state)

    def _compare_contact(self, path: str, shown: dict[str, Any], state: State) -> None:
        if shown["email"] != state["contact"]:
            self.caller.report.problems.append(f"{path}: from {shown}, expected {state}")

    def read_gone(self) -> None:
        """Ask for what was deleted."""
        if self.gone:
            person, path = self.rng.choice(self.gone)
            self.caller.ask("GET", path, 404, person=person)

    def read_foreign(self) -> None:
        """Ask for what belongs to another client: it does not exist."""
        first, second = self.caller.people
        ticket = self.rng.choice(list(self._desk(first).tickets))
        self.caller.ask("GET", f"/api/v1/tickets/{ticket}", 404, person=second)

    def read_webhook(self) -> None:
        """Read the client's webhook and its logs."""
        self._list("webhook", [])
        self._list("webhook/logs", [])

    def read_report(self) -> None:
        """Order a report, ten in five seconds at most."""
        name, body = (
            self.rng.choice(["channels", "performance"]),
            {"start": "2021-09-01", "end": "2021-10-31"},
        )
        path, person = f"/api/v1/reports/{name}", self._somebody()
        answer = self.caller.ask("POST", path, (200, 429), person=person, body=body)
        if answer.status == 200 and len(answer.json()["labels"]) != 61:
            self.caller.report.problems.append(f"{path}: not 61 days")

    # --- New rows -----------------------------------------------------------------------------

    def make_ticket(self) -> None:
        """Open a ticket, which comes with a message and a contact."""
        if len(self.usable["ticket"]) > MOST:
            self.delete_ticket()
            return
        person, name = self._somebody(), self.caller.name()
        desk, email = self._desk(person), self._address(person, name)
        channel, tags = self.rng.choice(list(desk.channels)), self._some_tags(person)
        state = {
            "client": person.client,
            "subject": f"{name} {self.caller.words()}",
            "channel": channel,
            "contact": email,
            "status": self.rng.choice(STATUSES),
            "assignee": None,
            "team": self.rng.choice([None, *desk.teams]),
            "creator": None,
            "tags": tags,
            "deleted": False,
        }
        text = f"{self.caller.name()} {self.caller.words(30)} \n"
        body: dict[str, Any] = {
            "subject": state["subject"],
            "from_contact": {"email": email},
            "channel": {"id": channel},
            "message": {"body": text},
            "status": state["status"],
        }
        body |= {"tags": tags} if tags else {}
        body |= {"team": state["team"]} if state["team"] else {}
        message = self._message(person, email, text, desk.channels[channel])
        contact = self._contact(person, email)
        key, message_key = ("ticket", name), ("message", _name(text))

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            ticket = {**state, "id": data_of(answer)["id"]} if answer else state
            first = {**message, "ticket": ticket["id"]} if answer else message
            return {key: ticket, message_key: first, **contact}

        answer = self._write("POST", "tickets", 201, effect, person, body, refused=_if(tags))
        if answer:
            self._keep(key, person, effect(answer)[key])
            self.contacts[person.client, email] = contact["contact", f"{person.client}:{email}"]
        else:
            self._forget_customer(person, email)

    def make_message(self) -> None:
        """Answer a ticket of one's own or of everybody's."""
        if self.rng.random() < 0.6 or not (key := self._pick("ticket")):
            person = self._somebody()
            ticket = self.rng.choice(list(self._desk(person).tickets))
        else:
            person, ticket = self.owners[key], self.known[key]["id"]
        name = self.caller.name()
        email, text = self._address(person, name), f" {name}\n{self.caller.words(30)}"
        type_, to = self.rng.choice(TYPES), ["a@example.com", "b@example.com"]
        state = {**self._message(person, email, text, to), "ticket": ticket, "type": type_}
        body = {"body": text, "from_contact": {"email": email}, "type": type_, "to": to}
        contact = self._contact(person, email)
        key = ("message", name)

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            made = {**state, "id": data_of(answer)["id"]} if answer else state
            return {key: made, **contact}

        path = f"tickets/{ticket}/messages"
        answer = self._write("POST", path, 201, effect, person, body)
        if answer:
            self.contacts[person.client, email] = contact["contact", f"{person.client}:{email}"]
            self._keep(key, person, effect(answer)[key])
            self.usable["message"] = self.usable["message"][-MOST:]
        else:
            self._forget_customer(person, email)

    def make_customer(self) -> None:
        """Make a customer."""
        if len(self.usable["customer"]) > MOST:
            self.delete_customer()
            return
        person, name = self._somebody(), self.caller.name()
        state = {
            "client": person.client,
            "name": f"{name} {self.caller.words(3)}",
            "email": f"c{self.caller.number_of(name)}@soak.example",
            "job_title": self.caller.words(),
            "city": self.caller.words(2),
            "postal_code": f"{self.rng.randint(0, 99999):05}",
            "note": self.caller.words(20),
            "locale": self.rng.choice(["", "de-DE", "en-GB"]),
        }
        body = {name: state[name] for name in CUSTOMER}
        self._make("customer", name, "customers", person, state, body)

    def make_tag(self) -> None:
        """Make a tag."""
        if len(self.usable["tag"]) > MOST:
            self.delete_tag()
            return
        person, name = self._somebody(), self.caller.name()
        body = {
            "name": f"{name} {self.caller.words(2)}",
            "slug": f"soak-{self.caller.number_of(name)}",
            "color": f"#{self.rng.randrange(16**6):06x}",
            "type": self.rng.choice(["tickets", "docs", "all"]),
        }
        self._make("tag", name, "tags", person, {**body, "client": person.client}, body)

    def _make(
        self, kind: str, name: str, path: str, person: Person, state: State, body: dict[str, Any]
    ) -> None:
        key = (kind, name)

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            return {key: {**state, "id": data_of(answer)["id"]} if answer else state}

        if answer := self._write("POST", path, 201, effect, person, body):
            self._keep(key, person, effect(answer)[key])

    # --- Changes ------------------------------------------------------------------------------

    def change_ticket(self) -> None:
        """Change some of a ticket, and at times who asks."""
        key = self._pick("ticket")
        if not key:
            return
        person = self.owners[key]
        desk, contact, body = self._desk(person), {}, self._ticket(person)
        state = {**self.known[key], **body}
        if "subject" in body:
            body["subject"] = state["subject"] = f"{key[1]} {body['subject']}"
        if self.rng.random() < 0.2:
            state["contact"] = email = self._address(person, self.caller.name())
            contact = self._contact(person, email)
            body["from_contact"] = {"email": email}
        if self.rng.random() < 0.2:
            state["channel"] = self.rng.choice(list(desk.channels))
            body["channel"] = {"id": state["channel"]}
        self._change(key, self.rng.choice(["PATCH", "PUT"]), state, body, contact)

    def change_customer(self) -> None:
        """Change some of a customer."""
        if key := self._pick("customer"):
            body = {"note": self.caller.words(20), "city": self.caller.words(2)}
            method = self.rng.choice(["PATCH", "PUT"])
            self._change(key, method, {**self.known[key], **body}, body, {})

    def change_tag(self) -> None:
        """Change a tag's colour and name."""
        if key := self._pick("tag"):
            colour = f"#{self.rng.randrange(16**6):06x}"
            body = {"color": colour, "name": f"{key[1]} {self.caller.words(2)}"}
            self._change(key, "PATCH", {**self.known[key], **body}, body, {})

    def _change(
        self, key: Key, method: str, state: State, body: dict[str, Any], contact: dict[Key, State]
    ) -> None:
        self.usable[key[0]].remove(key)
        person, rows = self.owners[key], {key: state, **contact}
        refused = _if(body.get("tags"))
        path = self._path(key).removeprefix("/api/v1/")
        if self._write(method, path, 200, lambda _: rows, person, body, refused=refused):
            self.known[key] = state
            self.usable[key[0]].append(key)
            self.contacts |= {(c["client"], c["value"]): c for c in contact.values()}
        elif key[0] == "ticket":
            # It belongs to one of both, and goes when that one goes.
            for email in (self.known[key]["contact"], state["contact"]):
                self._forget_customer(person, email)

    def change_shared_ticket(self) -> None:
        """Change a ticket that others change, too: what is left is one's own or another's."""
        person = self._somebody()
        desk = self._desk(person)
        id_, channel = self.rng.choice(list(desk.tickets)), self.rng.choice(list(desk.channels))
        tags = sorted(self.rng.sample(desk.tags, min(2, len(desk.tags))))
        email = self.rng.choice(list(desk.contacts))
        body: dict[str, Any] = {
            "subject": self.caller.words(),
            "status": self.rng.choice(STATUSES),
            "team": self.rng.choice([None, *desk.teams]),
            "channel": {"id": channel},
            "from_contact": {"email": email},
            "assignee": None,
            "tags": tags,
        }
        plain = {name: body[name] for name in ("subject", "status", "team", "assignee", "tags")}
        state = {
            **plain,
            "id": id_,
            "client": person.client,
            "creator": desk.tickets[id_],
            "deleted": False,
            "channel": channel,
            "contact": email,
        }
        rows = {("ticket", f"#{id_}"): state, **self._contact(person, email)}
        self._write("PATCH", f"tickets/{id_}", 200, lambda _: rows, person, body)

    def change_webhook(self) -> None:
        """Set the client's webhook, as others do."""
        person = self._somebody()
        state = {
            "client": person.client,
            "url": f"https://example.com/{self.rng.randrange(10**6)}",
            "secret": self.caller.words(),
            "enabled": self.rng.random() < 0.5,
        }
        body = {"webhooks": {name: state[name] for name in ("url", "secret", "enabled")}}
        rows = {("desk_webhook", person.client): state}
        self._write("POST", "webhook", 201, lambda _: rows, person, body)

    def race_for_address(self) -> None:
        """Make a customer whose address others want at the same time: one of them gets it."""
        person, name = self._somebody(), self.caller.name()
        state = {
            **dict.fromkeys(CUSTOMER, ""),
            "client": person.client,
            "name": name,
            "email": f"wanted{len(self.caller.report.seconds) // 40}@soak.example",
        }
        body = {"name": name, "email": state["email"]}

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            made = {**state, "id": data_of(answer)["id"]} if answer else state
            return {("customer", name): made}

        self._write("POST", "customers", 201, effect, person, body, refused=(422,))

    # --- Deletions ----------------------------------------------------------------------------

    def delete_ticket(self) -> None:
        """Delete a ticket, whose row is kept."""
        if key := self._pick("ticket"):
            self._delete(key, {key: {**self.known[key], "deleted": True}})

    def delete_tag(self) -> None:
        """Delete a tag, which leaves all tickets."""
        if key := self._pick("tag"):
            self._delete(key, {key: None})

    def delete_customer(self) -> None:
        """Delete a customer with the tickets that the customer has asked."""
        key = self._pick("customer")
        if not key:
            return
        client, email = self.owners[key].client, self.known[key]["email"]
        rows: dict[Key, State | None] = {
            k: {**row, "deleted": True}
            for k, row in self.known.items()
            if k[0] == "ticket" and (row["client"], row["contact"]) == (client, email)
        }
        if contact := self.contacts.pop((client, email), None):
            rows["contact", f"{client}:{email}"] = {**contact, "customer": None}
        self._delete(key, {key: None, **rows})

    def _delete(self, key: Key, rows: dict[Key, State | None]) -> None:
        path, person = self._path(key), self.owners[key]
        affected = [k for k in rows if k in self.usable.get(k[0], ())]
        for used in affected:
            self.usable[used[0]].remove(used)
        tickets = {row["id"] for k, row in rows.items() if k[0] == "ticket" and row}
        self.usable["message"] = [
            k for k in self.usable["message"] if self.known[k]["ticket"] not in tickets
        ]
        route = path.removeprefix("/api/v1/")
        if self._write("DELETE", route, 200, lambda _: rows, person):
            self.gone = [*self.gone[-50:], (person, path)]
            for k in [key, *affected]:
                self.known.pop(k, None)
        elif key[0] == "ticket":
            self._forget_customer(person, self.known[key]["contact"])

    # --- What is refused ----------------------------------------------------------------------

    def ask_as_nobody(self) -> None:
        """Ask with no token, or with one that is no longer good."""
        person = self._somebody()
        kind = self.rng.choice(["expired", "revoked", ""])
        path = self.rng.choice(["/api/v1/tickets", "/api/v1/customers", "/api/v1/tags/1"])
        if kind:
            self.caller.ask("GET", path, 401, person=person, token=person.tokens[kind])
        else:
            self.caller.ask("GET", path, 401)

    def ask_for_another_client(self) -> None:
        """Ask with a token of one client in the name of another."""
        first, second = self.caller.people
        headers = {"Authorization": f"Bearer {first.tokens['valid']}"}
        headers |= self.rng.choice([{}, {"Hs-Client-Id": second.client}])
        self.caller.ask("GET", "/api/v1/tickets", 401, headers=headers)

    def write_as_reader(self) -> None:
        """Write with a token that may only read."""
        person, body = self._somebody(), {"name": "not allowed"}
        path = f"/api/v1/{self.rng.choice(['tickets', 'customers', 'tags'])}"
        token = person.tokens["read_only"]
        self.caller.ask("POST", path, 403, person=person, token=token, body=body)

    def write_nonsense(self) -> None:
        """Send what no field takes."""
        person = self._somebody()
        path, body = self.rng.choice(
            [
                ("tickets", {"subject": "", "from_contact": {"email": "x"}}),
                ("tickets", {"subject": "x", "channel": {"id": 10**12}, "message": {"body": " "}}),
                ("customers", {"name": "x", "email": "x", "postal_code": "1" * 15}),
                ("tags", {"name": "x", "color": "red", "type": "none"}),
                ("reports/channels", {"start": "2021-09-02", "end": "2021-09-01"}),
                ("reports/performance", {"start": "2020-01-01", "end": "2021-01-01"}),
            ]
        )
        expected = (422, 429) if path.startswith("reports") else 422
        self.caller.ask("POST", f"/api/v1/{path}", expected, person=person, body=body)

    # --- Helpers ------------------------------------------------------------------------------

    def _write(
        self,
        method: str,
        path: str,
        expected: int,
        effect: Any,
        person: Person,
        body: dict[str, Any] | None = None,
        refused: tuple[int, ...] = (),
    ) -> Answer | None:
        return self.caller.write(
            method, f"/api/v1/{path}", expected, effect, refused=refused, person=person, body=body
        )

    def _keep(self, key: Key, person: Person, state: State | None) -> None:
        if state:
            self.known[key], self.owners[key] = state, person
            self.usable[key[0]].append(key)

    def _somebody(self) -> Person:
        return self.rng.choice(self.caller.people)

    def _desk(self, person: Person) -> HelpDesk:
        return self.caller.target.desks[person.client]

    def _pick(self, kind: str) -> Key | None:
        return self.rng.choice(self.usable[kind]) if self.usable[kind] else None

    def _path(self, key: Key) -> str:
        row = self.known[key]
        if key[0] == "message":
            return f"/api/v1/tickets/{row['ticket']}/messages/{row['id']}"
        return f"/api/v1/{key[0]}s/{row['id']}"

    def _address(self, person: Person, name: str) -> str:
        """Return an address to write from: a customer's, one that others use too, or a new one."""
        own = [
            self.known[key]["email"]
            for key in self.usable["customer"]
            if self.owners[key].client == person.client
        ]
        fresh = f"f{self.caller.number_of(name)}@soak.example"
        shared = list(self._desk(person).contacts)
        return self.rng.choice(self.rng.choice([own or shared, shared, [fresh]]))

    def _contact(self, person: Person, email: str) -> dict[Key, State]:
        """Return what is known of an address once somebody has written from it."""
        found = self._desk(person).contacts.get(email) or self.contacts.get((person.client, email))
        if not found:
            found = {"client": person.client, "value": email, "name": "", "customer": None}
            for key in self.usable["customer"]:
                row = self.known[key]
                if (row["client"], row["email"]) == (person.client, email):
                    found |= {"name": row["name"], "customer": row["id"]}
        return {("contact", f"{person.client}:{email}"): found}

    def _forget_customer(self, person: Person, email: str) -> None:
        """Leave a customer alone of whom nobody knows what would go with him."""
        self.usable["customer"] = [
            key
            for key in self.usable["customer"]
            if (self.owners[key].client, self.known[key]["email"]) != (person.client, email)
        ]

    def _message(self, person: Person, email: str, text: str, to: list[str]) -> State:
        return {
            "client": person.client,
            "contact": email,
            "type": "external",
            "to": to,
            "body": text,
        }

    def _ticket(self, person: Person) -> dict[str, Any]:
        """Return some of what a ticket can be changed to."""
        all_ = {
            "subject": self.caller.words(),
            "status": self.rng.choice(STATUSES),
            "team": self.rng.choice([None, *self._desk(person).teams]),
            "tags": self._some_tags(person),
        }
        return {name: all_[name] for name in self.rng.sample(list(all_), self.rng.randint(1, 4))}

    def _some_tags(self, person: Person) -> list[int]:
        """Return tags, of which somebody may have deleted some by now."""
        there = [*self._desk(person).tags, *self.seen_tags.get(person.client, [])]
        return sorted(set(self.rng.sample(there, min(len(there), self.rng.randint(0, 3)))))


def _shown(kind: str, state: State) -> dict[str, Any]:
    names = {
        "ticket": ["id", "subject", "status"],
        "message": ["id", "body", "type", "to"],
        "customer": ["id", *CUSTOMER],
        "tag": ["id", "name", "slug", "color", "type"],
    }[kind]
    return {name: state[name] for name in names if name in state}


def _name(text: str) -> str:
    return " ".join(text.split(" ")[:2])


def _if(tags: list[int] | None) -> tuple[int, ...]:
    """Return the status that says that a tag is gone."""
    return (422,) if tags else ()
