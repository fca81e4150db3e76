"""Whole outputs: a spec and what comes out of it."""
