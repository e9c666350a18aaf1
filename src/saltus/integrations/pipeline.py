"""A chain of images as a `DiffusionPipeline`.  This file imports diffusers, which takes seconds, when it is imported itself.

A pipeline holds one part, the chain, in its own files (nothing is pickled); they are all that sampling needs.  Its pixels are those of
`Chain.sample` for the same seed, from 0 to 1 in place of -1 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from saltus.chain import Chain
from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.levels import Levels
from saltus.pretrained import IN_PIPELINE

__all__ = ["ChainModel", "ModelMixin", "SaltusPipeline"]

diffusers: Any = needs("diffusers", extra="unet")
ModelMixin: Any = diffusers.ModelMixin
"""By this name in this module diffusers finds out how a part is read that a pipeline has written itself."""
_MOST_SEEDS = 2**62


class ChainModel(ModelMixin):  # type: ignore[misc]
    """A chain as a part of a pipeline.

    Args:
        chain: the chain.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain.eval()

    @classmethod
    def from_pretrained(cls, folder: str | Path, **_: Any) -> ChainModel:
        """The chain that `save_pretrained` wrote; what diffusers asks for besides, such as a dtype, changes nothing."""
        return cls(Chain.load(Path(folder) / IN_PIPELINE.name))

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write the chain as `Chain.save` does."""
        self.chain.save(Path(folder) / IN_PIPELINE.name)


class SaltusPipeline(diffusers.DiffusionPipeline):  # type: ignore[misc]
    """Images of a chain.

    Args:
        chain: the one part of the pipeline.
    """

    def __init__(self, chain: ChainModel) -> None:
        super().__init__()
        self.register_modules(chain=chain)

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        *,
        seed: int | None = None,
        generator: torch.Generator | None = None,
        first_item: int = 0,
        class_labels: int | str | Sequence[int] | torch.Tensor | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Generate images.

        Args:
            batch_size: how many.
            seed: of all noise: images are those of `Chain.sample` with this seed.  Unless given, a generator draws one, and torch's own
                where there is none.
            generator: see `seed`.
            first_item: number of the first image of the seed.
            class_labels: one for all images, or one for each, by number or by name; drawn as often as they came in the data unless given.
            num_inference_steps: network calls of an image; the chain's own unless given, and no other for a chain of one grid.
            guidance_scale: weight of the class, 1 unless given.
            output_type: "pil", "np" (n, H, W, C) or "pt" (n, C, H, W), both from 0 to 1.
            return_dict: whether to return an `ImagePipelineOutput`, or a tuple.

        Raises:
            SaltusError: for an unknown type of output, or what the chain does not know.
        """
        if output_type not in ("pil", "np", "pt"):
            raise SaltusError(f"output_type = {output_type!r:.60} was given; expected pil, np or pt: choose one")
        chain: Chain = self.chain.chain
        if num_inference_steps is not None and num_inference_steps != chain.levels.L:
            chain = chain.on(Levels.cosine(num_inference_steps, chain.levels.last))
        if seed is None:
            seed = int(torch.randint(_MOST_SEEDS, (), generator=generator))
        sampling = chain.sampling
        if guidance_scale is not None:
            sampling = replace(sampling, guidance=guidance_scale)
        y = chain.sample(batch_size, seed=seed, first_item=first_item, condition=class_labels, sampling=sampling)
        images: Any = (y / 2 + 0.5).clamp(0, 1)
        if output_type != "pt":
            images = images.float().cpu().permute(0, 2, 3, 1).numpy()
        if output_type == "pil":
            images = self.numpy_to_pil(images)
        return diffusers.ImagePipelineOutput(images=images) if return_dict else (images,)
