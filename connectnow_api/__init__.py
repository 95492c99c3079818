"""JSON APIs in Laravel's dialect for Django REST Framework."""

__version__ = "0.1.0"
