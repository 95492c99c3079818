"""The commands ``api_tokens`` and ``api_limits``: a module per verb, and what the verbs share."""
