"""The command ``api_tokens``."""
