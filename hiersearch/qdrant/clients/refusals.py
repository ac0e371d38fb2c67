"""Errors of `qdrant_client`, turned into ours."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError
from hiersearch.qdrant.clients.client_calls import place_of

if TYPE_CHECKING:
    from hiersearch.qdrant.clients.client_calls import Client

__all__ = ["answer_of", "code_of", "details_of", "exists_already", "refusal"]


def refusal(error: Exception, client: Client) -> StoreError | None:
    """Our error for one that a client raised, with its cause; None if that is of another kind.

    No message contains a key, or the user name and password of a URL, and none has a cause that
    does.
    """
    if isinstance(error, ResponseHandlingException):
        return _no_answer(error.source, client)
    if isinstance(error, UnexpectedResponse):
        return _refused(error.status_code, answer_of(error), client)
    if isinstance(error, QdrantException):
        return _refused(429, str(error), client)
    if isinstance(error, grpc.RpcError):
        return _failed_call(error, client)
    if not isinstance(error, ValueError | KeyError | NotImplementedError):
        return None
    # The client's own local mode raises these for whatever a server would answer 4xx.
    reason = _without_key(str(error), client)
    if isinstance(error, ValueError) and "not found" in reason:
        ours: StoreError = CollectionError(reason)
    else:
        ours = StoreError(f"{place_of(client)} refused the request ({reason})")
    ours.__cause__ = error if reason == str(error) else None
    return ours


def exists_already(error: Exception) -> bool:
    """Whether a collection could not be created because there is one of that name."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code == 409
    if isinstance(error, grpc.RpcError):
        return bool(code_of(error) == grpc.StatusCode.ALREADY_EXISTS)
    return False


def _without_key(text: str, client: Client) -> str:
    """An error's text, which may quote the headers of a request."""
    text = re.sub(r"(Illegal header value|metadata was invalid).*", r"\1", text, flags=re.DOTALL)
    options: Mapping[str, Any] = getattr(client, "init_options", None) or {}
    key = str(options.get("api_key") or "")
    for form in (key, repr(key)[1:-1], key.strip()):
        text = text.replace(form, "...") if form else text
    return text


def _refused(status: int | None, answer: str, client: Client) -> StoreError:
    place, answer = place_of(client), _without_key(answer, client)
    if status == 401:
        return StoreUnreachableError(
            f"the server at {place} refuses the key",
            hint="Set QDRANT_API_KEY to a key that has permission for this",
        )
    if status == 403:
        return StoreUnreachableError(
            f"the key for the server at {place} lacks a right ({answer})",
            hint="Use a key that has it: queries need read access to the collection, points write "
            "access, and attaching manage access, for metadata and indexes",
        )
    if status == 404:
        what = "point" if "No point with id" in answer else "collection"
        return CollectionError(
            f"the server at {place} has no such {what} ({answer})",
            hint="Check the collection's name and the rest of the URL"
            if what == "collection"
            else "",
        )
    if status in (408, 504):
        return _slow(answer, client)
    if status == 429:
        return StoreError(
            f"the server at {place} is overloaded, or limits its rate ({answer})",
            hint="Try again later, or raise read_rate_limit and write_rate_limit in the "
            "collection's strict mode",
        )
    return StoreError(f"the server at {place} refused the request ({status}: {answer})")


def _slow(answer: str, client: Client) -> StoreUnreachableError:
    return StoreUnreachableError(
        f"the server at {place_of(client)} did not answer in time ({answer})",
        hint="It may be busy: try again, or allow it more time with --timeout SECONDS (in Python, "
        "the client's timeout)",
    )


def _no_answer(error: BaseException, client: Client) -> StoreError:
    """Why there was no answer by HTTP, or none that makes sense."""
    from httpx import ConnectTimeout, TimeoutException

    if isinstance(error, TimeoutException) and not isinstance(error, ConnectTimeout):
        return _slow(_reason(error, client), client)
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _untrusted(link.verify_message or "it cannot be verified", client)
        link = link.__cause__ or link.__context__
    return StoreUnreachableError(
        f"no Qdrant server answers at {place_of(client)} ({_reason(error, client)})",
        hint="Check the URL, and that the server is running",
    )


def _untrusted(
    reason: str, client: Client, variable: str = "SSL_CERT_FILE"
) -> StoreUnreachableError:
    return StoreUnreachableError(
        f"the certificate of the server at {place_of(client)} is not trusted ({reason})",
        hint=f"If it is the right server, set {variable} to the file of its certificate, or of the "
        "authority that signed it",
    )


def _failed_call(error: grpc.RpcError, client: Client) -> StoreError:
    code, answer = code_of(error), _without_key(details_of(error), client)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return _slow(answer or code.name, client)
    if code == grpc.StatusCode.UNAVAILABLE and "CERTIFICATE_VERIFY_FAILED" in answer:
        return _untrusted("certificate verify failed", client, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    if code == grpc.StatusCode.UNAVAILABLE:
        return StoreUnreachableError(
            f"no Qdrant server answers at {place_of(client)} by gRPC ({answer or code.name})",
            hint="Check the URL and the gRPC port, and that the server is running",
        )
    return _refused(_STATUS.get(code, code.value[0]), answer, client)


_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
}


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status of a gRPC call."""
    return error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE


def details_of(error: BaseException) -> str:
    """What the server said about a gRPC call."""
    details = error.details() if isinstance(error, grpc.Call) else None
    return " ".join((details or "").split())[:300]


def answer_of(error: UnexpectedResponse) -> str:
    """The server's error message, without the JSON around it."""
    text = error.content.decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):  # a proxy answered, not Qdrant
        text = str(json.loads(text)["status"]["error"])
    return " ".join(text.split())[:300]


def _reason(error: BaseException, client: Client) -> str:
    return _without_key(str(error) or type(error).__name__, client)
