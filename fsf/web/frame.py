"""What every page shows around its content: the pages that exist, where the reader is, and how many crises are open."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from crises.models import Crisis

API_DOCS = "/api/v1/docs/"


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation; `count` is shown where it is not zero."""

    name: str
    address: str
    current: bool
    count: int = 0


def _navigation(request: HttpRequest) -> list[Link]:
    page = request.resolver_match.url_name or "" if request.resolver_match else ""
    open_crises = Crisis.objects.exclude(state="closed").count()
    return [
        Link("Overview", reverse("web:overview"), page in {"overview", "underway"}),
        Link("Levels", reverse("web:level-list"), page.startswith(("level", "framework", "evaluation"))),
        Link("Coverage", reverse("web:coverage"), page == "coverage"),
        Link("Crises", reverse("web:crisis-list"), page.startswith("crisis"), open_crises),
        Link("Tokens", reverse("web:token-list"), page.startswith("token")),
        Link("API", API_DOCS, current=False),
    ]


def frame(request: HttpRequest) -> dict[str, object]:
    """The navigation for people who are signed in; nothing for others, and nothing on paths without people."""
    user = getattr(request, "user", None)
    return {"navigation": _navigation(request)} if user is not None and user.is_authenticated else {}
