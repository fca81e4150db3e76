"""What a caller of the endpoint reads where moto has no answer: an error as AWS's own, never a traceback.

Moto leaves out whole services and many operations, and trusts its callers to have checked their requests.
The shapes: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html, .../aws-query-protocol.html,
.../aws-restjson1-protocol.html and .../aws-restxml-protocol.html
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = "400 Bad Request"
REQUEST_ID = "00000000-0000-0000-0000-000000000000"
MAX_BODY = 10 * 1024**2
"""Bytes of a request that are read to see what was wrong with it."""
_MODELS = {"states": "stepfunctions"}
"""Services whose name in a signature is not boto3's."""
_XML = frozenset({"s3", "route53", "cloudfront"})
_FORM = "application/x-www-form-urlencoded"

Environ = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A request that moto has no answer to."""

    service: str
    """As in the request's signature; empty for a request without one."""
    operation: str
    """Its name, or the method and path of a REST request."""
    protocol: str
    """json, query, ec2, s3, xml."""
    body: bytes

    def unknown(self) -> Answer:
        """Say that the operation, or the whole service, is not there."""
        code = {"json": "UnknownOperationException", "s3": "NotImplemented"}.get(
            self.protocol, "InvalidAction"
        )
        named = self.service or "an unsigned request"
        return self._answer(code, f"the local cloud does not emulate {self.operation} of {named}")

    def broken(self, error: Exception, log: str) -> Answer:
        """Say what is wrong with the request's input, or else what moto fell over."""
        code = {"json": "ValidationException", "s3": "InvalidRequest", "ec2": "InvalidParameterValue"}
        found = self._find_fault()
        unsure = (
            f"the local cloud cannot carry out {self.operation} of {self.service} with this input "
            f"({type(error).__name__}: {error}): check it against AWS's reference (log: {log})"
        )
        return self._answer(code.get(self.protocol, "ValidationError"), found or unsure)

    def _find_fault(self) -> str:
        """Return what of a JSON request its service's model does not allow."""
        from botocore.exceptions import BotoCoreError
        from botocore.model import OperationNotFoundError
        from botocore.validate import ParamValidator
        from moto.core.utils import get_service_model

        try:
            model = get_service_model(_MODELS.get(self.service, self.service))
            given = json.loads(self.body or b"{}")
            report = ParamValidator().validate(given, model.operation_model(self.operation).input_shape)
        except (BotoCoreError, OperationNotFoundError, ValueError, AttributeError):
            return ""
        return " ".join(str(report.generate_report()).split("\n"))

    def _answer(self, code: str, message: str) -> Answer:
        render, kind = (_json, "application/x-amz-json-1.1"), (_xml, "text/xml")
        make, content_type = render if self.protocol == "json" else kind
        headers = {"Content-Type": content_type, "x-amzn-ErrorType": code, "x-amzn-RequestId": REQUEST_ID}
        return Answer(headers=headers, body=make(self.protocol, code, message).encode())


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An error as its caller's client expects it."""

    headers: Mapping[str, str]
    body: bytes


def read(environ: Environ) -> Misfit:
    """Return what a request asks for; its body can be read again afterwards."""
    body = keep_body(environ)
    service = signed_service(environ.get("HTTP_AUTHORIZATION", ""))
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    fields = parse_qs(environ.get("QUERY_STRING", ""))
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        fields |= parse_qs(body.decode("utf-8", errors="replace"))
    action = target.rpartition(".")[2] or "".join(fields.get("Action", []))
    place = f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"
    protocol = _protocol(service, queried=not target and bool(action))
    return Misfit(service=service, operation=action or place, protocol=protocol, body=body)


def keep_body(environ: Environ) -> bytes:
    """Return the request's body, as much as is looked at, and leave all of it to be read."""
    size = environ.get("CONTENT_LENGTH", "")
    if not size.isdigit() or int(size) > MAX_BODY:
        return b""
    body: bytes = environ["wsgi.input"].read(int(size))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def signed_service(authorization: str) -> str:
    """Return the service in a signature's scope: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[-2].lower() if len(scope) >= 5 else ""


def _protocol(service: str, *, queried: bool) -> str:
    if service == "ec2" and queried:
        return "ec2"
    if service in _XML:
        return "s3" if service == "s3" else "xml"
    return "query" if queried else "json"


def _json(_protocol: str, code: str, message: str) -> str:
    return json.dumps({"__type": code, "message": message})


def _xml(protocol: str, code: str, message: str) -> str:
    fault = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request = f"<RequestId>{REQUEST_ID}</RequestId>"
    if protocol == "s3":
        return f"<Error>{fault}{request}</Error>"
    if protocol == "ec2":
        errors = f"<Errors><Error>{fault}</Error></Errors>"
        return f"<Response>{errors}<RequestID>{REQUEST_ID}</RequestID></Response>"
    return f"<ErrorResponse><Error><Type>Sender</Type>{fault}</Error>{request}</ErrorResponse>"
