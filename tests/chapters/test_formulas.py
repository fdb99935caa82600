"""Formulas are computed as they stand on the page, and come out as the package does."""

import re
from collections import Counter

import arithmetic
import equations
import formula_page
import formulas
import numpy as np
import pytest
from cases import CASES
from formula import Equation, FormulaError, after, d, equations_in
from slips import slips

ON_PAGES = {key: latex for page in formulas.on_pages().values() for key, latex in page.items()}
# What isn't computed, and why. The numbered one is bound to its test, the others are held here.
NOT_COMPUTED = {
    "truncated-gradient": "a slope with something held fixed",
    r"02 \delta_j = \frac{\partial L}{\partial z_j}": "a definition",
    r"03 \frac{\partial L}{\partial z} = 0.9 \cdot \underset{\text{others}}{\operatorname{mean}}\;"
    r" a^2(1-a) \;-\; 0.1 \cdot \underset{\text{own}}{\operatorname{mean}}\; a(1-a)^2": (
        "means over other outputs, told by words"
    ),
    r"05 (1 - R)^2 \le \eta\lambda \le (1 + R)^2": "an inequality with two ends",
    r"07 p(a) = \frac{v_a + D\, p_{\text{shorter}}(a)}{v + D}": "a table of counts",
    r"09 X = \begin{pmatrix} 1 & 0 & 2 \\ 3 & 0 & 0 \end{pmatrix},"
    r" \quad W = \begin{pmatrix} 1 \\ 5 \\ 2 \end{pmatrix}": "a definition",
}
# Slips that leave an equation true, or what stands for no number.
HARMLESS = {
    "best-factor": ["3 for 2", "no *"],  # of what is 0; A is A*
    "relu-derivative": ["twice z", "twice z"],  # on its own side of 0
    "forward-difference": ["- for +"],  # before the dots, as in the next ones
    "truncation-error": ["- for +"],
    "complex-step": ["- for +", "- for +"],
    "04 f(x \\pm h)": ["- for +"],
    "carried-error": ["twice \\delta"],  # which is 0
    "dropout": ["index n for i", "twice p"],  # in words; which entry, words say as well
    "02 X^{\\mathsf T} \\delta = \\begin{pmatrix}": ["- for +", "1.3 for 0.3"],  # of 0
    "06 \\frac{\\partial L}{\\partial w_x}": [
        "twice h_{0}",
        "twice \\delta_{1}",
        "2 for 1",
    ],  # of 0
    "08 \\operatorname{var} z_j": ["index j for i", "index j for i"],  # all i are alike
}


@pytest.mark.parametrize("name", CASES)
def test_formula_comes_out(name):
    equations_ = formulas.computed(name, formulas.latex_of(name))
    assert equations_
    for parts in equations_:
        gap = formulas.deviation(parts, name)
        assert gap <= CASES[name].tolerance, f"{''.join(parts)} is off by {gap:.1e}"


@pytest.mark.parametrize("name", CASES)
def test_formula_with_a_slip_does_not_come_out(name):
    unnoticed = []
    for parts in formulas.computed(name, formulas.latex_of(name)):
        wrong = list(slips(parts, formulas.draws(name)[0]))
        assert wrong
        for slip, changed in wrong:
            try:
                gap = formulas.deviation(changed, name, CASES[name].tolerance)
            except FormulaError:
                continue
            if gap <= CASES[name].tolerance:
                unnoticed.append(slip)
    assert Counter(unnoticed) == Counter(HARMLESS.get(name, []))


def test_every_formula_is_computed_or_named():
    left = {key for key in ON_PAGES if formulas.case_of(key) is None}
    assert left == NOT_COMPUTED.keys(), "give it a case, or look at it and change it here"
    assert HARMLESS.keys() <= CASES.keys()


def test_the_page_lists_every_formula_with_its_test_and_deviation():
    """Deviations differ a little between processors; all else is what `make equations` writes."""
    stated = formula_page.PAGE.read_text(encoding="utf-8")
    now = formula_page.page()
    gap = re.compile(r"^  - (\de-\d\d|0)$", re.MULTILINE)
    assert gap.sub("", stated) == gap.sub("", now)


# Arithmetic

CLAIMS = [
    pytest.param(left, right, id=f"{chapter[:2]} {''.join(left)} = {''.join(right)}")
    for chapter, left, right in arithmetic.claims()
]


@pytest.mark.parametrize(("left", "right"), CLAIMS)
def test_arithmetic_comes_out(left, right):
    assert arithmetic.gap(left, right) <= 1


