"""What ``manage.py check`` says of a project, one function per concern.

===== ==========================================================================================
E001  ``CONNECTNOW_API`` is no mapping, or has a key that does not exist
E002  a profile that does not exist
E003  a prefix that is no path
E004  a setting, or a view's attribute of the same name, with a value that cannot be
E005  a kind of token without a unique digest
E006  a view's ``required_abilities`` that cannot be
E007  a kind of token whose prefix cannot be, or is another kind's
E008  a throttle without a rate, or with one that cannot be read
E009  limits are counted in a cache or a storage that cannot be used, or keeps nothing
E010  ``DEBUG`` in production
E011  tokens have an idle timeout where their last use is not kept
E012  a kind of token whose owner lacks what is asked of owners
E013  an authentication class whose prefix is not that of its tokens
E014  ``USE_TZ`` is off
E015  an admin of tokens that edits them in its list, which ``APITokenAdmin.check`` reports
E016  tokens in the query end before they are deprecated
E017  a limiter that cannot be, or a view's that does not exist
E018  a window or a shared counter that what counts limits cannot do
W001  a view accepts API tokens and names no abilities
W002  a view names abilities and has no permission that asks for them
W003  a view's profile differs from that of its path
W004  limits are counted where it is not fit for it
W005  tokens may be sent in the query
W006  a proxy's headers are believed, and the client's address is not taken from them
W007  the browsable API
W008  another exception handler
W009  the middleware is missing or not the first
W010  sessions are asked before tokens
W011  ``APPEND_SLASH`` is on, for nothing or with nothing that keeps it from doing harm
W012  any host is admitted
W013  bodies are read without our limits
W014  bodies may have any size
W015  tokens live for ever
W016  limits are switched off
W017  a view names abilities that the site does not offer
W018  tokens are read from a parameter that ``TOKEN_PARAMETERS`` does not name
W019  ``AUDIT_ACTIONS`` is set, and the app that obeys it is not installed
W020  a kind of token with a unique column, which a successor could not have
W021  reports of crashes quote tokens that were sent in the query
W022  logs quote them
W023  a database or a cache that requests would wait for without end
W024  everybody is a trusted proxy
W025  a view has limiters, and no throttle that asks for them
W026  limits in shadow refuse nothing
===== ==========================================================================================

E010, W005 to W016, W021 to W024, W026, and W004 for memory of the process are reported with
``--deploy`` only.
"""

from .audit import check_audit
from .deployment import check_deployment
from .kinds import check_idle_tokens, check_token_models
from .limits import check_limits, check_limits_of_production
from .proxies import check_proxies
from .settings import check_settings
from .time_outs import check_time_outs
from .values import VALUES
from .views import check_views

__all__ = [
    "VALUES",
    "check_audit",
    "check_deployment",
    "check_idle_tokens",
    "check_limits",
    "check_limits_of_production",
    "check_proxies",
    "check_settings",
    "check_time_outs",
    "check_token_models",
    "check_views",
]
