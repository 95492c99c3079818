"""What the tests' API serves: books with ties in every column but the key."""

from __future__ import annotations

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=50)
    isbn = models.CharField(max_length=13, unique=True)
    shelf_mark = models.CharField(max_length=13, unique=True, null=True)  # noqa: DJ001
    year = models.IntegerField(default=2021)
    published_at = models.DateTimeField()
    author = models.ForeignKey(Author, on_delete=models.CASCADE, null=True)

    def __str__(self) -> str:
        return self.title
