"""The model-control half of the KServe v2 protocol, as both engines answer it.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .errors import EngineError, ModelError

CONTROL_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """One model as the engine sees it; `reason` tells why it is not READY."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ModelControl:
    """Load and unload models of the engine at `address`."""

    address: str

    def load(self, name: str) -> None:
        """Load a model and what it is composed of; ModelError if the engine refuses."""
        self._post(f"/v2/repository/models/{quote(name, safe='')}/load", {})

    def unload(self, name: str) -> None:
        """Unload a model and what it is composed of."""
        body = {"parameters": {"unload_dependents": True}}
        self._post(f"/v2/repository/models/{quote(name, safe='')}/unload", body)

    def states(self) -> dict[str, ModelState]:
        """Give every model that the engine knows."""
        rows = json.loads(self._post("/v2/repository/index", {}) or "[]")
        return {state.name: state for state in map(_parse_state, rows)}

    def _post(self, path: str, body: Mapping[str, Any]) -> bytes:
        connection = http.client.HTTPConnection(self.address, timeout=CONTROL_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            status, answer = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            message = f"the inference engine does not answer: {error}"
            raise EngineError(message) from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise ModelError(_parse_error(answer))
        return answer


def _parse_state(row: Mapping[str, Any]) -> ModelState:
    return ModelState(
        name=str(row["name"]), state=str(row.get("state", "UNAVAILABLE")), reason=str(row.get("reason", ""))
    )


def _parse_error(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace")
