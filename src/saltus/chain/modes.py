"""How something that may hold networks is used without being trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["cast_parameters", "evaluating", "like"]

M = TypeVar("M", bound=nn.Module)


def like(model: object) -> Tensor:
    """A tensor with the dtype and device of a model's parameters; float64 on the CPU where there is none."""
    none = torch.zeros(0, dtype=torch.float64)
    return next(model.parameters(), none) if isinstance(model, nn.Module) else none


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Evaluation mode, and back to what it was."""
    if not isinstance(model, nn.Module):
        yield
        return
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def cast_parameters(model: M, dtype: torch.dtype) -> M:
    """The model, its parameters of another type; buffers, which hold what was measured, stay as they are."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model
