"""The official Python facilitator (PyPI x402 2.25) behind POST /verify: prints its address, serves until stdin ends.

It runs in .venv-interop, so it must never import anything of the service; and it must add no opinion of its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import ValidationError
from x402.facilitator import x402FacilitatorSync
from x402.mechanisms.evm.exact import register_exact_evm_facilitator
from x402.mechanisms.evm.signers import FacilitatorWeb3Signer
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.schemas.v1 import PaymentPayloadV1, PaymentRequirementsV1

_MODELS = {1: (PaymentPayloadV1, PaymentRequirementsV1), 2: (PaymentPayload, PaymentRequirements)}

_facilitator = x402FacilitatorSync()
register_exact_evm_facilitator(
    _facilitator,
    FacilitatorWeb3Signer(os.environ["INTEROP_RELAYER_KEY"], os.environ["INTEROP_RPC_URL"]),
    networks="eip155:8453",
)


def _verdict(body: dict[str, Any]) -> dict[str, Any]:
    """Return the facilitator's answer; what it raises for a payment is a "no" too, as any HTTP shell would make it."""
    try:
        payload_model, requirements_model = _MODELS[body["x402Version"]]
        payload = payload_model.model_validate(body["paymentPayload"])
        requirements = requirements_model.model_validate(body["paymentRequirements"])
        answer: dict[str, Any] = _facilitator.verify(payload, requirements).model_dump(by_alias=True)
    except ValidationError as exc:
        return {"isValid": False, "invalidReason": f"unreadable: {exc.errors()[0]['type']}"}
    except Exception as exc:  # noqa: BLE001  it raises what its inputs lead to
        return {"isValid": False, "invalidReason": f"raised: {type(exc).__name__}: {exc}"}
    return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(_verdict(body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the method it replaces
        """Say nothing."""


_server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
_server.daemon_threads = True
threading.Thread(target=_server.serve_forever, daemon=True).start()
sys.stdout.write(f"http://127.0.0.1:{_server.server_address[1]}\n")
sys.stdout.flush()
sys.stdin.read()
