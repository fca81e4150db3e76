"""Stands beside the spec: the compiler asks whether it is there and reads none of it."""
