"""A webhook of the SMS-Activate family, read: which activation it is about. Pure.

Nobody signs these (providers.md §1.4), so nothing else of them may be used.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

__all__ = ["read_webhook"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_webhook(body: bytes) -> str | None:
    """Return the activation's id, sent as a number or as text, in JSON or in a form; None for anything else."""
    text = body.decode("utf-8", "replace").strip()
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = dict(parse_qsl(text, max_num_fields=50)) if "=" in text and "{" not in text else None
    if not isinstance(value, dict):
        return None
    told = {str(name).replace("_", "").lower(): one for name, one in value.items()}
    found = [told[name] for name in ("activationid", "id") if name in told]
    is_known = found and not isinstance(found[0], bool) and isinstance(found[0], int | str)
    name = str(found[0]) if is_known else ""
    return name if _ID.fullmatch(name) else None
