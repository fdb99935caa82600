"""Answers to the exercises of the introduction: the right ones, and mistakes with their hints."""

from backprop.network import dense_backward


def gradients_in_columns(X, W, delta):
    dW, db, dX = dense_backward(X.T, W.T, delta.T)
    return dW.T, db[:, None], dX.T


MISTAKES = {
    gradients_in_columns: {
        "b is a column, (H, 1), so its gradient is one, too.": (
            lambda X, W, delta: (delta @ X.T, delta.sum(axis=1), W.T @ delta)
        ),
        "the slopes of b add up over the examples, not over the units.": (
            lambda X, W, delta: (delta @ X.T, delta.sum(axis=0, keepdims=True), W.T @ delta)
        ),
        "the gradient of W has the shape of X times delta transposed; W is (H, D) here.": (
            lambda X, W, delta: (X @ delta.T, delta.sum(axis=1, keepdims=True), W.T @ delta)
        ),
        "the gradient of X has an example in each row; X has them in columns here.": (
            lambda X, W, delta: (delta @ X.T, delta.sum(axis=1, keepdims=True), delta.T @ W)
        ),
        "the gradient of b is a mean; the slopes of the examples add up, as in rows.": (
            lambda X, W, delta: (delta @ X.T, delta.mean(axis=1, keepdims=True), W.T @ delta)
        ),
        "everything is right but the order: first W, then b, then X.": (
            lambda X, W, delta: (W.T @ delta, delta @ X.T, delta.sum(axis=1, keepdims=True))
        ),
    }
}
