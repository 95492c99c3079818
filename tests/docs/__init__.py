"""README.md and docs/: the code runs, the JSON is what a view answers, the tables are true."""

import pytest

# Failed comparisons in these two are told as in tests.
pytest.register_assert_rewrite("tests.docs.projects", "tests.docs.tables")
