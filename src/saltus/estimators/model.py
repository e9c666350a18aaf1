"""A trained model in the units of its data: rows and images as they came, nats as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saltus.chain import PARTICLES, Chain, like
from saltus.data import DataSet, Encoding, load
from saltus.data.layout import Array
from saltus.errors import SaltusError
from saltus.estimators.compression import compress, decompress
from saltus.estimators.inpainting import Pixels, draw_known, known_greys, known_means, known_pixels
from saltus.estimators.numbers import check_number
from saltus.estimators.ordinary import keep_ordinary
from saltus.evaluation import keep_sampling
from saltus.files import write_atomically
from saltus.kernels import Known, Sampling
from saltus.levels import Levels
from saltus.networks import ClassCondition
from saltus.pretrained import run_folder
from saltus.training import PLAN, Config, length_found, planned_levels, train

__all__ = ["Model"]

_MOST_SEEDS = 2**62


class Model:
    """A chain with the encoding of its data.

    Args:
        chain: whose encoding is known.

    Raises:
        SaltusError: if it is not.

    >>> model = Model.load("digits")
    >>> images = model.sample(3, seed=0)
    >>> images.shape, images.dtype
    ((3, 8, 8), dtype('uint8'))
    >>> model.log_prob_bound(images).shape
    (3,)
    """

    def __init__(self, chain: Chain) -> None:
        if not isinstance(chain.encoding, Encoding):
            raise SaltusError("this chain has no encoding of data, so its items have no units; give Chain(..., encoding=data.encoding)")
        self.chain, self.encoding = chain, chain.encoding
        self._folder: Path | None = None  # where plans of its grids may be

    @classmethod
    def train(cls, data: DataSet | Array, config: Config | None = None, folder: str | Path | None = None, **options: Any) -> Model:
        """Train a model on a data set, or on an array of raw items; see `saltus.train` for the arguments.

        With a folder it is the run of `saltus train`: how long few rows are learned is found by cross-validation.
        """
        items, config = data if isinstance(data, DataSet) else load(data), config or Config()
        if folder is not None:
            config, options["spent"] = length_found(items, config, Path(folder), quiet=bool(options.get("quiet")))
        chain = train(items, config, folder, **options)
        keep_sampling(chain, items, folder)
        if folder is not None:
            keep_ordinary(chain, items, folder)
        return cls(chain)._at(folder)

    @classmethod
    def load(cls, place: str | Path) -> Model:
        """The model of a training run's folder, or one that comes with saltus, by its name.

        Raises:
            SaltusError: if there is none.
        """
        folder = run_folder(place)
        return cls(Chain.load(folder))._at(folder)

    def _at(self, folder: str | Path | None) -> Model:
        self._folder = None if folder is None else Path(folder)
        return self

    def save(self, folder: str | Path) -> None:
        """Write everything that is needed to sample, by `load` or by `saltus sample`."""
        self.chain.save(folder)
        if self._folder is not None and (self._folder / PLAN).exists():
            write_atomically(Path(folder) / PLAN, (self._folder / PLAN).read_bytes())

    def sample(
        self,
        n: int,
        *,
        condition: Any = None,
        calls: int | None = None,
        seed: int | None = None,
        sampling: Sampling | None = None,
        batch: int = 256,
    ) -> Array:
        """n items (n, *shape) in the units and the type of the data.

        Args:
            n: how many, >= 1.
            condition: one for all items, or one for each: a class by number or name, a row, an image.
            calls: network calls of each item, of a model for any step; its own number unless given.  The grid is the one that
                `saltus plan` found best for the folder that the model is from, or else the cosine schedule.
            seed: the same one gives the same items; unless given, torch's generator gives a new one.
            sampling: what the last step returns, eta, temperature, guidance; what was found best in training unless given.
            batch: how many items at a time.

        Raises:
            SaltusError: if n is no whole number from 1 up.
        """
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise SaltusError(f"n is {n!r:.40} where a whole number from 1 up was expected; give how many items are wanted")
        chain = self._on(calls)
        seed = int(torch.randint(_MOST_SEEDS, ())) if seed is None else seed
        return self.encoding.decode(chain.sample(n, seed=seed, condition=condition, sampling=sampling, batch=batch))

    def _on(self, calls: int | None) -> Chain:
        """The chain with so many calls."""
        if calls is None:
            return self.chain
        if self._folder is not None:
            return self.chain.on(planned_levels(self._folder, self.chain, calls))
        own = self.chain.levels
        return self.chain.on(own if calls == own.L else Levels.cosine(calls, own.last))

    def log_prob_bound(self, items: Any, *, condition: Any = None, calls: int | None = None, seed: int = 0) -> Array:
        """A lower bound on ln p of each item, (N,) float64 nats: of a probability for data on bins, else of a density in the data's units.

        With a condition c it is that of ln p(item | c).  Of a model of K classes without a condition it is that of ln p(item), the class
        not told, as `sample` draws it; this takes 2 K bounds.

        Args:
            items: (N, *shape), as the data were.
            condition: one for all items, or one for each.
            calls: as in `sample`: the bound is that of the chain that samples with so many.
            seed: of the paths; the mean over seeds is the bound.

        Raises:
            SaltusError: if the model has no bound, or the items are not such as the data were.
        """
        raw = np.asarray(items)
        y, chain = self._encoded(raw), self._on(calls)
        if condition is None and isinstance(chain.condition, ClassCondition):
            total = chain.class_bound(y, seed=seed).total
        else:
            total = chain.bound(y, condition=condition, seed=seed).total
        nats: Array = total.double().cpu().numpy() + self.encoding.surprise(raw)
        return -nats

    def inpaint(
        self, images: Any, known: Any, *, draws: int = 1, particles: int = PARTICLES, condition: Any = None, seed: int = 0
    ) -> Array:
        """Images of which some pixels are known, drawn whole: (N, draws, *shape); what is known stays as it is.

        In the limit of many particles draws have the model's own distribution given these pixels.  Pixels around that are not known make it
        outpainting.

        Args:
            images: (N, *shape), as the data were; pixels that are not known may be anything.
            known: (H, W) for all images or (N, H, W), true or not 0 where pixels are known.
            draws: of each image, >= 1; independent ones.
            particles: of each draw, >= 1: more take longer and are closer to the model's distribution.
            condition: one for all images, or one for each; a class that is not given is drawn along.
            seed: the same one gives the same draws.

        Raises:
            SaltusError: for a mask that does not fit, knows nothing or everything, a model of a table, or steps that take no known part.
        """
        return self._drawn(known_pixels(self.encoding, images, known), draws, particles, condition, seed)

    def upscale(self, images: Any, *, draws: int = 1, particles: int = PARTICLES, condition: Any = None, seed: int = 0) -> Array:
        """Images whose means over blocks of pixels are these smaller images, (N, draws, *shape).

        The last step is not the model's own distribution: it draws an image and moves it to the means, which it has within the rounding
        of pixels.

        Args:
            images: (N, h, w) or as the data are laid out; H / h and W / w are one whole number.
            draws, particles, condition, seed: as in `inpaint`.

        Raises:
            SaltusError: for images of another size, a model of a table, or steps that take no known part.
        """
        return self._drawn(known_means(self.encoding, images), draws, particles, condition, seed)

    def colour(self, images: Any, *, draws: int = 1, particles: int = PARTICLES, condition: Any = None, seed: int = 0) -> Array:
        """Images in red, green and blue whose grey values are these, (N, draws, *shape); with the same caveat as `upscale`.

        Args:
            images: (N, H, W), 0.299 red + 0.587 green + 0.114 blue.
            draws, particles, condition, seed: as in `inpaint`.

        Raises:
            SaltusError: for images of another size, a model of other images, or steps that take no known part.
        """
        return self._drawn(known_greys(self.encoding, images), draws, particles, condition, seed)

    def _drawn(self, known: list[Known] | Pixels, draws: int, particles: int, condition: Any, seed: int) -> Array:
        check_number(draws, "draws")
        check_number(particles, "particles")
        options: dict[str, Any] = {"draws": draws, "particles": particles, "condition": condition, "seed": seed}
        return draw_known(self.chain, self.encoding, known, **options)[0]

    def reconstruct(self, items: Any, *, condition: Any = None, seed: int = 0) -> Array:
        """Items (N, *shape) again from what their latents hold, with other noise of the decoder; arguments as for `log_prob_bound`.

        Raises:
            SaltusError: for steps that are no Gaussian ones given a latent, or items that are not such as the data were.
        """
        return self.encoding.decode(self.chain.reconstruct(self._encoded(items), condition=condition, seed=seed))

    def vary(self, items: Any, *, level: int = 1, draws: int = 1, condition: Any = None, seed: int = 0) -> Array:
        """Other items, (N, draws, *shape), that share z_l with those given, noised to a level: the noisier, the less they share.

        Args:
            items: (N, *shape), as the data were.
            level: from 1 to the number of calls of the model.
            draws: of each item, >= 1.
            condition: one for all items, or one for each.
            seed: the same one gives the same items.

        Raises:
            SaltusError: for another level, or items that are not such as the data were.
        """
        check_number(draws, "draws")
        L = self.chain.levels.L
        if type(level) is bool or not isinstance(level, int | np.integer) or not 1 <= level <= L:
            raise SaltusError(f"level was given as {level!r:.40}; expected a whole number from 1 to {L}, the calls of this model")
        y = self._encoded(items)
        each = self.chain.given_condition(condition, len(y))
        told = None if each is None else each.repeat_interleave(draws, 0)
        varied = self.chain.vary(y.repeat_interleave(draws, 0), int(level), condition=told, seed=seed)
        return self.encoding.decode(varied).reshape(len(y), draws, *self.encoding.shape)

    def interpolate(self, first: Any, last: Any, *, steps: int = 8, condition: Any = None, seed: int = 0) -> Array:
        """Items from each of the first to each of the last, (N, steps, *shape), both included, along great circles of their codes.

        Raises:
            SaltusError: for fewer than 2 steps, arrays of two lengths, or as `reconstruct`.
        """
        a, b = self._encoded(first), self._encoded(last)
        if type(steps) is bool or not isinstance(steps, int | np.integer) or steps < 2 or len(a) != len(b):
            raise SaltusError(
                f"{steps!r:.40} steps from {len(a)} to {len(b)} items; expected at least 2, between as many items: correct it"
            )
        between = self.chain.interpolate(a, b, int(steps), condition=condition, seed=seed).transpose(0, 1)
        return self.encoding.decode(between.flatten(0, 1)).reshape(len(a), steps, *self.encoding.shape)

    def compress(self, images: Any) -> bytes:
        """Images (N, *shape), as the data were, in a file's bytes, without loss, about as many as their bound says.

        A code has a beginning of some hundred bytes, so that few images are better kept as PNG.  It is read again before it is given.

        Raises:
            SaltusError: for images that are not such as the data were, a model of other data or without masses, or without constriction.
        """
        return compress(self.chain, self.encoding, images).data

    def decompress(self, data: bytes) -> Array:
        """The images of `compress`, (N, *shape), by the same model on the same kind of machine.

        Raises:
            SaltusError: if the bytes are damaged, or were written with another model or by a machine that rounds otherwise.
        """
        return decompress(self.chain, self.encoding, data)

    def _encoded(self, items: Any) -> Tensor:
        return self.encoding.encode(np.asarray(items)).to(like(self.chain))

    def class_probabilities(self, items: Any, *, calls: int | None = None, seed: int = 0) -> Array:
        """p(c | item) of a model of classes, (N, K), as far as its bounds tell.

        Raises:
            SaltusError: if the model has no classes.
        """
        y = self._encoded(items)
        found: Array = self._on(calls).class_bound(y, seed=seed).posterior.double().cpu().numpy()
        return found

    def __repr__(self) -> str:
        return f"Model({self.encoding.summary()}; {self.chain!r})"
