"""Inputs that nobody writes on purpose: no traceback, no memory beyond bounds, no endless work."""
