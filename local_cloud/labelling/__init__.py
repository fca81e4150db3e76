"""Labelling by people, or by an oracle that stands for them: what processes share through the state folder.

A labelling job puts up a sheet: its labels and its images. Whoever labels keeps answers beside it, which the
job takes up. Nothing here starts moto, so that a person may label while another process drives the run.
"""
