"""ARNs of what the platform names by itself: known in every account before anything is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines import platform


@dataclass(frozen=True, kw_only=True)
class Place:
    """An account and a region."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def role(self, name: str) -> str:
        """Return the ARN of a role."""
        return f"arn:aws:iam::{self.account}:role/{name}"

    def function(self, name: str) -> str:
        """Return the ARN of a platform function, by the name of its kind or service."""
        return self.arn("lambda", f"function:{platform.function_name(name)}")

    def log_group(self, function: str) -> str:
        """Return the ARN of a Lambda function's log group, by the function's full name."""
        return self.arn("logs", f"log-group:/aws/lambda/{function}")

    def jobs_table(self) -> str:
        """Return the ARN of the table of open jobs."""
        return self.arn("dynamodb", f"table/{platform.JOBS_TABLE}")

    def machine(self, name: str) -> str:
        """Return the ARN of a state machine, by its full name."""
        return self.arn("states", f"stateMachine:{name}")

    def parameter(self, name: str) -> str:
        """Return the ARN of a parameter of Systems Manager, by its name, which begins with a slash."""
        return self.arn("ssm", f"parameter{name}")

    def bus(self) -> str:
        """Return the ARN of the platform's event bus."""
        return self.arn("events", f"event-bus/{platform.EVENT_BUS}")
