"""Lambda handlers, one module for each kind of step, and what they share: the standard library and boto3 only."""
