"""Every run that has no result yet: lost and not replaced, or running."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fsf.web.underway import lost_page, running_page


@require_safe
def underway(request: HttpRequest) -> HttpResponse:
    context = {
        "now": timezone.now(),
        "lost": lost_page(request.GET.get("lost", "1")),
        "running": running_page(request.GET.get("running", "1")),
    }
    return render(request, "runs/underway.html", context)
