"""A classifier that learned from drawn items is tested on real ones, beside one that learned from as many real ones."""

from __future__ import annotations

import pytest

from saltus import Model, SaltusError
from saltus.data import digits
from saltus.evaluation import classification_accuracy
from tests.helpers.checks import assert_one_sentence


@pytest.mark.filterwarnings("error")
def test_good_items_teach_a_classifier_and_mislabelled_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, data = Model.load("digits").chain, digits("labels")
    found = classification_accuracy(chain, data, 300)
    assert (found.learned, found.tested) == (300, len(data.test))
    assert found.constant < 0.2 < 0.7 < found.generated[0] <= found.real[0] + 3 * found.real[1]
    share, error = found.generated
    assert error == pytest.approx((share * (1 - share) / len(data.test)) ** 0.5)
    draw = chain.sample
    monkeypatch.setattr(chain, "sample", lambda n, **options: draw(n, **options | {"condition": options["condition"].roll(1)}))
    assert classification_accuracy(chain, data, 300).generated[0] < 0.3  # the twin


def test_a_run_without_classes_is_told_in_one_sentence() -> None:
    chain = Model.load("digits").chain
    with pytest.raises(SaltusError) as caught:
        classification_accuracy(chain, digits())
    assert_one_sentence(caught.value, "knows no classes; train one with --condition labels")
