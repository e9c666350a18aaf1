"""What `mixed_tables.py` measures of samples, densities and scores of anomalies, on test rows that no model saw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mixed_tables_cells import Array
from mixed_tables_data import Plain, Schema, Split, bounds, matrix, typed
from mixed_tables_models import Model

MOST, MOST_NEAREST, MOST_SCORED = 10_000, 2_000, 5_000  # rows of the two-sample test, of distances, and of scores of anomalies
FOLDS, COLUMN_FOLDS = 5, 3
NOISES = 4  # draws of the noise of rounded columns that nats are averaged over


def classifier(seed: int) -> Any:
    """Boosted trees that take categories and missing cells as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)


def told_apart(found: Any, real: Any, folds: int, seed: int) -> float:
    """The accuracy of a classifier of rows by which of two tables they are from."""
    import pandas as pd
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    rows = pd.concat([found, real], ignore_index=True)
    labels = np.repeat([0, 1], [len(found), len(real)])
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return float(cross_val_score(classifier(seed), rows, labels, cv=cut).mean())


def two_sample(schema: Schema, sampled: Any, test: Any, seed: int) -> dict[str, Any]:
    """With all columns, and with each alone; 0.5 is best."""
    n = min(len(sampled), len(test), MOST)
    found, real = typed(schema, sampled)[:n], typed(schema, test).sample(n, random_state=seed)
    alone = {name: told_apart(found[[name]], real[[name]], COLUMN_FOLDS, seed) for name in schema.names}
    return {"accuracy": told_apart(found, real, FOLDS, seed), "columns": alone, "rows": n}


def utility(schema: Schema, sampled: Any, test: Any, seed: int) -> dict[str, float]:
    """What boosted trees that learn from samples reach on test rows: R2, or the area under the curve and the accuracy."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    sampled, test = (rows[rows[schema.target].notna()] for rows in (sampled, test))
    (x, y), (held, truth) = ((typed(schema, rows).drop(columns=schema.target), rows[schema.target].to_numpy()) for rows in (sampled, test))
    if schema.target not in schema.categories:
        model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=seed).fit(x, y.astype(np.float64))
        return {"r2": float(model.score(held, truth.astype(np.float64)))}
    y, truth = y.astype(str), truth.astype(str)
    if len(set(y)) < 2:
        return {"auroc": 0.5, "accuracy": float((truth == y[0]).mean())}
    fitted = classifier(seed).fit(x, y)
    chances = dict(zip(fitted.classes_, fitted.predict_proba(held).T, strict=True))
    return {"auroc": mean_auroc(chances, truth), "accuracy": float((fitted.predict(held) == truth).mean())}


def mean_auroc(chances: dict[str, Array], truth: Array) -> float:
    """The mean area under the curve of each class against the others; a class that is never predicted has 0.5."""
    from sklearn.metrics import roc_auc_score

    classes = sorted(set(truth))
    areas = [float(roc_auc_score(truth == one, chances.get(one, np.zeros(len(truth))))) for one in classes]
    return float(np.mean(areas[-1:] if len(classes) == 2 else areas))  # of two classes both are equal, if both were predicted


def privacy(schema: Schema, sampled: Any, parts: Split) -> dict[str, float]:
    """Copies of training rows, and how near samples are to these, each beside what it is of test rows."""
    from sklearn.neighbors import NearestNeighbors

    seen = set(keys(schema, parts.train))
    found, real = sampled[: len(parts.test)], parts.test
    copies, repeated = (float(np.mean([key in seen for key in keys(schema, rows)])) for rows in (found, real))
    plain = Plain(schema, parts.train)
    near = NearestNeighbors(n_neighbors=1).fit(plain(parts.train))
    distances = [float(np.median(near.kneighbors(plain(rows[:MOST_NEAREST]))[0])) for rows in (found, real)]
    ratio = distances[0] / distances[1] if distances[1] else math.nan
    return {"copies": copies, "copies of test rows": repeated, "distance ratio": ratio}


def keys(schema: Schema, rows: Any) -> list[bytes]:
    """Rows by their values in single precision; equal rows have equal keys."""
    numbers = matrix(schema, rows).astype(np.float32) + np.float32(0)  # no -0
    return [np.where(np.isnan(row), np.float32(np.nan), row).tobytes() for row in numbers]


def density(model: Model, test: Any, seed: int) -> dict[str, Any]:
    """Mean nats of a test row, in the units of the table and with the noise of rounded columns; of the rows that a model takes."""
    rng = np.random.default_rng((seed, 2))
    numbers = matrix(model.schema, test)
    lower, width = bounds(model.schema, numbers)
    found = np.mean([model.log_density(test, lower + width * rng.random(numbers.shape)) for _ in range(NOISES)], axis=0)
    taken = np.isfinite(found)
    rounded = [name for name, cells in model.schema.cells.items() if cells.rounded]
    nats, error = float(found[taken].mean()), float(found[taken].std() / math.sqrt(max(1, taken.sum())))
    return {"nats": nats, "standard error": error, "rows": int(taken.sum()), "refused": int((~taken).sum()), "rounded": rounded}


def planted(model: Model, test: Any, seed: int) -> dict[str, float]:
    """The area under the curve of each score, between test rows and copies of them in which one cell is from another row."""
    rng = np.random.default_rng((seed, 3))
    test = test[:MOST_SCORED]
    strange, column = test.copy(), rng.integers(test.shape[1], size=len(test))
    for j, name in enumerate(test.columns):
        rows = np.flatnonzero(column == j)
        strange.loc[rows, name] = test[name].to_numpy()[rng.permutation(len(test))[: len(rows)]]
    before, after = (matrix(model.schema, rows) for rows in (test, strange))
    changed = ~((before == after) | (np.isnan(before) & np.isnan(after))).all(1)
    return areas(model, test, strange[changed].reset_index(drop=True))


def areas(model: Model, usual: Any, strange: Any) -> dict[str, float]:
    """The area under the curve of each score of a model, between usual and strange rows."""
    from sklearn.metrics import roc_auc_score

    labels, found = np.repeat([0, 1], [len(usual), len(strange)]), {}
    ones, others = model.anomaly(usual), model.anomaly(strange)
    limits = np.finfo(np.float64)
    for name, scores in ones.items():
        both = np.nan_to_num(np.concatenate([scores, others[name]]), nan=0.0, posinf=limits.max, neginf=limits.min)
        found[name] = float(roc_auc_score(labels, both))
    return found
