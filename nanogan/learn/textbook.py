"""What plain.py has no need of, in the same plain NumPy: the later exercises of `learn` are cut from here.

Least squares, batch normalisation, convolution's two copies, the transposed convolution, and a gradient penalty. The
library's own forms (losses.py, norm.py, conv.py) compute the same, faster; a test compares them.
"""

import numpy as np

from ..plain import Linear, Network

Array = np.ndarray


def mse(x: Array, t: float) -> tuple[float, Array]:  # the least-squares loss of outputs x of any shape, and dx
    return ((x - t) ** 2).mean(), 2 * (x - t) / x.size  # the mean is over all values, so each counts 1 / x.size


class BatchNorm:  # y = gamma xhat + beta, xhat = (x - mean) / std    x, y: (M, C)    mean, std, gamma, beta: (C)
    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        self.eps = eps  # std = sqrt(var + eps), so that a constant channel doesn't divide by 0
        self.gamma, self.beta = np.ones(channels), np.zeros(channels)
        self.dgamma, self.dbeta = np.zeros(channels), np.zeros(channels)

    def forward(self, x: Array) -> Array:
        self.std = np.sqrt(x.var(axis=0) + self.eps)
        self.xhat = (x - x.mean(axis=0)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward_params(self, dy: Array) -> None:
        self.dgamma[...] = (dy * self.xhat).sum(axis=0)
        self.dbeta[...] = dy.sum(axis=0)

    def backward_input(self, dy: Array) -> Array:
        # each x moves its own xhat, and through mean and std the xhat of the whole batch
        through_mean = dy.mean(axis=0)
        through_std = self.xhat * (dy * self.xhat).mean(axis=0)
        return self.gamma / self.std * (dy - through_mean - through_std)


def im2col(x: Array, k: int, stride: int) -> Array:  # all k x k patches of x: (N, H, W, C) -> (N, h, w, k, k, C)
    h, w = ((size - k) // stride + 1 for size in x.shape[1:3])
    patches = np.zeros((len(x), h, w, k, k, x.shape[3]))
    for i, j in np.ndindex(h, w):
        patches[:, i, j] = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
    return patches


def col2im(patches: Array, stride: int) -> Array:  # its transpose: (N, h, w, k, k, C) -> (N, H, W, C)
    n, h, w, k, _, channels = patches.shape
    x = np.zeros((n, (h - 1) * stride + k, (w - 1) * stride + k, channels))
    for i, j in np.ndindex(h, w):
        x[:, i * stride : i * stride + k, j * stride : j * stride + k] += patches[:, i, j]
    return x


class ConvTranspose:  # y = col2im(x W^T) + b    x: (N, h, w, c_in)    W: (k k c_out, c_in)    y: (N, H, W, c_out)
    def __init__(self, c_in: int, c_out: int, k: int, stride: int, rng: np.random.Generator) -> None:
        self.k, self.stride = k, stride
        self.W = rng.standard_normal((k * k * c_out, c_in)) / k
        self.b = np.zeros(c_out)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x: Array) -> Array:
        self.x = x
        patches = x @ self.W.T  # every pixel of x paints a k x k patch of y
        return col2im(patches.reshape(*x.shape[:3], self.k, self.k, -1), self.stride) + self.b

    def rows(self, dy: Array) -> Array:  # the patches of dy, one row per pixel of x: (N h w, k k c_out)
        return im2col(dy, self.k, self.stride).reshape(-1, len(self.W))

    def backward_params(self, dy: Array) -> None:
        pixels = self.x.reshape(-1, self.x.shape[-1])  # (N h w, c_in)
        self.dW[...] = self.rows(dy).T @ pixels
        self.db[...] = dy.sum(axis=(0, 1, 2))

    def backward_input(self, dy: Array) -> Array:
        return (self.rows(dy) @ self.W).reshape(self.x.shape)  # a convolution


def r1(D: Network, x: Array, gamma: float) -> float:  # gamma / 2 times the mean of |g|^2, g = dD/dx. Writes its dW, db
    ones = np.ones((len(x), 1))
    D.forward(x)
    g = D.backward_input(ones)  # g[n] = d(logit of image n) / d(image n)
    v = gamma * g / len(x)  # d(penalty)/dg
    for layer in D.layers:  # push v forward: through the same weights and slopes, without biases
        if isinstance(layer, Linear):
            layer.x = v  # what dW then multiplies, instead of the images
            v = v @ layer.W
        else:
            v = layer.backward_input(v)
    D.backward_params(ones)
    for layer in D.layers:
        if isinstance(layer, Linear):
            layer.db[...] = 0  # g doesn't depend on biases
    return gamma / 2 * np.mean(np.sum(g**2, axis=1))
