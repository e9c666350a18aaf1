"""A model of images: fitted to arrays of them, and arrays of the same kind back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from saltus.data import DataSet
from saltus.data.layout import Array, Layout
from saltus.data.parts import PARTS, as_array
from saltus.data.split import FEWEST
from saltus.errors import SaltusError
from saltus.estimators.base import Estimator, check_enough
from saltus.estimators.model import Model
from saltus.estimators.numbers import check_number
from saltus.estimators.ordinary import images_of, keep_images, ordinary_images
from saltus.estimators.strange_images import IMAGE_PARTS, OrdinaryImages, Strangeness, seen_of
from saltus.files import AGAIN, read_json, to_json, write_atomically
from saltus.networks import ClassCondition
from saltus.pretrained import run_folder
from saltus.terminal import tell
from saltus.words import in_brief

__all__ = ["ImageModel"]

_FILE = "image.json"
_LARGE = 16  # pixels a side from which on a ladder learns more than one latent (docs/decisions/0017-ladder.md)
_RECIPES: dict[bool, dict[str, Any]] = {
    True: {"levels": 1, "ladder": "every", "channels": (32, 48), "kl_warm_up": 0.1, "batch": 32, "learning_rate": 2e-3},
    False: {"levels": 1, "learning_rate": 2e-3},
}
"""What is trained otherwise than `Config` says, one call after a mixture: large images as the chains are that come with saltus."""


class ImageModel(Estimator):
    """Images, drawn in one call of a network: a conditional VAE after a mixture of Gaussians, where that is better than N(0, I).

    Args:
        time: of a fit, such as "5m" or "2h".
        updates: of a fit, in place of a time: fits of one random_state are then equal on one machine.
        random_state: of all random numbers; of `sample` the first of its seeds.
        verbose: whether a fit tells how far it is, on stderr.

    Attributes:
        model_: the trained `Model`, whose `chain` and `encoding` it is made of.
        classes_: the names of the classes, of a model that was fitted with labels.
        notes_: what a user should know about the images.

    >>> import saltus
    >>> images, labels = ImageModel.load("digits").sample(3), ImageModel.load("digits").classes_
    >>> images.shape, images.dtype, labels[:3]
    ((3, 8, 8), dtype('uint8'), ('0', '1', '2'))
    """

    def __init__(
        self, *, time: str | float = "5m", updates: int | None = None, random_state: int | None = None, verbose: bool = False
    ) -> None:
        super().__init__(time=time, updates=updates, random_state=random_state, verbose=verbose)

    def fit(self, X: Any, y: Any = None, *, time: str | float | None = None) -> Self:
        """Learn from images of one size.

        Args:
            X: (N, H, W), (N, H, W, C) or (N, C, H, W), 1 to 4 channels, at least 8 x 8 pixels; bytes, or other numbers.
            y: the class of each image, integers or text (N,), for a model that draws images of a class; none unless given.
            time: of this fit, in place of the time or the updates of the model.

        Raises:
            SaltusError: if these are no images, too few, or there is not one label an image.
        """
        images = _images(X)
        check_enough(len(images))
        large = min(Layout.of(images.shape).event_shape(images.shape[1:])[1:]) >= _LARGE
        config = self._config(time, **_RECIPES[large])
        parts = len(PARTS) if len(images) < FEWEST else 1  # few images are in all parts
        labels, condition = (None, None) if y is None else ((y,) * parts, "labels")
        data = DataSet.from_arrays(*[images] * parts, labels=labels, condition=condition, name="the images")
        for note in data.notes if self.verbose else ():
            tell(note)
        model = Model.train(data, config, quiet=not self.verbose)
        return self._is(model, data.notes, images_of(model.chain, data))

    def _is(self, model: Model, notes: tuple[str, ...], ordinary: OrdinaryImages | None, folder: Path | None = None) -> Self:
        self._learned(model, notes)
        self._ordinary, self._folder = ordinary, folder
        self.__dict__.pop("classes_", None)
        if isinstance(condition := model.chain.condition, ClassCondition):
            self.classes_ = condition.names
        return self

    def sample(self, n: int = 1, condition: Any = None) -> Array:
        """n new images (n, *shape), of the shape and type of those that were given; other ones at every call.

        Args:
            n: how many, >= 1.
            condition: a class by name or number, or one for each image; drawn as often as they came unless given.

        Raises:
            SaltusError: for an unknown class, or a class of a model that was fitted without labels.
        """
        self._check_fitted()
        check_number(n, "n")
        return self.model_.sample(n, condition=condition, seed=self._seed())

    def inpaint(self, X: Any, known: Any, *, draws: int = 1, condition: Any = None) -> Array:
        """Images of which some pixels are known, drawn whole, (N, draws, *shape); what is known stays as it is, other draws at every call.

        Args:
            X: images such as were given; pixels that are not known may be anything.
            known: (H, W) for all of them or (N, H, W), true or not 0 where pixels are known.
            draws: of each image.
            condition: a class by name or number, or one for each image; drawn along with the pixels unless given.

        Raises:
            SaltusError: for a mask of another shape, or one that knows nothing or everything; see `Model.inpaint`.
        """
        self._check_fitted()
        return self.model_.inpaint(X, known, draws=draws, condition=condition, seed=self._seed())

    def upscale(self, X: Any, *, draws: int = 1, condition: Any = None) -> Array:
        """Images whose means over blocks of pixels are these smaller ones, (N, draws, *shape); see `Model.upscale`."""
        self._check_fitted()
        return self.model_.upscale(X, draws=draws, condition=condition, seed=self._seed())

    def colour(self, X: Any, *, draws: int = 1, condition: Any = None) -> Array:
        """Images in red, green and blue whose grey values are these (N, H, W): (N, draws, *shape); see `Model.colour`."""
        self._check_fitted()
        return self.model_.colour(X, draws=draws, condition=condition, seed=self._seed())

    def compress(self, X: Any) -> bytes:
        """Images such as were given in a file's bytes, without loss; see `Model.compress`."""
        self._check_fitted()
        return self.model_.compress(X)

    def decompress(self, data: bytes) -> Array:
        """The images of `compress`, (N, *shape); see `Model.decompress`."""
        self._check_fitted()
        return self.model_.decompress(data)

    def vary(self, X: Any, *, level: int = 1, draws: int = 1, condition: Any = None) -> Array:
        """Other images that resemble these, (N, draws, *shape), by the noisy image of a level; others at every call; see `Model.vary`."""
        self._check_fitted()
        return self.model_.vary(_images(X), level=level, draws=draws, condition=condition, seed=self._seed())

    def interpolate(self, first: Any, last: Any, *, steps: int = 8, condition: Any = None) -> Array:
        """Images from each of the first to each of the last, (N, steps, *shape), both included; see `Model.interpolate`."""
        self._check_fitted()
        return self.model_.interpolate(_images(first), _images(last), steps=steps, condition=condition, seed=self._seed())

    def reconstruct(self, X: Any, y: Any = None) -> Array:
        """Images (N, *shape) again from what their latents hold; y are their classes, of a model that knows classes."""
        self._check_fitted()
        return self.model_.reconstruct(_images(X), condition=y, seed=self._seed())

    def anomaly_score(self, X: Any) -> Array:
        """How strange each image is, (N,) nats: -ln of the share of ordinary images that are at least as strange.

        3 is as strange as one ordinary image in twenty, 7 as one in a thousand; ordinary ones have 1 on average.  Ordinary are the images
        that `fit`, or the run that was loaded, has held out.  The class is not told.

        Raises:
            SaltusError: for images as in `score_samples`, a model without a bound, or one that does not know ordinary images.
        """
        return self.strangeness(X).score

    def anomaly_parts(self, X: Any) -> dict[str, Array]:
        """How strange each image is by the terms of its bound together, and by where its pixels are dear: (N,) nats each, in the units of
        `anomaly_score`."""
        return dict(zip(IMAGE_PARTS, self.strangeness(X).by_part.T, strict=False))

    def anomaly_map(self, X: Any) -> Array:
        """How much dearer each pixel is than in ordinary images, (N, H, W), in standard deviations of that pixel among these.

        Raises:
            SaltusError: as `anomaly_score`, and for a model whose last step has no likelihood of pixels.
        """
        return self.strangeness(X).map()

    def strangeness(self, X: Any, seed: int = 0) -> Strangeness:
        """All that `anomaly_score`, `anomaly_parts` and `anomaly_map` tell of images, of which each is looked at once.

        Args:
            X: images such as were given.
            seed: of the noise of the bound.
        """
        known = self._known()
        return Strangeness(seen_of(self.model_.chain, self.model_.encoding.encode(_images(X)), seed=seed), known)

    def _known(self) -> OrdinaryImages:
        self._check_fitted()
        if self._ordinary is None:
            if self._folder is None:
                raise SaltusError("this model does not know what ordinary images are like, as too few were held out; fit it to more images")
            self._ordinary = ordinary_images(self._folder, self.model_.chain)
        return self._ordinary

    def score_samples(self, X: Any, y: Any = None) -> Array:
        """A lower bound on ln p of each image, (N,) nats: of a probability for images of whole values, else of a density.

        Args:
            X: images such as were given.
            y: their classes, for ln p(image given the class).

        Raises:
            SaltusError: if images are of another size or type, or hold values that never came; for unknown classes.
        """
        self._check_fitted()
        return self.model_.log_prob_bound(_images(X), condition=y)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X, y).mean())

    def save(self, folder: str | Path) -> None:
        """Write everything that `load` needs; the command line takes the folder too."""
        self._check_fitted()
        self.model_.save(folder)
        if self._ordinary is not None:
            keep_images(self._ordinary, folder)
        write_atomically(Path(folder) / _FILE, to_json(self.get_params()))

    @classmethod
    def load(cls, folder: str | Path) -> ImageModel:
        """The model that `save` wrote, that of a run of `saltus train`, or one that comes with saltus, by its name.

        Raises:
            SaltusError: if there is none, it is of other data than images, or its file is damaged.
        """
        model, file = Model.load(folder), run_folder(folder) / _FILE
        if not model.encoding.layout.is_image:
            raise SaltusError(f"{folder} is of {model.encoding.summary()} where images were expected; load it with TableModel or Model")
        try:
            made = cls(**(read_json(file) if file.exists() else {}))
            if not isinstance(made.random_state, int | None):
                raise TypeError("the random state is no whole number")
        except TypeError as error:
            raise SaltusError(f"{file} is damaged ({in_brief(error)}); {AGAIN}") from error
        made._first = made.random_state or 0
        return made._is(model, (), None, run_folder(folder))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags


def _images(X: Any) -> Array:
    images = as_array(X)
    if images.ndim not in (3, 4):
        raise SaltusError(f"the images are an array of shape {images.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W): reshape it")
    return images
