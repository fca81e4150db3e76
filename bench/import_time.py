"""Imports the modules it is given as `edgepipe run` does; prints how long that took: seconds, CPU seconds.

From the first line on: without the start of Python, and without its end, when it takes every module apart.
"""

import time

wall, cpu = time.perf_counter(), time.process_time()

import importlib  # noqa: E402 - what comes first is timed too
import sys  # noqa: E402 - as above

import cli  # noqa: E402, F401 - as above
from local_cloud.run import uncollected  # noqa: E402 - as above

with uncollected():
    for name in sys.argv[1:]:
        importlib.import_module(name)

print(time.perf_counter() - wall, time.process_time() - cpu)
