"""The supervised direction: logistic regression on patch features.

Knows arrays. Does not know banks, images or what its values are used for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exdd_core.later import linear_model, preprocessing

# Longer features are fitted with gradients, as Newton's method needs a matrix of their length squared.
LONG = 512
STEPS = 15  # of Newton's method at most; two or three suffice from a good start
SMALL_STEP = 1e-3  # change of every standardised weight at which Newton's method ends


@dataclass(frozen=True)
class Direction:
    """L(x) = x . weights + bias, above 0 for patches like known defects. weights: float32 (d,)."""

    weights: np.ndarray
    bias: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features: float32 (*S, d) -> float32 (*S)."""
        return features @ self.weights + np.float32(self.bias)

    @classmethod
    def fit(cls, normals: np.ndarray, defects: np.ndarray) -> Direction:
        """Fit on normals, float32 (a, d), and defects, float32 (b, d), standardised together."""
        classes = np.repeat([0, 1], [len(normals), len(defects)])
        weights, bias = logistic(np.concatenate([normals, defects]), classes)
        return cls(weights.astype(np.float32), float(bias))


def fit_direction(normals: np.ndarray, defects: np.ndarray, start: Direction | None = None) -> Direction:
    """Fit logistic regression that weighs both classes alike, beginning at an earlier direction.

    normals: float32 (a, d). defects: float32 (b, d). Columns are standardised by the normals alone, so that
    another defect leaves the scale as it is. Features longer than LONG are standardised by both and fitted
    without a start.
    """
    if normals.shape[1] > LONG:
        return Direction.fit(normals, defects)
    middle, spread = normals.mean(0), normals.std(0)
    spread = np.where(spread > 0, spread, 1).astype(np.float32)
    n = len(normals) + len(defects)
    x = np.ones((n, normals.shape[1] + 1), np.float32)
    x[: len(normals), :-1], x[len(normals) :, :-1] = (normals - middle) / spread, (defects - middle) / spread
    y = np.repeat([0.0, 1.0], [len(normals), len(defects)])
    weigh = np.repeat([n / 2 / len(normals), n / 2 / len(defects)], [len(normals), len(defects)])
    w = np.zeros(x.shape[1])
    if start is not None:
        w = np.append(start.weights * spread, start.bias + float(start.weights @ middle))
    w = _newton(x, y, weigh, w)
    weights = (w[:-1] / spread).astype(np.float32)
    return Direction(weights, float(w[-1] - weights @ middle))


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Balanced logistic regression on standardised columns: weights (d,) and bias for the given columns.

    x: float (n, d). y: int (n,), 0 or 1.
    """
    scaler = preprocessing.StandardScaler().fit(x)
    # Newton's method needs few passes over the data, but a matrix of the number of columns squared.
    solver = "newton-cholesky" if x.shape[1] <= LONG else "lbfgs"
    model = linear_model.LogisticRegression(
        class_weight="balanced", max_iter=1000, tol=1e-6, solver=solver
    ).fit(scaler.transform(x), y)
    spread = np.where(scaler.scale_ > 0, scaler.scale_, 1)
    weights = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - (weights * scaler.mean_).sum())


def _newton(x: np.ndarray, y: np.ndarray, weigh: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Minimise sum(weigh * logistic loss) + |w|^2 / 2, without the weight of the last column, which is ones.

    x: float32 (n, d + 1).
    """
    ridge = np.append(np.ones(x.shape[1] - 1), 0)

    def loss(w: np.ndarray) -> float:
        z = x @ w.astype(np.float32)
        return float((weigh * (np.logaddexp(0, z) - y * z)).sum() + (ridge * w * w).sum() / 2)

    now = loss(w)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ w.astype(np.float32), -50, 50)))
        slope = x.T @ (weigh * (p - y)).astype(np.float32) + ridge * w
        curve = x.T @ (x * (weigh * p * (1 - p)).astype(np.float32)[:, None]) + np.diag(ridge + 1e-6)
        step = np.linalg.solve(curve.astype(np.float64), slope.astype(np.float64))
        while (new := loss(w - step)) > now and np.abs(step).max() > SMALL_STEP:
            step /= 2
        if new > now:
            break
        w, now = w - step, new
        if np.abs(step).max() < SMALL_STEP:
            break
    return w
