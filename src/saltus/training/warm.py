"""A warm start: a VAE kernel around the network that a Gaussian or a deterministic kernel has trained."""

from __future__ import annotations

from saltus.chain import Chain
from saltus.errors import SaltusError

__all__ = ["warm_start"]


def warm_start(chain: Chain, source: Chain) -> None:
    """Give the kernels of a chain, in place, what the network of another chain has learned; latents start afresh.

    Args:
        chain: of VAE kernels that predict data; ladders among them start afresh.
        source: of a Gaussian or deterministic kernel for any step, with a network of the same kind and size.

    Raises:
        SaltusError: if either is of another kind, or the networks differ in more than the latent and the outputs.
    """
    trained = source.kernel(1)
    if trained.denoiser is None or not source.any_step:
        raise SaltusError(f"a {type(trained).__name__} cannot start another kernel; expected a Gaussian or deterministic one for any step")
    targets = [kernel for kernel in chain.each_kernel() if kernel.can_start]
    if not targets:
        raise SaltusError(
            f"a {type(chain.kernel(1)).__name__} cannot start from another kernel's network; "
            "take the vae kernel without a ladder, or with one on the last of several steps, or no start"
        )
    for kernel in targets:
        kernel.start_from(trained.denoiser)
