"""What the house expects and where to complain: /acceptable-use and /.well-known/security.txt (RFC 9116).

The text must promise and forbid only what the code and the operator really do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape

from phoneagent.services.permits import Permits

ACCEPTABLE_USE_PATH = "/acceptable-use"
SECURITY_PATH = "/.well-known/security.txt"

EXPIRES_AFTER = timedelta(days=180)
"""RFC 9116 §2.5.5 recommends less than a year. Made anew with every answer, it never runs out."""

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 1em}code{background:#eef}"


def _wall_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class House:
    """Who is written to about abuse (None: nobody is named), how long texts are kept, and the rules of this moment."""

    contact_email: str | None = None
    retention_hours: int = 72
    permits: Permits = field(default_factory=Permits)
    now_ms: Callable[[], int] = _wall_ms


def security_txt(house: House, base_url: str) -> str | None:
    """Return the file as of now; None without a contact, which the RFC requires. Other links only where https."""
    if house.contact_email is None:
        return None
    now = datetime.fromtimestamp(house.now_ms() / 1000, UTC)
    expires = (now + EXPIRES_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: mailto:{house.contact_email}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
    ]
    if base_url.startswith("https://"):
        lines += [f"Canonical: {base_url}{SECURITY_PATH}", f"Policy: {base_url}{ACCEPTABLE_USE_PATH}"]
    return "\n".join(lines) + "\n"


def acceptable_use_page(house: House, base_url: str) -> str:
    """Return the page, in HTML."""
    url = escape(base_url)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Acceptable use of PhoneAgent</title>
<link rel="canonical" href="{url}{ACCEPTABLE_USE_PATH}">
<style>{_STYLE}</style>
</head>
<body>
<h1>Acceptable use</h1>
<p>Whoever rents a number here, and whoever lets a program rent one, agrees to this.</p>
<h2>You may</h2>
<ul>
<li>receive one verification code for an account that is yours, or that its owner asked you to open;</li>
<li>test your own sign-up and login flows.</li>
</ul>
<h2>You may not</h2>
<ul>
<li>deceive anybody: fraud, phishing, impersonation, or an account in the name of somebody who did not ask for it;</li>
<li>get around a ban, a limit on accounts, or a check of age or identity that the law or a site requires;</li>
<li>open accounts at banks, payment services, exchanges or authorities, unless the service is listed here by name;</li>
<li>send spam, inflate votes or reviews, or open accounts in bulk to sell them;</li>
<li>use the service from, for, or on behalf of a person or place under sanctions that bind you or us;</li>
<li>break the law, or the terms of the site that sends the code.</li>
</ul>
<h2>What we do</h2>
<ul>
<li>Some services and countries are not sold, and either may be switched off at any time. A rental that has its number
is not ended by that.</li>
<li>There are limits for each payer. A payer may be screened and refused before anything is charged, and is blocked for
30 days after a payment that failed by its own doing.</li>
<li>The text of an SMS and the number are deleted {house.retention_hours} hours after the rental's end, or 10 minutes
after the payment could last be settled, whichever is later. Who paid, when, and for which service and country stays in
the books; the number stays there only as a keyed hash.</li>
<li>To a lawful request about a number at a time we can answer which payer had it.</li>
<li>Numbers are temporary. Do not tie an account to one that you must be able to get back into.</li>
</ul>
<h2>Report abuse</h2>
<p>{_report(house)}</p>
<p><a href="{url}/">PhoneAgent</a></p>
</body>
</html>
"""


def _report(house: House) -> str:
    if house.contact_email is None:
        return "The operator of this service has published no address for reports."
    email = escape(house.contact_email)
    return (
        f'Write to <a href="mailto:{email}">{email}</a>: the number in international form, the time with its zone, '
        "and what happened. Do not send the text of the SMS."
    )
