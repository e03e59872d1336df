"""JSON-RPC 2.0 over HTTP: reads requests and batches, hands them to the chain's thread, writes the answers.

It must never answer 500: whatever comes in, something a JSON-RPC client understands goes out. It must never run the EVM
on the event loop.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.dev.chain.errors import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from phoneagent.dev.chain.chain import EvmChain

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 5 * 1024 * 1024
"""geth's limit."""

MAX_BATCH = 1000
"""geth's limit."""


class _BodyTooLargeError(Exception):
    """The request body is over the limit."""


def rpc_app(run: Callable[[Callable[[EvmChain], Any]], Awaitable[Any]]) -> Starlette:
    """The app with `POST /`; `run` executes a function on the chain's thread.

    A batch is one piece of work: nothing is sealed between its members, except by the members themselves.
    """

    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
        except _BodyTooLargeError:
            return Response("request body too large", status_code=413, media_type="text/plain")
        except ClientDisconnect:
            return Response(status_code=400)  # whoever asked was killed in the middle of it; nobody reads this
        try:
            answer = await _answer(body, run)
        except Exception:  # the top of a request: a full disk, say, must not look like a broken server
            logger.exception("JSON-RPC request failed")
            answer = _failure(None, RpcError(INTERNAL_ERROR, "internal error"))
        if answer is None:
            return Response(status_code=204)
        return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")

    return Starlette(routes=[Route("/", endpoint, methods=["POST"])])


async def _body(request: Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise _BodyTooLargeError
    return bytes(chunks)


async def _answer(body: bytes, run: Callable[[Callable[[EvmChain], Any]], Awaitable[Any]]) -> object:
    """The response, the responses of a batch, or None if nobody expects one."""
    try:
        given = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _failure(None, RpcError(PARSE_ERROR, "parse error"))
    if not isinstance(given, list):
        return await run(lambda chain: _respond(chain, given))
    if not given:
        return _failure(None, RpcError(INVALID_REQUEST, "empty batch"))
    if len(given) > MAX_BATCH:
        return _failure(None, RpcError(INVALID_REQUEST, "batch too large"))
    return await run(lambda chain: _respond_all(chain, given)) or None


def _respond_all(chain: EvmChain, requests: list[Any]) -> list[dict[str, Any]]:
    answers = (_respond(chain, one) for one in requests)
    return [one for one in answers if one is not None]


def _respond(chain: EvmChain, request: Any) -> dict[str, Any] | None:  # noqa: ANN401  JSON may be anything
    """The response to one request; None for a notification."""
    try:
        request_id, method, params = _parts(request)
    except RpcError as exc:
        return _failure(_id_of(request), exc)
    answer = _outcome(chain, request_id, method, params)
    return answer if "id" in request else None


def _outcome(chain: EvmChain, request_id: object, method: str, params: object) -> dict[str, Any]:
    from phoneagent.dev.chain.methods import dispatch  # noqa: PLC0415  imports the EVM, which this module must not

    try:
        return {"jsonrpc": "2.0", "id": request_id, "result": dispatch(chain, method, params)}
    except RpcError as exc:
        return _failure(request_id, exc)
    except Exception:  # the top of a request: a fault of ours must reach the caller as an answer
        logger.exception("JSON-RPC method failed", extra={"method": method})
        return _failure(request_id, RpcError(INTERNAL_ERROR, "internal error"))


def _parts(request: Any) -> tuple[object, str, object]:  # noqa: ANN401  JSON may be anything
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "invalid request")
    if request.get("jsonrpc", "2.0") != "2.0" or not _is_id(request.get("id")):
        raise RpcError(INVALID_REQUEST, "invalid request")
    return request.get("id"), request["method"], request.get("params")


def _id_of(request: Any) -> object:  # noqa: ANN401  JSON may be anything
    request_id = request.get("id") if isinstance(request, dict) else None
    return request_id if _is_id(request_id) else None


def _is_id(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _failure(request_id: object, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}
