"""What the issue tracker's objects look like, and what they are made from."""

from typing import Any

from django.contrib.auth.models import AbstractUser, User
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.validators import UniqueValidator

from connectnow_api.fields import RelatedIdsField
from project.fields import Choice, OptionalSlug, OptionalText, OptionalURL, RelatedIdField
from project.models import free_slug

from .models import Category, Company, CompanyUser, Issue, Webhook, is_member


class OfMembersSerializer(serializers.ModelSerializer):
    """What only members of a company may put there."""

    def refuse_strangers(self, companies: set[int]) -> None:
        """Raise ``PermissionDenied`` for a user who is no member of all these companies."""
        if not is_member(self.context["request"].user, companies):
            raise PermissionDenied


class IssueSerializer(OfMembersSerializer):
    """An issue in a list."""

    class Meta:
        model = Issue
        fields = ["id", "name", "severity", "closed_at", "created_at", "updated_at"]


class IssueDetailSerializer(IssueSerializer):
    """An issue by itself."""

    severity = Choice(choices=Issue.Severity.values)
    category_ids = RelatedIdsField(
        queryset=Category.objects.all(), source="categories", write_only=True
    )
    subscribers_count = serializers.IntegerField(source="subscriptions.count", read_only=True)

    class Meta(IssueSerializer.Meta):
        fields = [*IssueSerializer.Meta.fields, "description", "category_ids", "subscribers_count"]
        read_only_fields = ["closed_at"]

    def validate_category_ids(self, categories: list[Category]) -> list[Category]:
        """Return categories of one company that the user is a member of."""
        companies = {category.company_id for category in categories}
        self.refuse_strangers(companies)
        if len(companies) > 1:
            raise serializers.ValidationError("All categories must belong to one company.")
        return categories


class ClosingSerializer(serializers.Serializer):
    """What is said of an issue when it is closed."""

    description = serializers.CharField()

    def update(self, issue: Issue, validated_data: dict[str, Any]) -> Issue:
        """Close the issue."""
        issue.close(**validated_data)
        return issue

    def to_representation(self, issue: Issue) -> dict[str, Any]:
        """Show the whole issue."""
        return IssueDetailSerializer(issue, context=self.context).data


class SubscriptionSerializer(serializers.Serializer):
    """An address, which may subscribe as often as it likes."""

    id = serializers.IntegerField(read_only=True)
    email = serializers.EmailField(max_length=254)


class CategorySerializer(OfMembersSerializer):
    """A category; its company is known by its id."""

    company_id = RelatedIdField(queryset=Company.objects.all(), source="company")

    class Meta:
        model = Category
        fields = ["id", "name", "company_id", "created_at", "updated_at"]

    def validate_company_id(self, company: Company) -> Company:
        """Return a company that the user is a member of, and that the category may go to."""
        self.refuse_strangers({company.pk})
        if self.instance is not None and self.instance.company_id != company.pk:
            self._refuse_shared_issues(self.instance)
        return company

    def _refuse_shared_issues(self, category: Category) -> None:
        others = Category.objects.filter(company=category.company_id).exclude(pk=category.pk)
        if Issue.objects.filter(categories=category).filter(categories__in=others).exists():
            raise serializers.ValidationError(
                "The category shares issues with others of its present company."
            )


class CompanySerializer(serializers.ModelSerializer):
    """A company. Who its members are is not for everybody."""

    logo_url = OptionalURL(max_length=255)
    slug = OptionalSlug(max_length=255)

    class Meta:
        model = Company
        fields = ["id", "name", "logo_url", "slug", "created_at", "updated_at"]

    def validate_slug(self, slug: str) -> str:
        """Return a slug that no other company has; an empty one is made or stays as it is."""
        others = Company.objects.exclude(pk=getattr(self.instance, "pk", None))
        if others.filter(slug=slug).exists():
            raise serializers.ValidationError("This field must be unique.", "unique")
        return slug or getattr(self.instance, "slug", "")

    def create(self, validated_data: dict[str, Any]) -> Company:
        """Create a company with the user as its first member."""
        user = self.context["request"].user
        slug = validated_data.get("slug") or free_slug(
            Company.objects.all(), validated_data["name"]
        )
        company = super().create({**validated_data, "slug": slug})
        CompanyUser.objects.create(company=company, user=user, email=user.email)
        return company


class CompanyUserSerializer(serializers.ModelSerializer):
    """A member of a company; ``user_id`` is an account's, if there is one of that address."""

    class Meta:
        model = CompanyUser
        fields = ["id", "company_id", "user_id", "email"]

    def validate_email(self, email: str) -> str:
        """Return an address that the company does not know yet."""
        if self.context["view"].company.company_users.filter(email=email).exists():
            raise serializers.ValidationError("This field must be unique.", "unique")
        return email

    def create(self, validated_data: dict[str, Any]) -> CompanyUser:
        """Create a member, with the account of that address."""
        account = User.objects.filter(email=validated_data["email"], is_active=True).first()
        return super().create({**validated_data, "user": account})


class WebhookSerializer(serializers.ModelSerializer):
    """A webhook of the user's own; nobody else's has its address."""

    url = serializers.URLField(max_length=255, validators=[UniqueValidator(Webhook.objects.all())])
    description = OptionalText()

    class Meta:
        model = Webhook
        fields = ["id", "url", "description", "created_at", "updated_at"]


class UserSerializer(serializers.Serializer):
    """The person that a token belongs to."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.SerializerMethodField()
    email = serializers.EmailField(read_only=True)

    def get_name(self, user: AbstractUser) -> str:
        """Return the full name, or what the user signs in with."""
        return user.get_full_name() or user.get_username()
