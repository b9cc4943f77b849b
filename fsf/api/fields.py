"""Sparse answers: `?fields=id,ref` leaves only these fields of each row."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

PARAMETER = "fields"
ABOUT = "names of fields, with commas between them: each row has only these"


def fields_of(view: Any) -> list[str]:
    """The names of the fields that a row of the view has."""
    shape: type[BaseSerializer[Any]] | None = getattr(view, "serializer_class", None)
    return sorted(getattr(shape(), "fields", ())) if shape else []


def wanted_of(request: Request, view: Any) -> set[str] | None:
    """The fields that are asked for, None for all; raises ValidationError for one that there is not."""
    said = request.query_params.get(PARAMETER)
    if said is None:
        return None
    known, wanted = fields_of(view), said.split(",")
    unknown = sorted({name for name in wanted if name not in known})
    if unknown:
        faults = [f"There is no field '{name[:40]}' here; there are {', '.join(known)}." for name in unknown[:5]]
        raise ValidationError({PARAMETER: faults})
    return set(wanted)


def schema(view: Any) -> dict[str, Any]:
    """How the parameter is documented: a list with commas."""
    return {"type": "array", "items": {"type": "string", "enum": fields_of(view)}, "minItems": 1}


def kept(row: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    """The row with these fields only."""
    return {name: value for name, value in row.items() if name in wanted}


class Sparse(APIView):
    """A view of one row; a misspelt parameter is refused, for it would change nothing unseen."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in {"GET", "HEAD"}:
            return
        if unknown := sorted(set(request.query_params) - {PARAMETER}):
            raise ValidationError(dict.fromkeys(unknown, f"Unknown parameter; known here: {PARAMETER}."))
        request.META["fsf.fields"] = wanted_of(request, self)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        wanted = request.META.pop("fsf.fields", None)
        if wanted is not None and response.status_code == 200:
            response.data = kept(response.data, wanted)
        return super().finalize_response(request, response, *args, **kwargs)
