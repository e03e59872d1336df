"""llms.txt and llms-full.txt: the service in words, and its operations as the OpenAPI document has them.

They must never list an operation that the document does not have, nor promise more than it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from phoneagent.core import money
from phoneagent.core.catalog import COUNTRIES, PREMIUM_SERVICES, PRICES_ATOMIC, SERVICES, Mode
from phoneagent.core.policy import Rules
from phoneagent.web.guidance import GUIDANCE, SUMMARY

Json = Mapping[str, Any]


def llms_txt(document: Json, base_url: str) -> str:
    """Return the short text (llmstxt.org: a title, a summary, then sections of links)."""
    return f"""\
# PhoneAgent

> {SUMMARY}

{GUIDANCE}
## Operations

{_operations(document, base_url)}
## More

- [Everything in one text]({base_url}/llms-full.txt): the same with example requests, answers, services and errors
- [OpenAPI]({base_url}/openapi.json): every field and every status
- [Errors]({base_url}/problems): each code, what to do next, whether it charges
- [Acceptable use]({base_url}/acceptable-use): what the numbers may and may not be used for, and where to report abuse
- [Paid resources]({base_url}/.well-known/x402): for crawlers of x402 resources
"""


def llms_full_txt(document: Json, base_url: str, errors: str, rules: Rules) -> str:
    """Return the long text: the short one, then examples, what is sold under these rules, and the errors."""
    countries = (f"{code} {name}" for code, name in COUNTRIES.items() if rules.about_country(code) is None)
    return f"""\
{llms_txt(document, base_url)}
## What is sold

{_services(rules)}
Countries, as far as there is stock: {", ".join(countries)}.

## Examples

{"".join(_examples(document))}
{errors}"""


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Return method, path and operation of everything in the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operations(document: Json, base_url: str) -> str:
    return "".join(
        f"- `{method} {base_url}{path}` ({_price(operation)}): {operation['summary']}\n"
        for method, path, operation in operations(document)
    )


def _price(operation: Json) -> str:
    if "x-payment-info" not in operation:
        return "free, with the rental's token" if operation.get("security") else "free"
    price = operation["x-payment-info"]["price"]
    return f"${price['amount']}" if price["mode"] == "fixed" else f"${price['min']} to ${price['max']}"


def _services(rules: Rules) -> str:
    rows = (
        f"| `{code}` | {name} | {mode} | ${money.text(PRICES_ATOMIC[mode])} |\n"
        for code, name in SERVICES.items()
        if rules.about_service(code) is None
        for mode in (Mode.ACTIVATE_PREMIUM if code in PREMIUM_SERVICES else Mode.ACTIVATE,)
    )
    return "| service | name | SKU | price |\n|---|---|---|---|\n" + "".join(rows)


def _examples(document: Json) -> Iterator[str]:
    for method, path, operation in operations(document):
        request = _example(operation.get("requestBody", {}).get("content", {}))
        answer = _example(operation["responses"]["200"].get("content", {}))
        if answer is not None:
            asked = f"{method} {path}" + (f"\n\n{request}" if request else "")
            yield f"```\n{asked}\n\n200\n\n{answer}\n```\n\n"


def _example(content: Json) -> str | None:
    examples = content.get("application/json", {}).get("examples", {})
    first = next(iter(examples.values()), None)
    return None if first is None else json.dumps(first["value"], ensure_ascii=False)
