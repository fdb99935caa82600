"""Run one notebook in the current folder and print its seconds and its kernel's peak megabytes.

A program of its own, because the system keeps one record for all children of a process. On a
busy machine the clock also counts other people's work, and with several threads the processor
counts more than a reader waits: the lesser of the two is what the chapter needs.
"""

import resource
import sys
import time

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
start = time.monotonic()
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
elapsed = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = min(elapsed, used.ru_utime + used.ru_stime)
print(f"{seconds:.1f} {used.ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10):.0f}")
