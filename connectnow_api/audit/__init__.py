"""A table of what became of tokens, for sites that add this app to ``INSTALLED_APPS``."""
