"""Keeps BLAS on one thread; to be imported before NumPy.

The matrix products here are small. A second thread gains a quarter on idle cores and costs several times as
much on busy ones, where the threads spin while they wait for each other.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
