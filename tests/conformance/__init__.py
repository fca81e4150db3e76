"""Definitions run on our engine, on moto's interpreter and on sfnx.testing, and who is right."""
