"""Measurements of items, against dense matrices."""

from __future__ import annotations

import torch

from saltus.process import Measurement

SHAPE = (3, 4, 6)
EACH = {
    "known": Measurement.of_known(torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.4),
    "blocks": Measurement.of_blocks(SHAPE, 2),
    "channels": Measurement.of_channels(SHAPE, (0.3, 0.6, 0.1)),
}


def matrix(measurement: Measurement) -> torch.Tensor:
    return measurement.of(torch.eye(72, dtype=torch.float64).reshape(72, *SHAPE)).T


def test_sums_are_what_they_say() -> None:
    x = torch.randn(5, *SHAPE, dtype=torch.float64)
    expected = {
        "known": x[:, EACH["known"].known],
        "blocks": x.reshape(5, 3, 2, 2, 3, 2).mean((3, 5)).flatten(1),
        "channels": (0.3 * x[:, 0] + 0.6 * x[:, 1] + 0.1 * x[:, 2]).flatten(1),
    }
    for name, measurement in EACH.items():
        torch.testing.assert_close(measurement.of(x), expected[name])
        torch.testing.assert_close(measurement.of(x.flatten(1)), expected[name])
    assert [measurement.is_mask for measurement in EACH.values()] == [True, False, False]


def test_a_draw_is_moved_as_a_gaussian_is_conditioned() -> None:
    """z + V M^T (M V M^T)^-1 (o - M z)."""
    z, variance = torch.randn(5, *SHAPE, dtype=torch.float64), 0.1 + torch.rand(5, *SHAPE, dtype=torch.float64)
    for measurement in EACH.values():
        M, o = matrix(measurement), torch.randn(5, measurement.m, dtype=torch.float64)
        V = torch.diag_embed(variance.flatten(1))
        spread = M @ V @ M.T
        torch.testing.assert_close(measurement.spread(variance), spread.diagonal(dim1=1, dim2=2))
        gain = torch.linalg.solve(spread, M @ V).mT
        expected = z.flatten(1) + (gain @ (o - z.flatten(1) @ M.T)[..., None])[..., 0]
        found = measurement.moved(z, variance, o)
        torch.testing.assert_close(found.flatten(1), expected)
        torch.testing.assert_close(measurement.of(found), o)


def test_what_is_told_of_a_number_is_its_correlation() -> None:
    for measurement in EACH.values():
        M = matrix(measurement)
        expected = (M / M.norm(dim=1, keepdim=True)).abs().sum(0)
        torch.testing.assert_close(measurement.told.flatten(), expected)
