"""The page at `/`, for people who follow an address in a catalogue, and for scanners that read its head.

It must never carry a script, a form or anything from another host.
"""

from __future__ import annotations

from html import escape

from phoneagent.core import money
from phoneagent.core.catalog import PRICES_ATOMIC
from phoneagent.web.guidance import SUMMARY, TITLE

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own style and icon, nothing else."""

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 1em}code{background:#eef}"


def front_page(base_url: str, icon_path: str) -> str:
    """Return the page of the service at ``base_url``."""
    url, title, summary = escape(base_url), escape(TITLE), escape(SUMMARY)
    icon = f"{url}{icon_path}"
    prices = " or ".join(f"${money.text(price)}" for price in PRICES_ATOMIC.values())
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta name="description" content="{summary}">
<link rel="canonical" href="{url}/">
<link rel="icon" type="image/png" sizes="192x192" href="{icon}">
<link rel="alternate" type="text/plain" title="llms.txt" href="{url}/llms.txt">
<link rel="service-desc" type="application/json" href="{url}/openapi.json">
<meta property="og:type" content="website">
<meta property="og:site_name" content="PhoneAgent">
<meta property="og:title" content="{title}">
<meta property="og:description" content="{summary}">
<meta property="og:url" content="{url}/">
<meta property="og:image" content="{icon}">
<meta name="twitter:card" content="summary">
<style>{_STYLE}</style>
</head>
<body>
<h1>PhoneAgent</h1>
<p>{summary}</p>
<p><code>POST {url}/rent</code> answers 402 with the price ({prices} in USDC). Sign it, get a number at once,
and read the SMS with <code>GET /sms/{{rental_id}}</code>. No SMS, no charge.</p>
<ul>
<li><a href="{url}/llms.txt">llms.txt</a>: how to use it, for agents</li>
<li><a href="{url}/llms-full.txt">llms-full.txt</a>: the same with examples and errors</li>
<li><a href="{url}/openapi.json">openapi.json</a>: the API</li>
<li><a href="{url}/problems">Errors</a>: each code and what to do next</li>
<li><a href="{url}/acceptable-use">Acceptable use</a>, and where to report abuse</li>
</ul>
</body>
</html>
"""
