"""The checks of the exercises: right answers pass, mistakes get their hints, nothing is told."""

import inspect
import json

import exercises as answers_tool
import numpy as np
import pytest

from backprop import _questions, exercises

ANSWERS = answers_tool.answers()
ASKED = [
    name
    for name, question in inspect.getmembers(_questions, inspect.isfunction)
    if not name.startswith("_")
]
BY_NAME = {right.__name__: (right, mistakes) for right, mistakes in ANSWERS.items()}
MISTAKES = [
    pytest.param(name, hint, wrong, id=f"{name}: {hint}")
    for name, (_, mistakes) in BY_NAME.items()
    for hint, wrong in mistakes.items()
]


def said(capsys, name, answer):
    """What the check of one exercise says of a function."""

    def named(*arguments, **named_arguments):
        with np.errstate(all="ignore"):
            return answer(*arguments, **named_arguments)

    named.__name__ = name
    exercises.check(named)
    return capsys.readouterr().out.removeprefix(f"{name}: ").removesuffix("\n")


def test_every_question_has_answers_and_every_answer_a_question():
    assert sorted(BY_NAME) == sorted(ASKED)
    assert len(BY_NAME) == len(ANSWERS)


@pytest.mark.parametrize("name", BY_NAME)
def test_each_exercise_knows_three_mistakes_or_more(name):
    assert len(BY_NAME[name][1]) >= 3


def test_the_stored_numbers_are_those_of_the_answers():
    assert json.loads(exercises.FILE.read_text(encoding="utf-8")).keys() == BY_NAME.keys()
    for name, entry in answers_tool.stored().items():
        stored = exercises._stored()[name]
        assert entry["mistakes"].keys() == stored["mistakes"].keys()
        assert exercises.agree(*map(exercises.arrays, (entry["right"], stored["right"])))
        for hint, numbers in entry["mistakes"].items():
            assert exercises.agree(*map(exercises.arrays, (numbers, stored["mistakes"][hint])))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_right_answer_passes(capsys, name):
    assert said(capsys, name, BY_NAME[name][0]) == "right."


@pytest.mark.parametrize("name", BY_NAME)
def test_a_stub_is_told_so(capsys, name):
    verdict = said(capsys, name, lambda *_, **__: None)
    if name.startswith("test_"):
        assert verdict != "right."
    else:
        assert verdict == "nothing is returned yet."


@pytest.mark.parametrize(("name", "hint", "wrong"), MISTAKES)
def test_each_mistake_gets_its_own_hint(capsys, name, hint, wrong):
    assert said(capsys, name, wrong) == hint


def test_an_answer_that_stops_is_told_why(capsys):
    assert said(capsys, "log_softmax", lambda z: z[5]) == (
        "it stops, with IndexError: index 5 is out of bounds for axis 0 with size 3"
    )


def right(): ...


def wrong(): ...


def worse(): ...


@pytest.mark.parametrize(
    ("stopped", "through"),
    [
        ([right], [0, 0, 0]),
        ([right, wrong, worse], [0, 0, 0]),
        ([], [1, 1, 1]),
        ([wrong], [1, 0, 1]),
        ([worse], [1, 1, 0]),
        ([wrong, worse], [1, 0, 0]),
    ],
)
def test_what_a_test_lets_through(stopped, through):
    def test(code):
        assert code not in stopped

    assert _questions._let_through(test, right, [wrong, worse]).tolist() == through


def test_of_several_mistakes_that_come_through_the_first_counts():
    def test(code):
        assert code is not wrong

    assert _questions._let_through(test, right, [wrong, worse, worse]).tolist() == [1, 0, 1, 0]


def test_another_error_of_a_test_is_its_own_with_the_right_code_and_a_stop_with_wrong_code():
    def test(code):
        return {right: None}[code]

    assert _questions._let_through(test, right, [wrong, worse]).tolist() == [1, 0, 0]
    with pytest.raises(KeyError):
        _questions._let_through(test, wrong, [])


def test_a_name_that_no_exercise_asks_for():
    with pytest.raises(ValueError, match=r"^no exercise asks for test_\w+; .*best_shift, "):
        exercises.check(test_a_name_that_no_exercise_asks_for)


