"""A warm start: a VAE kernel around the network that a Gaussian or a deterministic kernel has trained, here or in another library."""

from __future__ import annotations

from saltus.chain import Chain
from saltus.data import DataSet
from saltus.errors import SaltusError
from saltus.kernels import Parametrisation, Teacher
from saltus.training.config import Config

__all__ = ["check_teacher", "warm_start"]

_PLAIN = ("architecture", "width", "channels", "ladder")
"""Options of networks of our own, which a teacher's takes the place of."""


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


def check_teacher(teacher: Teacher, config: Config, data: DataSet) -> None:
    """Raise SaltusError unless a VAE of these options on these data can be made of the teacher's network."""
    if config.kernel != "vae" or config.parametrisation is Parametrisation.DIRECT or config.residual:
        raise SaltusError("another library's network predicts data in a VAE; take kernel vae, parametrisation bridge and no residual")
    if given := [name for name in _PLAIN if getattr(config, name) is not None]:
        raise SaltusError(f"{given[0]} is of networks of our own, and the steps are made of another library's; leave it out")
    if tuple(teacher.event_shape) != tuple(data.event_shape):
        raise SaltusError(
            f"the network is of items {tuple(teacher.event_shape)}, channels first, and the data have {tuple(data.event_shape)}; "
            "make the data alike with --size and --channels"
        )
    theirs, ours = (None if condition is None else condition.summary() for condition in (teacher.condition, data.condition))
    if theirs != ours:
        raise SaltusError(
            f"the network is told {theirs or 'nothing'}, and the data give {ours or 'nothing'}; read it for the same condition"
        )
