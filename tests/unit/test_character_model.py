"""The formula of the chapter on the character model: the gradient of an embedding."""

import numpy as np
import pytest

from backprop import gradcheck


@pytest.mark.equation("embedding-gradient")
def test_a_row_of_the_table_gets_the_slopes_of_every_place_where_it_was_used():
    rng = np.random.default_rng(0)
    V, E, letters = 5, 3, np.array([[2, 0, 2], [1, 2, 0]])  # letters 3 and 4 do not occur
    table, slopes = rng.normal(size=(V, E)), rng.normal(size=(2, 3, E))
    gradient = np.zeros((V, E))
    for t, n in np.ndindex(letters.shape):
        for e in range(E):
            gradient[letters[t, n], e] += slopes[t, n, e]

    by_adding = np.zeros((V, E))
    np.add.at(by_adding, letters, slopes)
    by_product = np.eye(V)[letters.ravel()].T @ slopes.reshape(-1, E)
    (numerical,) = gradcheck.numerical_gradients(lambda M: np.sum(M[letters] * slopes), table)
    np.testing.assert_allclose(by_adding, gradient, rtol=0, atol=1e-15)
    np.testing.assert_allclose(by_product, gradient, rtol=0, atol=1e-15)
    assert gradcheck.relative_error(gradient, numerical) < 1e-8
    assert not gradient[3:].any()
