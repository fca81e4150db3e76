"""Small functions that deployments and triggers call: a program of its own, on boto3 alone."""
