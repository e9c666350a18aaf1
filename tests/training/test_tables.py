"""What a table is trained with: the step of tables, unless an option is of another kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saltus.data import DataSet, digits, load
from saltus.training import Config
from saltus.training.tables import for_table

OWN = {"kernel": "autoregressive", "levels": 1, "prior": "normal", "batch": 512, "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    values = np.random.default_rng(0).integers(0, 9, (120, 2))
    file.write_text("\n".join(["a,b", *(f"{a},{b}" for a, b in values), ""]))
    return load(file)


@pytest.mark.parametrize("given", [{}, {"updates": 7, "seed": 3}, {"batch": 64, "width": 32}])
def test_a_table_has_the_step_of_tables_and_what_is_given(rows: DataSet, given: dict[str, Any]) -> None:
    found = for_table(Config(**given), rows)
    for name, value in (OWN | given).items():
        assert getattr(found, name) == value


@pytest.mark.parametrize("given", [{"kernel": "vae"}, {"levels": 4}, {"latent": 3}, {"times": (0.0, 1.0)}])
def test_an_option_of_another_kernel_is_kept_to(rows: DataSet, given: dict[str, Any]) -> None:
    config = Config(**given)
    assert for_table(config, rows) is config


def test_other_data_are_as_they_were() -> None:
    config = Config()
    assert for_table(config, digits()) is config
