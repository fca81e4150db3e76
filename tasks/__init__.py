"""Lambda handlers, one module for each kind of step, and what they share; standard library and boto3 only."""
