"""What people fill in: every form names its fields as the operation it feeds does, and says clearly what is missing."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.validators import RegexValidator, URLValidator

from accounts.models import User
from evals.models import Checkpoint
from fsf.web.looks import GRADE
from thresholds.models import RiskDomain
from thresholds.validity import FLAGS

LONGEST = 4000
FILE_LONGEST = 131_072


class ActForm(forms.Form):
    """A form whose cleaned fields are the keyword arguments of one operation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def facts(self) -> dict[str, Any]:
        """The keyword arguments for the operation."""
        return self.cleaned_data


class PressForm(ActForm):
    """Nothing to fill in: a button."""


def _text(label: str, missing: str, placeholder: str = "", rows: int = 3, *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=LONGEST,
        error_messages={"required": missing},
        widget=forms.Textarea(attrs={"rows": rows, "placeholder": placeholder}),
    )


class UpdateForm(ActForm):
    text = _text("Add an update", "Write what changed before you post it.", "What changed, what is next, when is the next update?")


class EscalateForm(ActForm):
    reason = _text("Why it is escalated", "Say why: everyone who is alerted reads this sentence.", "What cannot wait, and for whom?", 2)


class CloseForm(ActForm):
    reason = _text("Why it can be closed", "Say why: the reason is kept with the crisis.", "What makes it safe to close?", 2)


class ReopenForm(ActForm):
    reason = _text("Why it is reopened", "Say why: the reason is kept with the crisis.", "What changed since it was closed?", 2)


class EvidenceForm(ActForm):
    summary = _text("What the evidence shows", "Say in a sentence what the evidence shows.", "Recall 0.94 at 1 % false positives on ...", 2)
    link = forms.CharField(
        label="Link",
        required=False,
        max_length=500,
        validators=[URLValidator(["http", "https"], message="The link is not a full web address; begin with https://.")],
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    sha256 = forms.CharField(
        label="SHA-256 of the file",
        required=False,
        validators=[RegexValidator(r"^[0-9a-f]{64}$", "A SHA-256 is 64 hexadecimal digits; leave it empty if you have none.")],
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )


class AssignForm(ActForm):
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("first_name", "username"),
        label="Owner",
        empty_label="Choose a person",
        error_messages={"required": "Choose who owns the item.", "invalid_choice": "This person cannot own items; choose another."},
    )

    def facts(self) -> dict[str, Any]:
        return {"owner_id": self.cleaned_data["owner"].pk}


class SignOffForm(ActForm):
    note = _text("Note", "", "What convinced you", 2, required=False)

    def facts(self) -> dict[str, Any]:
        return {"note_text": self.cleaned_data["note"]}


class SignDownForm(ActForm):
    reason = _text(
        "Why it is signed down", "Say why: the reason is kept with your signature.", "Which evidence rules the line out, and why now?", 2
    )


class WithdrawForm(ActForm):
    reason = _text("Why it is invalid", "Say why: the reason is kept with the run.", "What went wrong, and how was it found?", 2)


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "That name and password do not belong together. Check both; capital letters matter.",
        "inactive": "This account is switched off. Ask an administrator.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["username"].label = "User name"
        self.fields["username"].error_messages["required"] = "Enter your user name."
        self.fields["password"].error_messages["required"] = "Enter your password."


class PasswordForm(PasswordChangeForm):
    error_messages = {
        "password_incorrect": "This is not your current password. Check it; capital letters matter.",
        "password_mismatch": "The two new passwords differ. Type the new one again.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        for name, label, missing in (
            ("old_password", "Current password", "Enter your current password."),
            ("new_password1", "New password", "Enter a new password."),
            ("new_password2", "New password again", "Enter the new password a second time."),
        ):
            self.fields[name].label = label
            self.fields[name].error_messages["required"] = missing
        self.fields["new_password2"].help_text = ""

    def validate_password_for_user(self, user: Any, *_: Any) -> None:
        """Complain of a weak password beside the field where it was first typed."""
        super().validate_password_for_user(user, "new_password1")


