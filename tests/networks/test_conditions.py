"""Conditions: values, "no condition", what users give, and draws of classes by their frequencies."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saltus.errors import SaltusError
from saltus.networks.conditions import ClassCondition, Condition, ImageCondition, VectorCondition
from saltus.registry import build, describe
from tests.helpers.checks import STANDARD_ERRORS, assert_one_sentence

ANIMALS = ClassCondition(["cat", "dog", "fish"], [6, 3, 1])
NUMBERED = ClassCondition([str(k) for k in range(10)], [1] * 10)
SOME = ClassCondition(["3", "7"], [1, 1])
VECTOR = VectorCondition(2)
IMAGE = ImageCondition((3, 4, 5))
GRAY = ImageCondition((1, 4, 5))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)

CASES: list[tuple[Condition, Any]] = [
    (ANIMALS, [0, 2, 1]),
    (VECTOR, [[0.5, 1.0], [-7.0, 2.0], [0.0, 0.0]]),
    (IMAGE, torch.linspace(-1, 1, 180).reshape(3, 3, 4, 5)),
]
cases = pytest.mark.parametrize(("condition", "values"), CASES, ids=["classes", "vectors", "images"])


@cases
def test_values_that_are_dropped_are_absent_and_the_others_stay(condition: Condition, values: Any) -> None:
    given = condition.check(values, 3)
    assert given.dtype == condition.dtype
    assert given.shape == (3, *condition.shape)
    mask = torch.tensor([True, False, True])
    dropped = condition.drop(given, mask)
    assert torch.equal(condition.is_absent(dropped), mask)
    assert torch.equal(dropped[1], given[1])
    assert not condition.is_absent(given).any()
    none = condition.none(4, like=given)
    assert none.shape == (4, *condition.shape)
    assert none.dtype == given.dtype
    assert condition.is_absent(none).all()
    assert torch.equal(condition.is_absent(condition.check(dropped, 3)), mask)  # a batch may mix both
    assert condition.is_absent(condition.check(None, 5)).tolist() == [True] * 5


@cases
def test_one_value_is_repeated_and_another_number_is_refused(condition: Condition, values: Any) -> None:
    one = condition.check(values, 3)[:1]
    assert torch.equal(condition.check(one, 4), torch.cat([one] * 4))
    assert torch.equal(condition.check(one[0], 4), torch.cat([one] * 4))
    with pytest.raises(SaltusError) as caught:
        condition.check(values, 4)
    assert_one_sentence(caught.value, "3 conditions were given for 4 items")


@cases
def test_a_condition_can_be_written_down_and_made_again(condition: Condition, values: Any) -> None:
    description, tensors = describe(condition)
    again = build(json.loads(json.dumps(description)), tensors)
    assert type(again) is type(condition)
    assert (again.shape, again.summary()) == (condition.shape, condition.summary())
    assert torch.equal(again.check(values, 3), condition.check(values, 3))
    if isinstance(condition, ClassCondition):
        assert again.names == condition.names
        assert torch.equal(again.frequencies, condition.frequencies)


def test_classes_are_drawn_as_often_as_they_come() -> None:
    assert ANIMALS.classes == 3
    assert ANIMALS.frequencies.dtype == torch.float64
    assert ANIMALS.log_frequencies.tolist() == pytest.approx([math.log(0.6), math.log(0.3), math.log(0.1)])
    drawn = ANIMALS.draw(torch.rand(20_000, generator=torch.Generator().manual_seed(0)))
    assert drawn.dtype == torch.int64
    shares = torch.bincount(drawn, minlength=3).double() / 20_000

    def follow(expected: list[float]) -> bool:
        errors = [math.sqrt(p * (1 - p) / 20_000) for p in expected]
        return all(abs(float(s) - p) < STANDARD_ERRORS * e for s, p, e in zip(shares, expected, errors, strict=True))

    assert follow([0.6, 0.3, 0.1])
    assert not follow([0.6, 0.28, 0.12])
    assert ANIMALS.draw(torch.tensor([0.0, 0.5999, 0.6001, 0.8999, 0.9001, 1.0])).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("condition", [VECTOR, IMAGE])
def test_only_classes_are_drawn(condition: Condition) -> None:
    with pytest.raises(SaltusError) as caught:
        condition.draw(torch.rand(3))
    assert_one_sentence(caught.value, "items can only be drawn given a condition")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, [2] * 3),
        ("dog", [1] * 3),
        (["dog", "cat", "2"], [1, 0, 2]),
        (np.array([0, 1, 2], dtype=np.uint16), [0, 1, 2]),
        (np.array([0, 1, 2], dtype=">i4"), [0, 1, 2]),
        (np.array(["fish"]), [2] * 3),
        (torch.tensor([1, -1, 0]), [1, -1, 0]),
    ],
)
def test_classes_come_by_number_and_by_name(given: Any, expected: list[int]) -> None:
    assert ANIMALS.check(given, 3).tolist() == expected


def test_text_gives_conditions(tmp_path: Path) -> None:
    assert ANIMALS.parse("dog").tolist() == ANIMALS.parse(" 1 ").tolist() == [1]
    assert ANIMALS.parse("fish,0").tolist() == [2, 0]
    assert ClassCondition(["a, b", "c"], [1, 1]).parse("a, b").tolist() == [0]
    assert NUMBERED.parse("7").tolist() == [7]
    assert SOME.parse("7").tolist() == [1]  # its name, not the eighth
    assert VECTOR.parse("0.5, -1e3").tolist() == [[0.5, -1000.0]]
    np.save(tmp_path / "a.npy", PIXELS)
    assert torch.equal(IMAGE.parse(str(tmp_path / "a.npy")), IMAGE.check(PIXELS, 7))


def test_images_come_in_every_order_of_axes_and_as_bytes() -> None:
    expected = torch.from_numpy(np.moveaxis(PIXELS, -1, 1) / 127.5 - 1).float()
    for given in (PIXELS, np.moveaxis(PIXELS, -1, 1), expected, expected.double().movedim(1, -1)):
        torch.testing.assert_close(IMAGE.check(given, 7), expected)
    gray = GRAY.check(PIXELS[..., 0], 7)
    torch.testing.assert_close(gray, expected[:, :1])
    assert torch.equal(GRAY.check(PIXELS[0, ..., 0], 2), gray[:1].expand(2, -1, -1, -1))
    assert GRAY.check(PIXELS[..., 0] > 99, 7).unique().tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: NUMBERED.check(12, 1), "class 12 was given; expected one of 10 classes from 0 to 9: "),
        (lambda: NUMBERED.parse("12"), "class 12 was given; expected one of 10 classes from 0 to 9: "),
        (lambda: ANIMALS.check([0, 3], 2), "class 3 was given; expected one of 3 classes from 0 to 2: cat, dog, fish"),
        (lambda: ANIMALS.check(-2, 2), "class -2 was given"),
        (lambda: ANIMALS.parse("horse"), "class horse was given; expected one of 3 classes: cat, dog, fish"),
        (lambda: ANIMALS.check(["cat", "horse"], 2), "class horse was given"),
        (lambda: SOME.parse("1"), "class 1 was given; expected one of 2 classes: 3, 7"),
        (lambda: ClassCondition([f"c{k}" for k in range(30)], [1] * 30).parse("x"), "c9 and 20 more"),
        (lambda: ANIMALS.check([0.5], 1), "float64 of shape (1,)"),
        (lambda: ANIMALS.check([[1, 2]], 1), "of shape (1, 2)"),
        (lambda: ANIMALS.check({"a": 1}, 1), "the condition is a dict"),
        (lambda: VECTOR.check([[1.0, 2.0], [1.0]], 1), "the condition is a list"),
        (lambda: VECTOR.check("a", 1), "the condition is 'a'"),
        (lambda: VECTOR.check(torch.zeros(4, 3), 4), "float32 of shape (4, 3)"),
        (lambda: VECTOR.check([math.nan, 1.0], 4), "condition 0 holds NaN"),
        (lambda: VECTOR.check([[1.0, 1.0], [1e300, 1.0]], 2), "condition 1 holds"),
        (lambda: VECTOR.parse("1,a"), "'1,a'"),
        (lambda: VECTOR.parse("1,2,3"), "of shape (3,)"),
        (lambda: IMAGE.check(torch.zeros(4, 5), 1), "of shape (4, 5)"),
        (lambda: IMAGE.check(torch.zeros(2, 2, 3, 4, 5), 4), "of shape (2, 2, 3, 4, 5)"),
        (lambda: IMAGE.check(torch.zeros(4, 5, 4), 4), "of shape (4, 5, 4)"),
        (lambda: GRAY.check(torch.full((4, 5), 1.5), 1), "go from 1.5 to 1.5"),
        (lambda: GRAY.check(torch.full((4, 5), math.inf), 1), "go from inf to inf"),
        (lambda: IMAGE.parse("none.npy"), "none.npy cannot be read"),
        (lambda: ClassCondition(["a", "a"], [1, 1]), "a, a"),
        (lambda: ClassCondition([], []), "missing"),
        (lambda: ClassCondition(["a", "b"], [1, 0]), "[1.0, 0.0]"),
        (lambda: ClassCondition(["a", "b"], [1]), "[1.0]"),
        (lambda: VectorCondition(0), "0 numbers"),
        (lambda: ImageCondition((4, 5)), "(4, 5)"),
    ],
)
def test_errors_are_one_sentence(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(SaltusError) as caught:
        wrong()
    assert_one_sentence(caught.value, words)


def test_whether_a_condition_is_there_is_no_branch_on_values() -> None:
    for condition, values in CASES:
        given = condition.check(values, 3)
        traced = torch.jit.trace(condition.is_absent, (condition.none(3),), check_trace=False)
        assert torch.equal(traced(given), torch.tensor([False] * 3))


def test_a_number_of_a_user_is_the_class_of_that_name_and_a_tensor_holds_places() -> None:
    ages = ClassCondition(["1", "2", "3"], [1, 1, 1])
    assert ages.parse("2").tolist() == ages.check(2, 1).tolist() == ages.check(np.array([2]), 1).tolist() == [1]
    assert ages.check(torch.tensor([2]), 1).tolist() == [2]
    assert ages.check([1, -1], 2).tolist() == [0, -1]
    with pytest.raises(SaltusError) as caught:
        ages.check(0, 1)
    assert_one_sentence(caught.value, "class 0", "1, 2, 3")
