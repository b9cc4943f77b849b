"""What people fill in to make a token and to end one."""

from typing import Any

from django import forms

from accounts.models import ServiceAccount, User
from accounts.networks import network_of
from accounts.roles import ALLOWED, Reach, Refused, Role
from accounts.scopes import SCOPES, given_by
from accounts.tokens import DEFAULT_DAYS, LONGEST_PURPOSE, MOST_DAYS, MOST_LISTED, Grant
from audit.access import REASONS
from evals.models import Evaluation, FrontierModel
from fsf.web.forms import ActForm

ME, SERVICE = "me", "service"
FIRST = ("read",)  # ticked beforehand


class TokenForm(ActForm):
    """For whom, what for, and within which limits."""

    owner = forms.ChoiceField(
        label="Whose token",
        widget=forms.RadioSelect,
        initial=SERVICE,
        choices=[(SERVICE, "A service account's, for a pipeline or a server"), (ME, "Mine: it acts as me, and can never sign or approve")],
        error_messages={"required": "Choose whose token it is."},
    )
    account = forms.CharField(
        label="Service account",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"list": "suggested", "autocomplete": "off"}),
        help_text="One that is there, or a new name: it is then made.",
    )
    purpose = forms.CharField(
        label="What for",
        max_length=LONGEST_PURPOSE,
        error_messages={"required": "Say what the token is for; you will want to know when you end it."},
        widget=forms.TextInput(attrs={"placeholder": "Nightly evaluations on cluster B", "autocomplete": "off"}),
        help_text="At most two with the same words live at once: the one in use, and the one that replaces it.",
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        initial=FIRST,
        error_messages={"required": "Choose at least one thing that it may do."},
    )
    days = forms.IntegerField(
        label="Days to live",
        min_value=1,
        max_value=MOST_DAYS,
        initial=DEFAULT_DAYS,
        help_text=f"1 to {MOST_DAYS}. Replace it before then: nothing warns the pipeline.",
        error_messages={"required": "Say for how many days it lives.", "invalid": "Write a whole number of days."},
    )
    models = forms.ModelMultipleChoiceField(
        FrontierModel.objects.order_by("name"),
        label="Only these models (none chosen: all)",
        required=False,
        to_field_name="slug",
        widget=forms.CheckboxSelectMultiple,
    )
    evaluations = forms.MultipleChoiceField(
        label="Only these evaluations, in every version (none chosen: all)", required=False, widget=forms.CheckboxSelectMultiple
    )
    networks = forms.CharField(
        label="Only from these networks (empty: from everywhere)",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false", "placeholder": "10.20.0.0/16\n2001:db8:7::/48"}),
        help_text="One a line.",
    )
    once = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = Role(person.role)
        self.manages = "accounts.tokens" in ALLOWED[role]
        gives = given_by(role)
        self._offer("scopes", [(scope, f"{says[0].upper()}{says[1:]} ({scope})") for scope, says in SCOPES.items() if scope in gives])
        slugs = Evaluation.objects.order_by("slug").values_list("slug", flat=True).distinct()
        self._offer("evaluations", [(slug, slug) for slug in slugs])
        if self.manages:
            self.suggested = list(ServiceAccount.objects.filter(active=True).order_by("name").values_list("name", flat=True))
        else:
            del self.fields["owner"], self.fields["account"]

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - told to the type checker
        field.choices = choices

    def clean_networks(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["networks"].splitlines() if line.strip()]
        if len(lines) > MOST_LISTED:
            raise forms.ValidationError(f"Name at most {MOST_LISTED} networks.")
        try:
            return [str(network_of(line)) for line in lines]
        except Refused as wrong:
            raise forms.ValidationError(str(wrong)) from wrong

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("owner") == SERVICE and not given.get("account", "").strip():
            self.add_error("account", "Name the service account.")
        return given

    def grant(self) -> Grant:
        """What the token is to be good for."""
        given = self.cleaned_data
        reach = Reach(frozenset(model.slug for model in given["models"]), frozenset(given["evaluations"]))
        return Grant(frozenset(given["scopes"]), given["purpose"], reach, tuple(given["networks"]), given["days"])

    def account_name(self) -> str:
        """The service account's name; empty where the token is the person's own."""
        given = self.cleaned_data
        return str(given["account"]).strip() if given.get("owner", ME) == SERVICE else ""


class RevokeForm(ActForm):
    reason = forms.ChoiceField(
        label="Why it ends",
        widget=forms.RadioSelect,
        choices=[(reason, f"{says}.") for reason, says in REASONS.items()],
        error_messages={"required": "Choose why it ends.", "invalid_choice": "Choose one of the reasons."},
    )
