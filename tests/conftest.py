"""One thread for each process, subprocesses included: the tests run in parallel, and threads that share a core wait for each other.

What is kept between runs, such as the features of a data set, is kept in a folder of this run of the tests alone.
No test has a deadline, since machines are noisy.
"""

import os
import shutil
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
_CACHE = None if "PYTEST_XDIST_WORKER" in os.environ else tempfile.mkdtemp(prefix="saltus-tests-")
if _CACHE:  # workers inherit it
    os.environ["SALTUS_CACHE"] = _CACHE

import pytest  # noqa: E402
import torch  # noqa: E402 - it reads the number of threads
from hypothesis import settings  # noqa: E402

torch.set_num_threads(1)
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first, or one worker has it to itself at the end."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid)


def pytest_unconfigure() -> None:
    if _CACHE:
        shutil.rmtree(_CACHE, ignore_errors=True)
