"""Forms that pages send."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

_MOST = 1 << 20


async def read_form(request: Request) -> dict[str, str]:
    """The values of a form, the last of each name.

    Raises:
        HTTPException: It is too large, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "the content type is application/x-www-form-urlencoded")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST:
            raise HTTPException(413, f"the form is larger than {_MOST >> 20} MiB")
    fields = parse_qs(bytes(data).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}
