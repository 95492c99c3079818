"""What clients do with the issue tracker: each has companies of its own, and some issues are
everybody's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from .clients import MOST, Answer, Caller, Limited, Person, data_of
from .ledger import Key, State

SEVERITIES = ["critical", "important", "info"]


class Tracker:
    """One client's rows of the issue tracker, and what it does with them."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.rng = caller, caller.rng
        self.known: dict[Key, State] = {}
        """All rows of its own that may be there."""
        self.usable: dict[str, list[Key]] = {
            kind: [] for kind in ("company", "category", "issue", "webhook", "company_user")
        }
        """By kind those whose state is known for sure."""
        self.owners: dict[Key, Person] = {}
        self.tried: set[str] = set()
        """Members that were added once."""
        self.gone: list[str] = []
        """Paths of what was deleted."""
        self.reads = {
            self.list_issues: 10,
            self.list_others: 5,
            self.read_own: 10,
            self.read_gone: 2,
            self.read_nowhere: 1,
            self.read_seeded: 5,
            self.read_user: 2,
            self.list_members: 2,
            self.list_webhooks: 2,
            self.ask_again: 3,
        }
        self.writes = {
            self.make_company: 2,
            self.make_category: 3,
            self.make_issue: 7,
            self.make_webhook: 2,
            self.add_member: 2,
            self.change_issue: 5,
            self.change_company: 2,
            self.change_category: 1,
            self.change_webhook: 1,
            self.close_issue: 2,
            self.delete_issue: 3,
            self.delete_category: 0.7,
            self.delete_company: 0.5,
            self.delete_webhook: 1,
            self.remove_member: 1,
            self.subscribe: 4,
            self.change_shared_issue: 3,
            self.race_for_slug: 1,
            self.export: 1,
        }
        self.refused = {
            self.write_as_reader: 2,
            self.write_as_nobody: 1,
            self.write_as_stranger: 2,
            self.write_nonsense: 3,
            self.change_closed: 1,
            self.ask_limited: 4,
        }

    # --- Reads --------------------------------------------------------------------------------

    def list_issues(self) -> None:
        """Read a page of issues, narrowed down or not, by somebody or nobody."""
        parameters = self.rng.sample(
            [
                f"severity={self.rng.choice(SEVERITIES)}",
                f"status={self.rng.choice(['open', 'closed'])}",
                "after=2021-05-01",
                "before=2031-01-01",
                f"page={self.rng.randint(1, 30)}",
                f"per_page={self.rng.choice([1, 5, 15, 50, 249])}",
                "unknown[]=x",
            ],
            self.rng.randint(0, 4),
        )
        answer = self.caller.ask("GET", _with("/api/issues", parameters), person=self._anybody())
        if answer.status == 200:
            rows = answer.json()["data"]
            if len({row["id"] for row in rows}) != len(rows):
                self.caller.report.problems.append("/api/issues: a row is there twice")

    def list_others(self) -> None:
        """Read a page of categories or companies."""
        kind = self.rng.choice(["categories", "companies"])
        path = _with(f"/api/{kind}", [f"page={self.rng.randint(1, 5)}"])
        self.caller.ask("GET", path, person=self._anybody())

    def read_own(self) -> None:
        """Read a row of one's own: it has to be as it was left."""
        kind = self.rng.choice(["company", "category", "issue", "webhook"])
        if key := self._pick(kind):
            answer = self.caller.ask("GET", self._path(key), person=self.owners[key])
            self.caller.compare(self._path(key), answer, _shown(kind, self.known[key]))

    def read_gone(self) -> None:
        """Ask for what was deleted."""
        if self.gone:
            person = self.caller.people[0]
            self.caller.ask("GET", self.rng.choice(self.gone), 404, person=person)

    def read_nowhere(self) -> None:
        """Ask for what never was."""
        paths = ["/api/nowhere", "/api/issues/999999999", "/api/issues/1.json", "/api/issues/"]
        self.caller.ask("GET", self.rng.choice(paths), 404, person=self._anybody())

    def read_seeded(self) -> None:
        """Read an issue of everybody's."""
        path = f"/api/issues/{self.rng.choice(self.caller.target.issues)}"
        self.caller.ask("GET", path, person=self._anybody())

    def read_user(self) -> None:
        """Ask whose token it is, of either kind."""
        person = self.rng.choice(self.caller.people)
        answer = self.caller.ask("GET", "/api/user", person=person)
        self.caller.compare("/api/user", answer, {"id": person.id, "email": person.email})
        token = self.caller.target.chat_token
        self.caller.ask(
            self.rng.choice(["GET", "POST"]), "/api/chat-user", person=person, token=token
        )

    def list_members(self) -> None:
        """Read the members of a company."""
        if key := self._pick("company"):
            path = f"{self._path(key)}/users"
            self.caller.ask("GET", path, person=self.owners[key])

    def list_webhooks(self) -> None:
        """Read one's own webhooks."""
        self.caller.ask("GET", "/api/webhooks", person=self.rng.choice(self.caller.people))

    def ask_again(self) -> None:
        """Ask for what one has already."""
        path = f"/api/companies/{self.rng.randint(1, 4)}"
        answer = self.caller.ask("GET", path)
        if tag := answer.headers["ETag"]:
            self.caller.ask("GET", path, (200, 304), headers={"If-None-Match": tag})

    # --- New rows -----------------------------------------------------------------------------

    def make_company(self) -> None:
        """Make a company, whose first member is whoever makes it."""
        if len(self.usable["company"]) > MOST // 3:
            self.delete_company()
            return
        person, name = self.rng.choice(self.caller.people), self.caller.name()
        state = {
            "name": f"{name} {self.caller.words()}",
            "logo_url": self.rng.choice(["", f"https://example.com/{name[5:]}"]),
            "slug": f"soak-{self.caller.number_of(name)}",
        }

        def first_member(company: State) -> dict[Key, State]:
            return _member(name, company, person)

        self._make("company", name, "/api/companies", person, state, state, first_member)

    def make_category(self) -> None:
        """Make a category of a company of one's own."""
        if len(self.usable["category"]) > MOST:
            self.delete_category()
            return
        if company := self._pick("company"):
            name = self.caller.name()
            id_ = self.known[company]["id"]
            state = {"name": f"{name} {self.caller.words()}", "company": id_}
            body = {"name": state["name"], "company_id": id_}
            self._make("category", name, "/api/categories", self.owners[company], state, body)

    def make_issue(self) -> None:
        """Make an issue, of a company of one's own or of everybody's."""
        if len(self.usable["issue"]) > MOST:
            self.delete_issue()
            return
        person, categories = self._some_categories() or (self.caller.people[0], [1])
        name = self.caller.name()
        state = {**self._issue(categories), "closed": False}
        state["name"] = f"{name} {state['name']}"
        self._make("issue", name, "/api/issues", person, state, _issue_body(state))

    def make_webhook(self) -> None:
        """Make a webhook."""
        if len(self.usable["webhook"]) > MOST // 3:
            self.delete_webhook()
            return
        name, person = self.caller.name(), self.rng.choice(self.caller.people)
        url = f"https://example.com/hooks/{self.caller.number_of(name)}"
        body = {"url": url, "description": f"{name} {self.caller.words()}"}
        self._make("webhook", name, "/api/webhooks", person, {**body, "owner": person.id}, body)

    def add_member(self) -> None:
        """Add a stranger, or somebody with an account, to a company."""
        company = self._pick("company")
        if not company:
            return
        id_ = self.known[company]["id"]
        other = self.rng.choice(self.rng.choice(self.caller.target.people))
        stranger = f"{self.caller.number_of(self.caller.name())}@example.com"
        email, user = self.rng.choice([(stranger, None), (other.email, other.id)])
        if (name := f"{company[1]}:{email}") in self.tried or email == self.owners[company].email:
            return
        self.tried.add(name)
        state = {"company": id_, "email": email, "user": user}
        path = f"/api/companies/{id_}/users"
        self._make("company_user", name, path, self.owners[company], state, {"email": email})

    def _make(
        self,
        kind: str,
        name: str,
        path: str,
        person: Person,
        state: State,
        body: dict[str, Any],
        extra: Callable[[State], dict[Key, State]] = lambda _: {},
    ) -> None:
        key = (kind, name)

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            made = {**state, "id": data_of(answer)["id"]} if answer else state
            return {key: made, **extra(made)}

        answer = self.caller.write("POST", path, 201, effect, person=person, body=body)
        if answer is None:
            self._retire(state)
            return
        rows = effect(answer)
        self.known.update({k: row for k, row in rows.items() if row is not None})
        self.owners[key] = person
        self.usable[kind].append(key)

    # --- Changes ------------------------------------------------------------------------------

    def change_issue(self) -> None:
        """Replace an issue, its categories too."""
        key = self._pick("issue")
        if not key or self.known[key]["closed"]:
            return
        if not (found := self._some_categories(like=self.known[key]["categories"])):
            return
        person, categories = found
        state = {**self.known[key], **self._issue(categories)}
        state["name"] = f"{key[1]} {state['name']}"
        self._change(key, "PUT", self._path(key), state, _issue_body(state), person)

    def change_company(self) -> None:
        """Replace a company."""
        if key := self._pick("company"):
            state = {**self.known[key], "name": f"{key[1]} {self.caller.words()}"}
            body = {name: state[name] for name in ("name", "logo_url", "slug")}
            self._change(key, "PUT", self._path(key), state, body)

    def change_category(self) -> None:
        """Replace a category."""
        if key := self._pick("category"):
            state = {**self.known[key], "name": f"{key[1]} {self.caller.words()}"}
            body = {"name": state["name"], "company_id": state["company"]}
            self._change(key, "PUT", self._path(key), state, body)

    def change_webhook(self) -> None:
        """Replace a webhook."""
        if key := self._pick("webhook"):
            state = {**self.known[key], "description": f"{key[1]} {self.caller.words()}"}
            body = {"url": state["url"], "description": state["description"]}
            self._change(key, "PUT", self._path(key), state, body)

    def close_issue(self) -> None:
        """Close an issue."""
        key = self._pick("issue")
        if key and not self.known[key]["closed"]:
            state = {**self.known[key], "description": self.caller.words(), "closed": True}
            body = {"description": state["description"]}
            self._change(key, "POST", f"{self._path(key)}/close", state, body)

    def _change(
        self,
        key: Key,
        method: str,
        path: str,
        state: State,
        body: dict[str, Any],
        person: Person | None = None,
    ) -> None:
        """Change a row of one's own; without an answer nobody uses it any more."""
        self.usable[key[0]].remove(key)
        person = person or self.owners[key]
        if self.caller.write(method, path, 200, lambda _: {key: state}, person=person, body=body):
            self.known[key] = state
            self.usable[key[0]].append(key)
        else:
            self._retire(state)

    def change_shared_issue(self) -> None:
        """Replace an issue that others replace, too: what is left is one's own or another's."""
        id_ = self.rng.choice(self.caller.target.issues)
        categories = self.caller.target.categories
        chosen = sorted(self.rng.sample(categories, self.rng.randint(1, len(categories))))
        state = {**self._issue(chosen), "id": id_, "closed": False}
        path, body = f"/api/issues/{id_}", _issue_body(state)
        person = self.rng.choice(self.caller.people)
        key = ("issue", f"#{id_}")
        self.caller.write("PUT", path, 200, lambda _: {key: state}, person=person, body=body)

    def race_for_slug(self) -> None:
        """Ask for a slug that others want at the same time: one of them gets it."""
        person, name = self.rng.choice(self.caller.people), self.caller.name()
        slug = f"wanted-{len(self.caller.report.seconds) // 40}"
        state = {"name": name, "logo_url": "", "slug": slug}

        def effect(answer: Answer | None) -> dict[Key, State | None]:
            company = {**state, "id": data_of(answer)["id"]} if answer else state
            return {("company", name): company, **_member(name, company, person)}

        body = {"name": name, "slug": slug}
        self.caller.write(
            "POST", "/api/companies", 201, effect, refused=(422,), person=person, body=body
        )

    def subscribe(self) -> None:
        """Subscribe to an issue of everybody's or a category of one's own."""
        if self.rng.random() < 0.6:
            kind, id_ = "issue", self.rng.choice(self.caller.target.issues)
            email = f"reader{self.rng.randint(1, 300)}@soak.example"
        else:
            kind = self.rng.choice(["issue", "category"])
            key = self._pick(kind)
            if not key:
                return
            id_, email = self.known[key]["id"], f"reader{self.rng.randint(1, 5)}@soak.example"
        state = {kind: id_, "email": email}
        row = (f"{kind}_subscription", f"{id_}:{email}")
        plural = {"issue": "issues", "category": "categories"}[kind]
        path, body = f"/api/{plural}/{id_}/subscriptions", {"email": email}
        # It may be there without an answer having said so; it goes with what it belongs to.
        self.known[row] = state
        self.caller.write("POST", path, (200, 201), lambda _: {row: state}, body=body)

    def export(self) -> None:
        """Order what nobody makes."""
        person = self.rng.choice(self.caller.people)
        self.caller.ask("POST", "/api/exports", 202, person=person, body={"what": "all"})

    # --- Deletions ----------------------------------------------------------------------------

    def delete_issue(self) -> None:
        """Delete an issue, and its subscriptions with it."""
        if key := self._pick("issue"):
            self._delete(key, self._with_issue(key))

    def delete_category(self) -> None:
        """Delete a category, and the issues that are left with none."""
        if key := self._pick("category"):
            self._delete(key, self._with_categories([key]))

    def delete_company(self) -> None:
        """Delete a company with all that it has."""
        key = self._pick("company")
        if not key:
            return
        id_ = self.known[key]["id"]
        own = [k for k, row in self.known.items() if row.get("company") == id_]
        rows: dict[Key, State | None] = {k: None for k in own if k[0] == "company_user"}
        rows |= self._with_categories([k for k in own if k[0] == "category"])
        self._delete(key, {key: None, **rows})

    def delete_webhook(self) -> None:
        """Delete a webhook."""
        if key := self._pick("webhook"):
            self._delete(key, {key: None})

    def remove_member(self) -> None:
        """Remove a member from a company."""
        if key := self._pick("company_user"):
            self._delete(key, {key: None})

    def _delete(self, key: Key, rows: dict[Key, State | None]) -> None:
        path, person = self._path(key), self.owners[key]
        affected = [k for k in rows if k in self.usable.get(k[0], ())]
        for used in affected:
            self.usable[used[0]].remove(used)
        if not self.caller.write("DELETE", path, 200, lambda _: rows, person=person):
            self._retire(self.known[key])
            return
        if key[0] != "company_user":
            self.gone = [*self.gone[-50:], path]
        for k, state in rows.items():
            if state is None:
                self.known.pop(k, None)
            else:
                self.known[k] = state
        for used in affected:
            if rows[used] is not None:
                self.usable[used[0]].append(used)

    def _retire(self, state: State) -> None:
        """Leave the categories alone that something belongs to of which nobody knows how it is.

        What would become of it, when one of them goes, is not known either. When their company
        goes, all go.
        """
        ids = state.get("categories", ())
        companies = {
            row["company"]
            for (kind, _), row in self.known.items()
            if kind == "category" and row["id"] in ids
        }
        companies |= {state["company"]} if "company" in state else set()
        self.usable["category"] = [
            key for key in self.usable["category"] if self.known[key]["company"] not in companies
        ]

    def _with_categories(self, categories: list[Key]) -> dict[Key, State | None]:
        """Return what is left when categories go."""
        ids = {self.known[key]["id"] for key in categories}
        rows: dict[Key, State | None] = dict.fromkeys(categories)
        for key, row in self.known.items():
            if key[0] == "category_subscription" and row["category"] in ids:
                rows[key] = None
            elif key[0] == "issue" and ids & set(row["categories"]):
                left = [id_ for id_ in row["categories"] if id_ not in ids]
                rows |= {key: {**row, "categories": left}} if left else self._with_issue(key)
        return rows

    def _with_issue(self, key: Key) -> dict[Key, State | None]:
        id_ = self.known[key]["id"]
        own = [
            k
            for k, row in self.known.items()
            if k[0] == "issue_subscription" and row["issue"] == id_
        ]
        return dict.fromkeys([key, *own])

    # --- What is refused ----------------------------------------------------------------------

    def write_as_reader(self) -> None:
        """Write with a token that may only read."""
        person = self.rng.choice(self.caller.people)
        body = {"name": "not allowed", "company_id": 1}
        path = self.rng.choice(["/api/issues", "/api/companies", "/api/categories"])
        token = person.tokens["read_only"]
        self.caller.ask("POST", path, 403, person=person, token=token, body=body)

    def write_as_nobody(self) -> None:
        """Write with no token, or one that is no longer good."""
        person = self.rng.choice(self.caller.people)
        kind = self.rng.choice(["", "expired", "revoked"])
        options: dict[str, Any] = {"body": {"name": "not allowed"}}
        if kind:
            options |= {"person": person, "token": person.tokens[kind]}
        self.caller.ask("POST", "/api/companies", 401, **options)

    def write_as_stranger(self) -> None:
        """Change what belongs to others."""
        person = self.rng.choice(self.caller.people)
        path = f"/api/companies/{self.rng.randint(2, 4)}"
        method = self.rng.choice(["PUT", "DELETE"])
        self.caller.ask(method, path, 403, person=person, body={"name": "Not mine"})

    def write_nonsense(self) -> None:
        """Send what no field takes."""
        person = self.rng.choice(self.caller.people)
        path, body = self.rng.choice(
            [
                ("/api/companies", {"name": ""}),
                ("/api/companies", {"name": "x", "logo_url": "no URL", "slug": "no slug"}),
                ("/api/issues", {"name": "x" * 256, "severity": "bad", "category_ids": []}),
                ("/api/issues", {"name": "x", "description": "x", "category_ids": [1, 0, 10**12]}),
                ("/api/categories", {"name": "x", "company_id": 10**12}),
                ("/api/webhooks", {"url": "x"}),
                ("/api/issues/1/subscriptions", {"email": "nobody"}),
            ]
        )
        self.caller.ask("POST", path, 422, person=person, body=body)
        self.caller.ask("GET", f"/api/issues?before={quote('31.12.2021')}", 422)

    def change_closed(self) -> None:
        """Change an issue that is closed."""
        closed = [key for key in self.usable["issue"] if self.known[key]["closed"]]
        if closed:
            key = self.rng.choice(closed)
            path, body = self._path(key), _issue_body(self.known[key])
            self.caller.ask("PUT", path, 403, person=self.owners[key], body=body)

    def ask_limited(self) -> None:
        """Ask what answers five times a minute, from one and the same address."""
        caller = self.caller
        address = caller.connections.address(61_000 + caller.number)
        head = f"GET /api/throttled HTTP/1.1\r\nHost: {caller.target.host}\r\n\r\n"
        asked = time.time()
        answer = caller.send_raw("GET /api/throttled", head.encode(), (200, 429), address)
        if answer and answer.status in {200, 429}:
            reset = int(answer.headers["X-RateLimit-Reset"]) if answer.status == 429 else None
            caller.report.limited.append(Limited(address, asked, time.time(), reset))

    # --- Helpers ------------------------------------------------------------------------------

    def _anybody(self) -> Person | None:
        return self.rng.choice([None, *self.caller.people])

    def _pick(self, kind: str) -> Key | None:
        return self.rng.choice(self.usable[kind]) if self.usable[kind] else None

    def _path(self, key: Key) -> str:
        kind, row = key[0], self.known[key]
        if kind == "company_user":
            return f"/api/companies/{row['company']}/users/{row['id']}"
        plural = {"company": "companies", "category": "categories"}.get(kind, f"{kind}s")
        return f"/api/{plural}/{row['id']}"

    def _issue(self, categories: list[int]) -> State:
        return {
            "name": self.caller.words(),
            "description": self.caller.words(40),
            "severity": self.rng.choice(SEVERITIES),
            "categories": categories,
        }

    def _some_categories(self, like: list[int] | None = None) -> tuple[Person, list[int]] | None:
        """Return somebody, and categories that this one may give an issue, of one company.

        ``like``: of the company of these, if anybody knows for sure how that is.
        """
        shared, usable = self.caller.target.categories, self.usable["category"]
        if like:
            keys = [key for key in usable if self.known[key]["id"] in like]
            is_shared = set(like) <= set(shared)
        else:
            keys = self.rng.sample(usable, 1) if usable and self.rng.random() < 0.8 else []
            is_shared = not keys
        if keys:
            company = self.known[keys[0]]["company"]
            keys = [key for key in usable if self.known[key]["company"] == company]
            chosen = [self.known[key]["id"] for key in self._some(keys)]
            return self.owners[keys[0]], sorted(chosen)
        return (self.rng.choice(self.caller.people), self._some(shared)) if is_shared else None

    def _some(self, all_: list[Any]) -> list[Any]:
        return sorted(self.rng.sample(all_, self.rng.randint(1, min(3, len(all_)))))


def _member(name: str, company: State, person: Person) -> dict[Key, State]:
    """Return the first member of a company, whose id may be unknown."""
    member = {"email": person.email, "user": person.id}
    known = {"company": company["id"]} if "id" in company else {}
    return {("company_user", f"{name}:{person.email}"): {**member, **known}}


def _issue_body(state: State) -> dict[str, Any]:
    body = {name: state[name] for name in ("name", "description", "severity")}
    return {**body, "category_ids": state["categories"]}


def _shown(kind: str, state: State) -> dict[str, Any]:
    """Return what an answer shows of a row."""
    hidden = {"categories", "closed", "owner", "company"}
    shown = {name: value for name, value in state.items() if name not in hidden}
    return {**shown, "company_id": state["company"]} if kind == "category" else shown


def _with(path: str, parameters: list[str]) -> str:
    return f"{path}?{'&'.join(parameters)}" if parameters else path
