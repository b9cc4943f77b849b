"""People, service accounts and their API tokens."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models

from accounts.roles import Actor, Kind, Reach, Role


class User(AbstractUser):
    """A named person; the role decides what the person may do, the e-mail address where alerts go."""

    email = models.EmailField("e-mail address", unique=True)
    role = models.CharField(max_length=20, choices=[(role.value, role.value.replace("_", " ")) for role in Role], default=Role.MEMBER)
    time_zone = models.CharField(max_length=40, default="UTC", help_text="IANA name; mails show this zone with UTC in brackets")
    alerted = models.BooleanField(default=False, help_text="gets an e-mail for every crossing and escalation")

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=[role.value for role in Role]), name="user_role_known"),
        ]

    @property
    def display_name(self) -> str:
        """The full name, or the user name where none was given."""
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        """Up to two letters for the avatar."""
        return "".join(part[0] for part in self.display_name.split()[:2]).upper()

    def as_actor(self) -> Actor:
        """This person as the actor of an operation; a deactivated one has no role and may do nothing."""
        return Actor(Kind.PERSON, self.display_name, self.pk, Role(self.role) if self.is_active else None)


class ServiceAccount(models.Model):
    """A machine identity that posts results; it can never acknowledge, sign or approve."""

    name = models.CharField(max_length=80, unique=True)
    created = models.DateTimeField()
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name

    def as_actor(self) -> Actor:
        """This service account as the actor of an operation."""
        return Actor(Kind.SERVICE, self.name, self.pk)


class ApiToken(models.Model):
    """A bearer token of a service account or a person: only its lookup key and a keyed hash of its secret are stored."""

    account = models.ForeignKey(ServiceAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="tokens")
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="tokens")
    purpose = models.CharField(max_length=60, default="general", help_text="what it is for; at most two alike live at once")
    key = models.CharField(max_length=16, unique=True, help_text="public part, shown in lists")
    secret_hash = models.CharField(max_length=64, help_text="hex HMAC-SHA256 of the secret under the pepper of this number")
    pepper = models.PositiveSmallIntegerField(default=1)
    scopes = models.JSONField(default=list)
    model_slugs = models.JSONField(default=list, help_text="slugs of the models it is restricted to; empty restricts nothing")
    evaluation_slugs = models.JSONField(default=list, help_text="slugs of the evaluations it is restricted to; empty restricts nothing")
    networks = models.JSONField(default=list, help_text="networks it may be used from; empty allows every address")
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", help_text="the token by which it was made"
    )
    created = models.DateTimeField()
    expires = models.DateTimeField()
    revoked = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True, help_text="to the minute")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(account__isnull=True) ^ models.Q(person__isnull=True), name="token_has_one_owner"),
        ]

    def __str__(self) -> str:
        return f"fsf_…_{self.key}"

    @property
    def owner(self) -> ServiceAccount | User:
        """Whose token it is."""
        found = self.account or self.person
        assert found is not None  # noqa: S101 - the database holds exactly one of them
        return found

    @property
    def reach(self) -> Reach:
        """What it is restricted to."""
        return Reach(frozenset(self.model_slugs), frozenset(self.evaluation_slugs))


class Tally(models.Model):
    """How many requests were counted under a name in the window that ends then; kept here where there is no Redis."""

    name = models.CharField(max_length=80, primary_key=True, help_text="token:<key> or address:<network>")
    count = models.BigIntegerField()
    ends = models.BigIntegerField(help_text="milliseconds since 1970")

    def __str__(self) -> str:
        return f"{self.name} {self.count}"
