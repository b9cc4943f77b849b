"""What every page shows around its content."""

from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, object]:
    """Counts for the navigation."""
    return {}
