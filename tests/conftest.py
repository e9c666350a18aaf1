"""One thread for each process, subprocesses included: the tests run in parallel, and threads that share a core wait for each other."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import torch

torch.set_num_threads(1)
