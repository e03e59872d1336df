"""Request bodies: read with a cap while they stream in, then parsed strictly.

Duplicate members, NaN and nesting bombs are refused; an empty body is None, not an error.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from phoneagent.core.errors import RequestInvalid
from phoneagent.x402 import strict_json

MAX_BODY_BYTES = 16_384


async def read_json(request: Request) -> object | None:
    """Return the parsed body, None for an empty one. Raises RequestInvalid (400, or 413 past 16 kB)."""
    body = await read_bytes(request, MAX_BODY_BYTES)
    if not body.strip():
        return None
    try:
        return strict_json.read_object(body)
    except (ValueError, RecursionError) as exc:
        raise RequestInvalid("invalid_request", "body: must be one JSON object", field="body") from exc


async def read_bytes(request: Request, most: int) -> bytes:
    """Return the body as it came. Raises RequestInvalid (400, or 413 past ``most`` bytes)."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise RequestInvalid("body_too_large", f"the body is larger than {most} bytes")
    except ClientDisconnect as exc:
        raise RequestInvalid("invalid_request", "the client went away") from exc
    return bytes(body)
