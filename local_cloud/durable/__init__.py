"""What moto holds in memory, kept in the state folder, so that the next command or life finds it.

After a call that changes something, and before its reply is seen, what the call touched is kept:

- a service's state of one account and region as a whole (roles, queues, topics, things, secrets, functions);
- of S3 the objects that the call names, their bodies as files under `objects/`, named by their digests;
- of DynamoDB the items that the call names.

What it does not keep: uploads in parts that have not been completed, DynamoDB stream records, and the state
of services that cannot be pickled (keys of KMS); the first such change is said on stderr.
"""

from local_cloud.durable.memory import ForeignStateError, Memory, install

__all__ = ["ForeignStateError", "Memory", "install"]
