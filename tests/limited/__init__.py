"""The example with views of its own that are limited, behind gunicorn, over stores of its own.

Each view is one named limiter, and tells which process has answered.
"""
