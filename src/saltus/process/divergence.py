r"""$\mathrm{KL}(\mathcal N(\mu_p, \sigma_p^2) \,\|\, \mathcal N(\mu_q, \sigma_q^2))
= \tfrac12 (\rho + (\mu_p - \mu_q)^2 / \sigma_q^2 - 1 - \ln \rho)$ with $\rho = \sigma_p^2 / \sigma_q^2$.

torch's `kl_divergence` looks its formula up by the types of its arguments, which `torch.compile` cannot follow.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Normal

__all__ = ["normal_kl"]


def normal_kl(p: Normal, q: Normal) -> Tensor:
    """KL(p || q) of each number, in nats."""
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())
