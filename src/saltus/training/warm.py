"""A warm start: a VAE kernel around the network that a Gaussian or a deterministic kernel has trained."""

from __future__ import annotations

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.kernels import DeterministicKernel, GaussianKernel, LadderKernel, Parametrisation, VAEKernel
from saltus.networks import transfer_weights

__all__ = ["warm_start"]


def warm_start(chain: Chain, source: Chain) -> None:
    """Give the decoders of a VAE chain, in place, what the network of another chain has learned; latents start afresh.

    Args:
        chain: of VAE kernels that predict data; ladders among them start afresh.
        source: of a Gaussian or deterministic kernel that was trained at all times, with a network of the same kind and size.

    Raises:
        SaltusError: if either is of another kind, or the networks differ in more than the latent and the outputs.
    """
    trained = source.kernel(1)
    if not isinstance(trained, GaussianKernel | DeterministicKernel) or not trained.any_step:
        raise SaltusError(
            f"a {type(trained).__name__} can not start another kernel; expected a Gaussian or deterministic one, trained at all times"
        )
    heirs = [kernel for kernel in chain.kernels if not isinstance(kernel, LadderKernel)]
    if not heirs:
        raise SaltusError("ladders alone can not be started from another kernel; take a ladder on the last of several steps, or no start")
    for kernel in heirs:
        if not isinstance(kernel, VAEKernel) or kernel.parametrisation is not Parametrisation.BRIDGE:
            raise SaltusError(f"a {type(kernel).__name__} can not be started from another kernel; expected a VAE kernel that predicts data")
        transfer_weights(kernel.decoder, trained.network)
