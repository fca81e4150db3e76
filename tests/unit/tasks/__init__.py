"""Tests of the Lambda handlers against in-memory services."""
