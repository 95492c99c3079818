"""A mixed load on the example server, and a ledger of what the server acknowledged.

It asks by HTTP alone, so that whoever runs the example project can use it, whatever becomes of its
database and cache meanwhile: `run` with a `Target`, then `compare` with the rows that are there.
"""

from .clients import HelpDesk, Person, Report, Target
from .ledger import Row, Write, compare
from .running import run

__all__ = ["HelpDesk", "Person", "Report", "Row", "Target", "Write", "compare", "run"]