A = np.array([[1.0, 2.0, -3.0], [0.5, 4.0, 6.0]])
SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]])
NOT_FINITE = "some numbers are not finite: does something overflow, or divide by zero?"
PLACE = A + np.array([[0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("got", "right", "verdict"),
    [
        ([A], [A * (1 + 1e-9)], ""),
        ([A, 1.0], [A, 1], ""),
        ([A, None], [A, A], "in some cases nothing is returned."),
        ([A.tolist(), list(A)], [A, A], ""),
        ([[1.0]], [1.0], ""),
        ([(1.0, 2.0)], [np.array([1.0, 2.0])], ""),
        ([(1.0, 2.0)], [A], "the shape is (2,), where (2, 3) is asked for."),
        ([np.array([1.0, 2.0])], [(1.0, 2.0)], ""),
        ([np.array([1.0])], [np.array([1.0])], ""),
        (
            [np.array([1.0, 2.0])],
            [(A, A)],
            "array 1 of 2: the shape is (), where (2, 3) is asked for.",
        ),
        ([[A.tolist()]], [A], ""),
        ([[A[0], SQUARE[0]]], [A], "it returns 2 arrays instead of one array."),
        ([[-A[0], -A[1]]], [A], "the sign is turned."),
        ([[A, A, A]], [(A, A)], "it returns 3 arrays instead of 2 arrays."),
        (["text"], [A], "it must return numbers or arrays."),
        ([{}], [A], "it must return numbers or arrays."),
        ([A], [(A, A)], "it returns one array instead of 2 arrays."),
        ([(A, A, A)], [A], "it returns 3 arrays instead of one array."),
        ([A.T], [A], "the shape is (3, 2), where (2, 3) is asked for."),
        (
            [A * np.inf],
            [A],
            "some numbers are not finite: does something overflow, or divide by zero?",
        ),
        ([-A, -SQUARE], [A, SQUARE], "the sign is turned."),
        ([-A, SQUARE], [A, SQUARE], "the shape is right, the numbers are not."),
        ([SQUARE.T], [SQUARE], "the matrix is transposed."),
        ([3 * A, 3 * SQUARE], [A, SQUARE], "every number is 3 times what it should be."),
        ([3 * A, 2 * SQUARE], [A, SQUARE], "the shape is right, the numbers are not."),
        ([A, 3.0], [A, 2.0], "the shape is right, the numbers are not."),
        ([A, PLACE], [A, A], "1 of 6 numbers are wrong, the first at [1, 1]."),
        ([(A, -A)], [(A, A)], "array 2 of 2: the sign is turned."),
        (
            [(A, A), (2 * A, A)],
            [(A, A), (A, A)],
            "array 1 of 2: the shape is right, the numbers are not.",
        ),
        (
            [(2 * A, A, 2 * A)],
            [(A, A, A)],
            "arrays 1 and 3 of 3: every number is 2 times what it should be.",
        ),
        (
            [(PLACE, 1 + A)],
            [(A, A)],
            "1 of 6 numbers of array 1 are wrong, the first at [1, 1].",
        ),
        (
            [(A, PLACE, 1 + A)],
            [(A, A, A)],
            "arrays 2 and 3 of 3: 1 of 6 numbers of array 2 are wrong, the first at [1, 1].",
        ),
        (
            [(A, A.T), A],
            [(A, A), A],
            "array 2 of 2: the shape is (3, 2), where (2, 3) is asked for.",
        ),
        ([(-A, A.T)], [(A, A)], "array 2 of 2: the shape is (3, 2), where (2, 3) is asked for."),
        ([(A.T, A.T)], [(A, A)], "array 1 of 2: the shape is (3, 2), where (2, 3) is asked for."),
        ([0 * A], [A], "the shape is right, the numbers are not."),
        ([A], [0 * A], "the shape is right, the numbers are not."),
    ],
)
def test_what_can_be_seen_from_outside(got, right, verdict):
    with np.errstate(all="ignore"):
        assert exercises.diagnose(got, right, {}) == verdict


def test_a_known_mistake_comes_before_what_can_be_seen_from_outside():
    assert exercises.diagnose([-A], [A], {"other": [A + 1], "uphill": [-A]}) == "uphill"
    assert exercises.diagnose([A], [A], {"right, too": [A]}) == ""
