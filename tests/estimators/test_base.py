"""The models with `fit` are estimators of scikit-learn: its own checks, copies, pickles, pipelines and searches."""

from __future__ import annotations

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from saltus import ImageModel, SaltusError, TableModel
from tests.helpers.checks import assert_one_sentence

_PLACE = "the bound is an estimate, whose noise goes by the place of a row among those given"
EXPECTED = {
    "check_methods_sample_order_invariance": _PLACE,
    "check_methods_subset_invariance": _PLACE,
    "check_dtype_object": "objects that are no numbers are a SaltusError, which is a ValueError and no TypeError",
    "check_fit2d_predict1d": "an array of one axis is told in other words",
}
"""Checks of scikit-learn that do not hold, and why."""


HALVES = [(slice(60, 120), slice(0, 60)), (slice(0, 60), slice(60, 120))]


def model(**options: object) -> TableModel:
    return TableModel(**{"updates": 5, "random_state": 0, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def holes() -> tuple[np.ndarray, np.ndarray]:
    """Rows of which a fifth of the cells is missing, and the classes that the first two columns tell."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    X[:, 1] += 2 * X[:, 0]
    y = (X[:, 0] > 0).astype(int)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


@pytest.fixture(scope="module")
def fitted(holes: tuple[np.ndarray, np.ndarray]) -> TableModel:
    return model().fit(holes[0])


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")  # which asks for an environment variable
def test_scikit_learn_finds_what_it_expects() -> None:
    found = {each["check_name"]: each["status"] for each in check_estimator(model(updates=1), expected_failed_checks=EXPECTED)}
    assert {name for name, status in found.items() if status == "xfail"} == EXPECTED.keys()
    assert set(found.values()) <= {"passed", "xfail", "skipped"}
    assert sum(status == "passed" for status in found.values()) > 30


def test_copies_are_not_fitted_and_pickles_are_the_same(fitted: TableModel, holes: tuple[np.ndarray, np.ndarray]) -> None:
    again = clone(fitted)
    assert again.get_params() == fitted.get_params() == {"time": "60s", "updates": 5, "random_state": 0, "verbose": False, "columns": None}
    for use in (again.sample, ImageModel().sample):
        with pytest.raises(NotFittedError) as caught:
            use(3)
        assert isinstance(caught.value, SaltusError)
        assert_one_sentence(caught.value, "has not been fitted; call fit")
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    kept = joblib.load(file)
    np.testing.assert_array_equal(kept.score_samples(holes[0]), fitted.score_samples(holes[0]))
    np.testing.assert_array_equal(kept.transform(holes[0]), fitted.transform(holes[0]))
    np.testing.assert_array_equal(model().fit(holes[0]).score_samples(holes[0]), fitted.score_samples(holes[0]))  # by updates


def test_a_pipeline_ends_in_a_density_or_goes_on_without_holes(holes: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = holes
    ends = make_pipeline(StandardScaler(), model()).fit(X)
    assert ends.score(X) == pytest.approx(ends.score_samples(X).mean())
    goes_on = make_pipeline(model(updates=15), LogisticRegression()).fit(X, y)
    assert goes_on.score(X, y) > 0.8  # half of the rows are of each class
    assert np.array_equal(goes_on.predict(X), goes_on.predict(X))
    frame = pd.DataFrame(X, columns=list("abc"))
    tables = model().set_output(transform="pandas")
    assert list(tables.fit_transform(X).columns) == ["x0", "x1", "x2"]
    assert list(tables.fit_transform(frame).columns) == list(tables.feature_names_in_) == ["a", "b", "c"]
    assert tables.fit(X).n_features_in_ == 3
    assert not hasattr(tables, "feature_names_in_")


def test_a_search_compares_by_the_mean_of_the_bound(holes: tuple[np.ndarray, np.ndarray]) -> None:
    X = holes[0]
    search = GridSearchCV(TableModel(random_state=1), {"updates": [1, 40]}, cv=2).fit(X)
    scores = search.cv_results_["mean_test_score"]
    expected = np.mean([model(updates=40, random_state=1).fit(X[one]).score_samples(X[other]).mean() for one, other in HALVES])
    assert scores[1] == pytest.approx(expected)
    assert scores[0] != pytest.approx(expected)
    assert search.best_params_["updates"] == (1, 9)[int(np.argmax(scores))]
    assert search.score(X) == pytest.approx(search.best_estimator_.score_samples(X).mean())


def test_tags_say_what_is_taken() -> None:
    assert get_tags(TableModel()).estimator_type == get_tags(ImageModel()).estimator_type == "density_estimator"
    assert get_tags(TableModel()).input_tags.allow_nan
    assert not get_tags(ImageModel()).input_tags.two_d_array


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"random_state": -1}, "random_state was given as -1"),
        ({"random_state": np.random.RandomState(0)}, "expected a whole number from 0"),
        ({"updates": None, "time": "soon"}, "option time was given as 'soon'"),
        ({"updates": 0}, "option updates was given as 0"),
    ],
)
def test_what_is_no_option_is_told_when_it_is_used(options: dict[str, object], words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        model(**options).fit(np.zeros((60, 2)))
    assert_one_sentence(caught.value, words)


def test_a_fit_takes_a_time_of_its_own() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    many = model(updates=10**6)
    assert many.fit(rows, time="1s").updates == 10**6
    assert many.sample(2).shape == (2, 2)
    with pytest.raises(SaltusError) as caught:
        many.fit(rows, time="soon")
    assert_one_sentence(caught.value, "soon")


def test_what_cannot_be_drawn_is_told(fitted: TableModel, holes: tuple[np.ndarray, np.ndarray]) -> None:
    for call, words in ((lambda: fitted.sample(0), "n was given as 0"), (lambda: fitted.impute(holes[0], -1), "n_draws was given as -1")):
        with pytest.raises(SaltusError) as caught:
            call()
        assert_one_sentence(caught.value, words)
