"""Writes limits.json: what botocore's service models say about the requests that handlers send.

Loading those models takes longer than compiling a pipeline, so what the compiler needs of them is kept here.
Run `python -m pipelines.aws.extract` after an upgrade of botocore; a contract test tells when that is due.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any

from pipelines.aws.limits import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "dynamodb": ("GetItem", "PutItem", "Query", "UpdateItem"),
    "greengrassv2": (
        "CancelDeployment",
        "CreateComponentVersion",
        "CreateDeployment",
        "DescribeComponent",
        "GetComponent",
        "GetCoreDevice",
        "GetDeployment",
        "ListComponentVersions",
        "ListDeployments",
        "ListEffectiveDeployments",
    ),
    "iot": ("ListThingsInThingGroup",),
    "lambda": ("Invoke",),
    "s3": ("CopyObject", "GetObject", "HeadObject", "ListObjectsV2", "PutObject"),
    "sagemaker": (
        "CreateCompilationJob",
        "CreateEndpointConfig",
        "CreateLabelingJob",
        "CreateProcessingJob",
        "CreateTrainingJob",
        "DescribeCompilationJob",
        "DescribeLabelingJob",
        "DescribeProcessingJob",
        "DescribeTrainingJob",
        "StopCompilationJob",
        "StopLabelingJob",
        "StopProcessingJob",
        "StopTrainingJob",
    ),
    "stepfunctions": ("DescribeExecution", "SendTaskFailure", "SendTaskHeartbeat", "SendTaskSuccess"),
    "sts": ("AssumeRole",),
}
"""By boto3's name of the service: what handlers send, and what kinds that have no handler yet will send."""

Shape = dict[str, Any]


def build_services() -> dict[str, Any]:
    """Return each service's operations and the shapes of their requests, from botocore's data."""
    from botocore.session import Session

    session = Session()
    return {
        service: _build_service(session.get_service_model(service), operations)
        for service, operations in OPERATIONS.items()
    }


def _build_service(model: Any, operations: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401 - botocore is untyped
    inputs = {name: model.operation_model(name).input_shape for name in operations}
    shapes: dict[str, Shape] = {}
    waiting = list(inputs.values())
    while waiting:
        shape = waiting.pop()
        if shape.name not in shapes:
            shapes[shape.name] = _build_shape(shape)
            waiting += _parts(shape)
    return {
        "operations": {name: shape.name for name, shape in inputs.items()},
        "shapes": dict(sorted(shapes.items())),
    }


def _parts(shape: Any) -> Iterator[Any]:  # noqa: ANN401 - botocore is untyped
    if shape.type_name == "structure":
        yield from shape.members.values()
    elif shape.type_name == "map":
        yield from (shape.key, shape.value)
    elif shape.type_name == "list":
        yield shape.member


def _build_shape(shape: Any) -> Shape:  # noqa: ANN401 - botocore is untyped
    found: Shape = {"type": shape.type_name}
    if shape.type_name == "structure":
        found["members"] = {name: member.name for name, member in shape.members.items()}
        found["required"] = list(shape.required_members)
    elif shape.type_name == "map":
        found |= {"key": shape.key.name, "value": shape.value.name}
    elif shape.type_name == "list":
        found["member"] = shape.member.name
    limits = {key: shape.metadata[key] for key in ("min", "max", "pattern") if key in shape.metadata}
    enum = {"enum": list(shape.enum)} if shape.type_name == "string" and shape.enum else {}
    return {**found, **limits, **enum}


def render(services: Mapping[str, Any], *, version: str, date: str) -> str:
    """Return the file: a line for each shape, so that an upgrade of botocore can be read as a difference."""
    parts = [_render_service(name, each) for name, each in services.items()]
    head = f'"botocore": {json.dumps(version)}, "date": {json.dumps(date)}'
    return f'{{{head}, "services": {{\n' + ",\n".join(parts) + "\n}}\n"


def _render_service(name: str, service: Mapping[str, Any]) -> str:
    head = f'{json.dumps(name)}: {{"operations": {json.dumps(service["operations"])}, "shapes": {{'
    return f"{head}\n{_lines(service['shapes'])}\n}}}}"


def _lines(shapes: Mapping[str, Shape]) -> str:
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(shape)}" for name, shape in shapes.items())


def main() -> int:
    """Write limits.json from the installed botocore."""
    import botocore

    today = dt.datetime.now(dt.UTC).date().isoformat()
    text = render(build_services(), version=botocore.__version__, date=today)
    FILE.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
