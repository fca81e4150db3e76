"""What travels inside a model's component: `base.py` and `marshal.py` for Triton, `loader.py` for Greengrass.

The three files are copied into the package one by one, so none of them imports another.
"""