def test_arithmetic_with_a_slip_does_not_come_out():
    """What is lost in the rounding of a result, or multiplied by 0, goes unnoticed."""
    noticed = Counter()
    for claim in CLAIMS:
        left, right = claim.values
        for pair in ((slip, right) for _, slip in slips(left, {})):
            noticed[arithmetic.differs(*pair)] += 1
        for pair in ((left, slip) for _, slip in slips(right, {})):
            noticed[arithmetic.differs(*pair)] += 1
    assert len(CLAIMS) > 150
    assert noticed[True] > 0.95 * noticed.total()


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"x_2 = 0.5 \cdot 1 + 0.1 = 0.6", [0]),
        (r"0.6457 \cdot 0.02643 = 0.0171", [0]),  # 0.01707
        (r"0.6457 \cdot 0.02643 = 0.0172", [1]),
        (r"1 - (783/784)^{30} = 3.8\,\%", [0]),
        (r"1 - (783/784)^{30} = 3.9\,\%", [1]),
        (r"2^{-53} \approx 10^{-16}", [0]),
        (r"784 \cdot 30 = 23{,}520", [0]),
        (r"784 \cdot 30 = 23{,}521", [1]),
        (r"(1 \cdot 2, 3) = (2, 3)", [0]),
        (r"(1 \cdot 2, 3) = (3, 3)", [1]),
        (r"a = b \qquad 2 = 2", []),
    ],
)
def test_claims_are_found_and_judged(latex, expected):
    claims = arithmetic.claims_in(latex)
    assert [int(arithmetic.gap(*claim) > 1) for claim in claims] == expected


# The reader

X, W = np.arange(6.0).reshape(3, 2), np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
NAMES = {
    "X": X, "W": W, "b": 2.0, "f": np.sin, "h": {0: 1.0, 1: 2.0}, "t": (1,), "n": range(1, 4),
    "i": range(1, 3), "j": range(1, 5), "N": 3, d("L", "W"): W, after("b"): 3.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "latex",
    [
        r"(X W)_{12} = \sum_i X_{1i} W_{i2} = 6 = \begin{pmatrix} 5 & 6 \end{pmatrix}_{12}",
        r"\sum_{n=1}^{N} X_{ni} = \sum_n X_{ni}",
        r"\frac{\partial L}{\partial W_{ij}} = W_{ij}",
        r"(X^{\mathsf T})_{12} = 2",
        r"h_{t-1} + h_t = 3",
        r"f(b) = \sin b, \qquad b \leftarrow b + 1",
        r"\tfrac12 b^2 = 2 = \sqrt{b + b} = \max(1, b) = |-b| = \underbrace{3 - 1}_{b}",
        r"b\,(1 - b) = \begin{cases} -2 & b > 1 \\ 0 & b \le 1 \end{cases}",
        r"\sum_{i = 1}^2 X_{1i} \odot X_{2i} = \langle X_{1,:}, X_{2,:} \rangle",
        r"\lVert X \rVert^2 = \sum_{n,i} X_{ni}^2 \quad\text{(a shape)}",
    ],
)
def test_the_reader_reads(latex):
    found, _ = equations_in(latex, NAMES)
    assert found
    assert max(Equation(parts, NAMES).deviation() for parts in found) < 1e-12


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        ("b = c", "nothing is named c"),
        ("b = X_{n5}", "out of bounds"),
        ("b = h_{t-2}", "there is no number -1"),
        ("b = W X", "shapes|broadcast"),
        ("b = (b", "expected "),
        ("b = b)", "left over"),
        (r"b = \sum_x b", "expected indices"),
        (r"b = \sum_{n=1} b", "expected indices"),
        ("b = h", "has no index"),
        (r"b = \begin{cases} 1 & b > 1 \\ 2 & b > 0 \end{cases}", "2 cases hold"),
    ],
)
def test_the_reader_says_what_it_does_not_know(latex, message):
    (parts,), _ = equations_in(latex, NAMES)
    with pytest.raises(FormulaError, match=message):
        Equation(parts, NAMES).deviation()


def test_what_is_left_out_is_said():
    found, left = equations_in(r"b = 2 \qquad (N, 10), \quad X = 3", NAMES, ("X =",))
    assert ["".join(parts) for parts in found] == ["b=2"]
    assert left == ["(N,10)", "X=3"]


def test_formulas_have_one_case_each():
    assert len(equations.labels(formulas.CHAPTERS)) > 100
    keys = Counter(formulas.case_of(key) for key in ON_PAGES)
    del keys[None]
    assert set(keys.values()) == {1}
    assert keys.keys() == CASES.keys()
