"""The defects once reproduced in plain Django REST framework, each as it has to be now.

A test is named after its row of the table of 51 defects, and asserts what was wanted instead. Here
are the rows that one request, or many at once, can show. Elsewhere, by rule: what is said before
there is any request (2), a database that is down (8), what leaves by logs, mails and the debug page
(26-28), what a server refuses before Django is asked (the other halves of 16, 18, 36 and 43), and
the life cycle of a token (46, 47).
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.site")
