"""What the formats of example_project/openapi.yaml are: Django knows fewer than the RFCs."""

import string

import schemathesis
from hypothesis import strategies as st

_labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)

schemathesis.openapi.format("email", st.builds("{}@{}.example".format, _labels, _labels))
schemathesis.openapi.format("uri", st.builds("https://{}.example/{}".format, _labels, _labels))
