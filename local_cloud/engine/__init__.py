"""Our interpreter of JSONata state machines, behind moto's Step Functions API."""

from local_cloud.engine.handle import Engine, install

__all__ = ["Engine", "install"]
