"""What people fill in: every form names its fields as the operation it feeds does, and says clearly what is missing."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.validators import RegexValidator, URLValidator

from accounts.models import User

LONGEST = 4000


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
