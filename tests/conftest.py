"""One thread for each process: the tests run in parallel, and threads that share a core wait for each other."""

import torch

torch.set_num_threads(1)
