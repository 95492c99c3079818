"""The public names that docs/compatibility.md lists are there, and no others."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import connectnow_api
from tests.docs.tables import names, rows

INTERNAL = {
    "connectnow_api.settings": {"APISettings", "find_profile", "get_value", "is_api_path"}
    | {"is_below", "own_profile", "profile_of_path", "parameters_with_tokens"},
    "connectnow_api.tokens": {"equal", "has_prefix", "tail"},
    "connectnow_api.authentication": {"Candidate"},
    "connectnow_api.pagination": {"CountedPage", "LaxPage", "SimplePage"},
    "connectnow_api.parsers": {"StrictParser", "read_body", "refuse_charset", "without_tokens"},
    "connectnow_api.renderers": {"as_local", "can_hold_data", "encoder_for", "is_deletion"},
    "connectnow_api.negotiation": {"EmptyBodyParser", "NoBody", "notice_empty_body"},
    "connectnow_api.limits": {"Limit", "Told", "counted_address", "failed_auth_policy", "foresee"}
    | {
        "go_without",
        "has_refused",
        "headers_of",
        "hit_failed_auth",
        "is_enabled",
        "look",
        "name_of_address",
        "show",
    }
    | {"switched", "take", "tightest"},
    "connectnow_api.limiters": {"address_of", "asker_of", "dotted", "failures_of", "find_limiter"}
    | {"is_attribute", "is_path", "limiters_of", "limits_of", "name_of_key", "name_of_token"}
    | {"name_of_user", "read_limiter", "say_rate"},
    "connectnow_api.rates": {"is_pair", "validate_rate"},
    "connectnow_api.throttling": {"LimitThrottle", "can_be_refused"},
    "connectnow_api.addresses": {"is_within", "read_network", "validate_networks"},
    "connectnow_api.events": {"batch", "is_batch", "emit", "emit_deleted"}
    | {"describe_use", "emit_for_auth", "emit_for_request", "emit_for_value", "emit_used"},
    "connectnow_api.entry_points": {"safe_content_type"},
    "connectnow_api.audit.admin": {"ActionFilter"},
    "connectnow_api.handlers": {"brings_own_text"},
    "connectnow_api.middleware": {"is_replaceable", "loses_something"},
    "connectnow_api.request_ids": {"described"},
    "connectnow_api.views": {"error_response"},
    "connectnow_api.reports": {"secrets_of"},
}
"""What has no underscore and is for the package's own use all the same."""


@pytest.mark.parametrize("row", rows("docs/compatibility.md", "module"), ids=lambda r: r["module"])
def test_public_names_exist_and_are_listed(row: dict[str, str]) -> None:
    module = importlib.import_module(row["module"])
    listed = set(names(row["names"]))
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and value.__module__ == module.__name__
    }
    assert listed <= set(vars(module))
    assert defined - listed == INTERNAL.get(row["module"], set())


def test_every_module_with_public_names_is_listed() -> None:
    """What is left out here has nothing for others to import."""
    package = Path(connectnow_api.__file__).parent
    private = {"__init__", "apps", "errors", "integrity", "ordering"}
    private |= {
        "abilities",
        "last_used",
        "managers",
        "mounted",
        "outages",
        "outside",
        "placement_counts",
        "placements",
    }
    private |= {"query_tokens", "request_bodies", "rotation", "site_limits", "states"}
    private |= {"validators"}
    found = {f"connectnow_api.{file.stem}" for file in package.glob("*.py")}
    listed = {row["module"] for row in rows("docs/compatibility.md", "module")}
    assert found - listed == {f"connectnow_api.{name}" for name in private}
