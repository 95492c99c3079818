"""The command ``api_tokens``: a module per verb, and what the verbs share."""