class PublishForm(ActForm):
    reviewed = forms.CharField(required=False, widget=forms.HiddenInput)  # the digest of the draft as the approver read it
    reason = _text(
        "Why it is published",
        "Say why: the reason is kept with the version.",
        "What these lines rest on, and why they differ from those before",
        3,
    )


class DraftForm(ActForm):
    """A framework file, chosen or pasted."""

    file = forms.FileField(label="File", required=False, widget=forms.FileInput(attrs={"accept": ".yaml,.yml"}))
    text = forms.CharField(
        label="Or its text",
        required=False,
        max_length=FILE_LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "class": "mono", "spellcheck": "false", "placeholder": "framework:\n  slug: ..."}),
    )

    def clean(self) -> dict[str, Any]:
        """One text under `text` and what to call it under `name`, whichever way it came."""
        given = super().clean() or self.cleaned_data
        file = given.pop("file", None)
        if file is None:
            if not given.get("text", "").strip() and not self.errors:
                raise forms.ValidationError("Choose a file, or paste its text.")
            return {**given, "name": "text"}
        if file.size > FILE_LONGEST:
            raise forms.ValidationError(f"{file.name} is larger than {FILE_LONGEST:,} bytes; a framework file is not.")
        try:
            return {"text": file.read().decode(), "name": file.name}
        except UnicodeDecodeError as wrong:
            raise forms.ValidationError(f"{file.name} is not UTF-8 text; save it as such.") from wrong


class FlagForm(ActForm):
    flag = forms.ChoiceField(
        label="What was found out",
        choices=[(flag, f"{flag.replace('_', ' ').capitalize()}: {says}") for flag, says in FLAGS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what was found out.", "invalid_choice": "Choose one of those listed."},
    )
    reason = _text("How it shows", "Say how it shows: the reason is kept with the flag.", "Which results, which overlap, which audit?", 2)
    source = _text("Source", "", "A report, a page, a run", 1, required=False)


class EquateForm(ActForm):
    """Which other checkpoint's results count, for what, until when; `source` holds those that can be named."""

    source = forms.ModelChoiceField(
        Checkpoint.objects.select_related("model"),
        label="Whose results count",
        empty_label="Choose the checkpoint that was evaluated",
        error_messages={"required": "Choose the checkpoint whose results count.", "invalid_choice": "This checkpoint cannot be chosen."},
    )
    domains = forms.ModelMultipleChoiceField(
        RiskDomain.objects.order_by("position", "name"),
        label="Risk domains (none chosen: all)",
        required=False,
        to_field_name="slug",
        widget=forms.CheckboxSelectMultiple,
    )
    limits = _text("What it does not cover", "Say what it does not cover.", "Tools, fine-tuning, modes", 2)
    reason = _text(
        "Why the two are equivalent",
        "Say why: the reason is kept with your signature.",
        "What differs between them, and how it was checked",
        3,
    )
    expires = forms.DateField(
        label="Expires on",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": "Say when it expires.", "invalid": "Write the day as 2027-01-31."},
    )

    def facts(self) -> dict[str, Any]:
        given = self.cleaned_data
        until = dt.datetime.combine(given["expires"], dt.time(), dt.UTC)
        return {**given, "domains": [domain.slug for domain in given["domains"]], "expires": until}


class EndForm(ActForm):
    reason = _text("Why it ends", "Say why: the reason is kept with the equivalence.", "What was found to differ", 2)


class GradeForm(ActForm):
    grade = forms.ChoiceField(
        label="Determination",
        widget=forms.RadioSelect,
        choices=[(grade, GRADE[grade].capitalize()) for grade in GRADE],
        error_messages={"required": "Choose one of the four.", "invalid_choice": "Choose one of the four."},
    )
    experts = _text("Experts, one name a line", "Name who determined it.", "Given name, family name, field", 3)
    rationale = _text(
        "Reasons", "Say why: the reasons are kept with the determination.", "What decides between this grade and its neighbours?", 4
    )
    evidence = _text("Evidence they looked at", "Name the evidence.", "Runs, transcripts, studies, with links", 3)

    def facts(self) -> dict[str, Any]:
        return {**self.cleaned_data, "experts": self.cleaned_data["experts"].splitlines()}
