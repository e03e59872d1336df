"""Example requests and answers, told as one story: a number is rented, an SMS comes, the payment settles.

Nothing in here exists: the number is one of those reserved for fiction.
"""

from __future__ import annotations

from typing import Any

_RENTAL_ID = "r_00mzxw6ytboi4dcmrtgq2tmnzygk"
_NUMBER = "14155550123"
_CREATED_AT = "2026-11-21T18:20:00Z"
_EXPIRES_AT = "2026-11-21T18:30:00Z"

RENT: dict[str, Any] = {"country": "US", "service": "go", "duration_minutes": 10}

RENTAL: dict[str, Any] = {
    "rental_id": _RENTAL_ID,
    "phone_number": _NUMBER,
    "token": "tok_5c1e_dGhpcyBpcyBub3QgYSB0b2tlbiBvZiBvdXJz",
    "expires_at": _EXPIRES_AT,
    "mode": "activate",
    "country": "US",
    "service": "go",
    "status": "active",
}

SMS: list[dict[str, Any]] = [
    {"from": "Example", "text": "123456 is your verification code", "receivedAt": 1_795_285_230_000}
]

STATUS: dict[str, Any] = {
    "rental_id": _RENTAL_ID,
    "status": "settled",
    "mode": "activate",
    "service": "go",
    "country": "US",
    "phone_number": _NUMBER,
    "created_at": _CREATED_AT,
    "expires_at": _EXPIRES_AT,
    "sms_received": True,
    "settle_tx_hash": "0x" + "5e771e" * 10 + "0123",
    "settlement": {"state": "settled", "reason": None, "until": "2026-11-21T18:50:00Z"},
}

COUNTRIES: list[dict[str, Any]] = [
    {
        "code": "US",
        "name": "United States",
        "services": [
            {"code": "tg", "name": "Telegram", "mode": "activate_premium", "price_usdc": 2, "pool": 1842},
            {"code": "go", "name": "Google / Gmail", "mode": "activate", "price_usdc": 1, "pool": 25310},
        ],
    }
]

SERVICES: dict[str, Any] = {
    "services": [
        {
            "code": "tg",
            "name": "Telegram",
            "mode": "activate_premium",
            "price_usdc": 2,
            "typical_delivery_seconds": 90,
        },
        {
            "code": "go",
            "name": "Google / Gmail",
            "mode": "activate",
            "price_usdc": 1,
            "typical_delivery_seconds": 90,
        },
    ],
    "countries": [{"code": "US", "alpha3": "USA", "name": "United States"}],
    "skus": [{"mode": "activate", "price_usdc": 1}, {"mode": "activate_premium", "price_usdc": 2}],
    "duration_minutes": {"min": 1, "max": 20},
    "charged": "Only when an SMS arrives.",
    "spellings": "Requests may name countries and services by code, name or ISO alpha-3.",
    "stock": "GET /countries lists what is in stock now.",
}
