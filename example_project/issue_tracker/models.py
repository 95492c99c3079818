"""Companies, what they offer, and what is wrong with it."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models

from project.models import Timestamped, now


def is_member(user: Any, companies: Iterable[int]) -> bool:
    """Tell whether a user is a member of all these companies, and there are any."""
    wanted = set(companies)
    own = CompanyUser.objects.filter(user=user, company__in=wanted)
    return bool(wanted) and wanted == set(own.values_list("company_id", flat=True))


class Company(Timestamped):
    """Whoever reports issues to the public."""

    name = models.CharField(max_length=255)
    logo_url = models.URLField(max_length=255, blank=True, default="")
    slug = models.SlugField(max_length=255, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="CompanyUser")

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name

    def get_company_ids(self) -> set[int]:
        """Return the companies whose members may change this: itself."""
        return {self.pk}


class CompanyUser(models.Model):
    """A member of a company, known by an address; an account may come later or never."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="company_users")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    email = models.EmailField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "email"], name="one_company_user_per_email"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_company_ids(self) -> set[int]:
        """Return the companies whose members may change this."""
        return {self.company_id}


class Category(Timestamped):
    """One thing that a company offers."""

    name = models.CharField(max_length=255)
    company = models.ForeignKey(Company, models.CASCADE, related_name="categories")

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_company_ids(self) -> set[int]:
        """Return the companies whose members may change this."""
        return {self.company_id}


class Issue(Timestamped):
    """Something that does not work as it should, until ``closed_at``."""

    class Severity(models.TextChoices):
        """How bad it is."""

        CRITICAL = "critical"
        IMPORTANT = "important"
        INFO = "info"

    name = models.CharField(max_length=255)
    description = models.TextField()
    severity = models.CharField(max_length=16, choices=Severity)
    closed_at = models.DateTimeField(null=True, blank=True)
    categories = models.ManyToManyField(Category, related_name="issues")

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="issue_created_at"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_company_ids(self) -> set[int]:
        """Return the companies whose members may change this: those of its categories."""
        return set(self.categories.values_list("company_id", flat=True))

    def close(self, description: str) -> None:
        """Note that the issue is over, and what is to be said of it."""
        self.description, self.closed_at = description, now()
        self.save()


class IssueSubscription(models.Model):
    """An address that hears what becomes of an issue."""

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="subscriptions")
    email = models.EmailField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issue", "email"], name="one_issue_subscription"),
        ]

    def __str__(self) -> str:
        return self.email


class CategorySubscription(models.Model):
    """An address that hears of new issues in a category."""

    category = models.ForeignKey(Category, models.CASCADE, related_name="subscriptions")
    email = models.EmailField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["category", "email"], name="one_category_subscription"),
        ]

    def __str__(self) -> str:
        return self.email


class Webhook(Timestamped):
    """An address of a user's own that wants to be told of changes."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    url = models.URLField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.url
