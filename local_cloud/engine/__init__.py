"""Our interpreter of JSONata state machines, behind moto's Step Functions API."""

from local_cloud.engine.handle import Engine, install
from local_cloud.engine.runs import FILE_NAME

__all__ = ["FILE_NAME", "Engine", "install"]
