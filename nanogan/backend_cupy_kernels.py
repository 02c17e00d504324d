"""Formulas that CuPy would compute in several kernels, each as one: a small kernel's time is the time to start it.

Each stands for a `fusible` method, by name, and takes that method's arguments; the method itself, in plain NumPy, is
what it is tested against. Every operation is rounded by itself (--fmad=false: no fused multiply-add), in the plain
form's order, so elementwise kernels give the same numbers as the plain form: bit for bit, but for float32 numbers below
1.2e-38, which CuPy's compiler options flush to zero (-ftz=true), and for the last bit of exp and log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import Array

OPTIONS = ("--fmad=false",)
WHERE = "#define where(condition, a, b) ((condition) ? (a) : (b))\n"

ELEMENTWISE = {
    # optim.Adam.update reads or writes 7 vectors, instead of the 28 of twelve ufuncs
    "adam": (
        "T g, T beta1, T one_minus_beta1, T beta2, T one_minus_beta2, T scale, T offset",
        "T p, T m, T v",
        "m = beta1 * m + one_minus_beta1 * g; v = beta2 * v + one_minus_beta2 * (g * g); "
        "p -= m / (sqrt(v) * scale + offset)",
    ),
    "momentum": ("T g, T lr, T momentum", "T p, T v", "v = momentum * v + g; p -= v * lr"),
    "follow": ("T p, T weight", "T a", "a += weight * (p - a)"),
    "relu_slope": ("T x, T dy", "T dx", "dx = T(x > T(0)) * dy"),
    # not max(x, s): C's forgets NaN
    "leaky_relu": ("T x, T slope", "T y", "T s = slope * x; y = where(x >= s, x, s)"),
    "leaky_relu_slope": ("T x, T dy, T slope, T rise", "T dx", "dx = (T(x > T(0)) * rise + slope) * dy"),
    "tanh_slope": ("T y, T dy", "T dx", "dx = (T(1) - y * y) * dy"),
    "bce_slope": (
        "T x, T t, T count",
        "T dx",
        "T e = exp(-abs(x)); dx = (where(x >= T(0), T(1), e) / (T(1) + e) - t) / count",
    ),
    "normalise": (
        "T x, T mean, T std, T gamma, T beta",
        "T deviation, T y",
        "deviation = x - mean; y = deviation * (gamma / std) + beta",
    ),
    "normalise_slope": (
        "T dy, T deviation, T std, T gamma, T dgamma, T dbeta, T M",
        "T dx",
        "dx = (dy - deviation * (dgamma / (M * std)) - dbeta / M) * (gamma / std)",
    ),
}
"""Inputs, outputs and body by name; the bodies read alike in C and in Python, so the double of CuPy runs them, too."""

REDUCTIONS = {
    "bce_with_logits": (
        "T x, T t, T count",
        "T y",
        "where(x > T(0), x, T(0)) - x * t + log1p(exp(-abs(x)))",
        "a + b",
        "y = a / count",
        "0",
    ),
    "mean_sigmoid": (
        "T x, T count",
        "T y",
        "where(x >= T(0), T(1), exp(-abs(x))) / (T(1) + exp(-abs(x)))",
        "a + b",
        "y = a / count",
        "0",
    ),
}
"""Inputs, outputs, the term, how two are added, what becomes of the sum, and the sum of nothing.

Not `_in_ind.size()` for count: of kernels with one input CuPy may make another, by CUB, and replaces these words there.
"""

GATHERING = {
    # patches (n, h, w, k, k, C) of images (n, H, W, C): a value of a patch is a pixel, or a 0 of the border
    "im2col": (
        "raw T image, int32 height, int32 width, int32 channels, int32 kernel, int32 stride, int32 padding, "
        "int32 down, int32 right",
        "T patch",
        """
        unsigned int rest = i;  // 32 bits: a GPU divides 64 many times slower
        int along = rest % (kernel * channels); rest /= kernel * channels;
        int u = rest % kernel; rest /= kernel;
        int x = ((int)(rest % right) * stride - padding) * channels + along; rest /= right;
        int y = (int)(rest % down) * stride + u - padding; rest /= down;
        bool inside = 0 <= y && y < height && 0 <= x && x < width * channels;
        patch = inside ? image[(rest * height + y) * width * channels + x] : T(0)
        """,
    ),
    # its transpose: a pixel is the sum of the values that im2col makes of it
    "col2im": (
        "raw T patches, int32 height, int32 width, int32 channels, int32 kernel, int32 stride, int32 padding, "
        "int32 down, int32 right",
        "T pixel",
        """
        unsigned int rest = i;
        int c = rest % channels; rest /= channels;
        int x = rest % width + padding; rest /= width;
        int y = rest % height + padding; rest /= height;
        T sum = 0;
        for (int u = y % stride, a = y / stride; u < kernel && a >= 0; u += stride, --a)
            for (int v = x % stride, b = x / stride; v < kernel && b >= 0; v += stride, --b)
                if (a < down && b < right)
                    sum += patches[((((rest * down + a) * right + b) * kernel + u) * kernel + v) * channels + c];
        pixel = sum
        """,
    ),
}
"""As ELEMENTWISE, but each value is looked for: i is its place in the output, counted in memory."""

THREADS = 512
CHANNELS = f"""
template <typename S> __device__ S sum_of_block(S own) {{
    __shared__ S sums[{THREADS}];
    sums[threadIdx.x] = own;
    for (int half = {THREADS} / 2; half > 0; half /= 2) {{
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }}
    __syncthreads();
    S sum = sums[0];
    __syncthreads();
    return sum;
}}

// A block for each channel of x, (M, C). mean and std = sqrt(var + eps) of its M numbers; the running averages follow.
// unbiased: M / (M - 1)
extern "C" __global__ void channel_statistics(
    const T *x, int M, int C, T eps, T momentum, T unbiased, T *mean, T *std, T *running_mean, T *running_var) {{
    int c = blockIdx.x;
    T sum = 0, squares = 0;
    for (int row = threadIdx.x; row < M; row += {THREADS}) sum += x[(size_t)row * C + c];
    T center = sum_of_block(sum) / M;
    for (int row = threadIdx.x; row < M; row += {THREADS}) {{
        T deviation = x[(size_t)row * C + c] - center;
        squares += deviation * deviation;
    }}
    T var = sum_of_block(squares) / M;
    if (threadIdx.x == 0) {{
        mean[c] = center;
        std[c] = sqrt(var + eps);
        running_mean[c] += momentum * (center - running_mean[c]);
        running_var[c] += momentum * (unbiased * var - running_var[c]);
    }}
}}

// dgamma = sum of dy deviation / std and dbeta = sum of dy, over the M numbers of a channel
extern "C" __global__ void channel_gradients(
    const T *dy, const T *deviation, const T *std, int M, int C, T *dgamma, T *dbeta) {{
    int c = blockIdx.x;
    T products = 0, sum = 0;
    for (int row = threadIdx.x; row < M; row += {THREADS}) {{
        T slope = dy[(size_t)row * C + c];
        products += slope * deviation[(size_t)row * C + c];
        sum += slope;
    }}
    products = sum_of_block(products);
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) {{
        dgamma[c] = products / std[c];
        dbeta[c] = sum;
    }}
}}
"""
"""The two kernels of BatchNorm that add: a fixed tree, so the same numbers each time."""


class Kernels:
    """All of them, as CuPy makes them; it compiles each when it is first called, in the types it is called with."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        also: dict[str, Any] = {"preamble": WHERE, "options": OPTIONS}
        for name, (inputs, outputs, body) in {**ELEMENTWISE, **GATHERING}.items():
            setattr(self, name, xp.ElementwiseKernel(inputs, outputs, body, f"nanogan_{name}", **also))
        for name, formula in REDUCTIONS.items():
            setattr(self, name, xp.ReductionKernel(*formula, f"nanogan_{name}", **also))
        self.of_channels: dict[tuple[str, str], Any] = {
            (name, T): xp.RawKernel(f"typedef {C_type} T;\n{CHANNELS}", name, OPTIONS)
            for name in ("channel_statistics", "channel_gradients")
            for T, C_type in (("float32", "float"), ("float64", "double"))
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Only called for what `__init__` has not set."""
        raise AttributeError(f"there is no kernel {name!r}")

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernels:
        return self

    def methods(self) -> dict[str, Callable[..., Any]]:
        """What each of `fusible` methods is replaced by."""
        found: dict[str, Callable[..., Any]] = {
            "optim.Adam.update": self.adam_update,
            "optim.SGD.update": self.sgd_update,
            "training.ema.MovingAverage.follow": self.average_follow,
            "losses.BCEWithLogits.forward": self.bce_forward,
            "losses.BCEWithLogits.backward": self.bce_backward,
            "losses.BCEWithLogits.mean_probability": self.bce_mean_probability,
            "layers.ReLU.backward_input": self.relu_backward,
            "layers.LeakyReLU.forward": self.leaky_relu_forward,
            "layers.LeakyReLU.backward_input": self.leaky_relu_backward,
            "layers.Tanh.backward_input": self.tanh_backward,
            "norm.BatchNorm._normalise": self.norm_forward,
            "norm.BatchNorm._params_gradient": self.norm_params_gradient,
            "norm.BatchNorm._input_gradient": self.norm_input_gradient,
        }
        for layer in ("Conv2d", "ConvTranspose2d"):
            found[f"conv.{layer}.im2col"] = self.conv_im2col
            found[f"conv.{layer}.convolve_transposed"] = self.conv_transposed
            found[f"conv.{layer}.add_bias"] = self.conv_add_bias
        return {f"nanogan.{name}": kernel for name, kernel in found.items()}

    # ---- optimizers and losses

    def adam_update(self, adam: Any, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        (beta1, beta2), (scale, offset) = adam.betas, numbers
        self.adam(g, beta1, 1 - beta1, beta2, 1 - beta2, scale, offset, p, *moments)

    def sgd_update(self, sgd: Any, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        self.momentum(g, *numbers, p, *moments)

    def average_follow(self, average: Any, a: Array, p: Array, weight: Array) -> None:
        self.follow(p, weight, a)

    def bce_forward(self, loss: Any, x: Array, t: Any) -> Array:
        t = loss.checked(x, t)
        if loss.reduction == "sum":
            return loss.terms(x, t).sum()
        number = x.dtype.type
        return self.bce_with_logits(x, number(t) if isinstance(t, float) else t, number(x.size))

    def bce_backward(self, loss: Any, x: Array, t: Any) -> Array:
        count = x.size if loss.reduction == "mean" else 1
        return self.bce_slope(x, loss.checked(x, t), count, self.xp.empty_like(x))

    def bce_mean_probability(self, loss: Any, x: Array) -> Array:
        return self.mean_sigmoid(x, x.dtype.type(x.size))

    # ---- layers

    def relu_backward(self, layer: Any, dy: Array) -> Array:
        return self.relu_slope(layer.x, dy, layer.buffer("dx", dy.shape))

    def leaky_relu_forward(self, layer: Any, x: Array, training: bool = True) -> Array:
        layer.x = x
        return self.leaky_relu(x, layer.slope, layer.buffer("y", x.shape))

    def leaky_relu_backward(self, layer: Any, dy: Array) -> Array:
        return self.leaky_relu_slope(layer.x, dy, layer.slope, 1 - layer.slope, layer.buffer("dx", dy.shape))

    def tanh_backward(self, layer: Any, dy: Array) -> Array:
        return self.tanh_slope(layer.y, dy, layer.buffer("dx", dy.shape))

    # ---- batch normalisation: a block of threads for each channel

    def norm_forward(self, layer: Any, x: Array) -> Array:
        C, T = layer.channels, x.dtype.type
        mean, layer.std = layer.running_mean, self.xp.empty(C, dtype=x.dtype)
        if layer.training:
            mean = self.xp.empty(C, dtype=x.dtype)
            numbers = T(layer.eps), T(layer.momentum), T(layer.M / (layer.M - 1))
            outputs = mean, layer.std, layer.running_mean, layer.running_var
            self._of_channels("channel_statistics", x, np.int32(layer.M), np.int32(C), *numbers, *outputs)
        else:
            self.xp.sqrt(layer.running_var + layer.eps, out=layer.std)
        layer.deviation, y = layer.buffer("deviation", x.shape), layer.buffer("y", x.shape)
        self.normalise(x, mean, layer.std, layer.gamma, layer.beta, layer.deviation, y)
        return y

    def norm_params_gradient(
        self, layer: Any, dy: Array, dgamma: Array | None = None, dbeta: Array | None = None
    ) -> tuple[Array, Array]:
        C = layer.channels
        dgamma, dbeta = (self.xp.empty(C, dtype=dy.dtype) if out is None else out for out in (dgamma, dbeta))
        numbers = np.int32(layer.M), np.int32(C)
        self._of_channels("channel_gradients", dy, layer.deviation, layer.std, *numbers, dgamma, dbeta)
        return dgamma, dbeta

    def norm_input_gradient(self, layer: Any, dy: Array, dgamma: Array, dbeta: Array) -> Array:
        dx = layer.buffer("dx", dy.shape)
        if not layer.training:
            return self.xp.multiply(dy, layer.gamma / layer.std, out=dx)
        return self.normalise_slope(dy, layer.deviation, layer.std, layer.gamma, dgamma, dbeta, layer.M, dx)

    def _of_channels(self, name: str, x: Array, *args: Any) -> None:
        x = self.xp.ascontiguousarray(x)  # a copy only if it isn't
        self.of_channels[name, x.dtype.name]((x.shape[-1],), (THREADS,), (x, *args))

    # ---- convolutions: a GPU prefers one large product, of patches, to several small ones

    def conv_im2col(self, layer: Any, image: Array) -> Array:
        n, height, width, channels = image.shape
        down, right = ((size + 2 * layer.padding - layer.kernel) // layer.stride + 1 for size in (height, width))
        patches = layer.buffer("patches", (n * down * right, len(layer.W)))
        sizes = layer.kernel, layer.stride, layer.padding, down, right
        return self.im2col(image, height, width, channels, *sizes, patches)

    def conv_transposed(self, layer: Any, features: Array, out: Array) -> Array:
        """out = col2im(features W^T)"""
        n, down, right, depth = features.shape
        patches = layer.buffer("patches of the image", (n * down * right, len(layer.W)))
        layer.xp.matmul(features.reshape(-1, depth), layer.W.T, out=patches)
        return self.col2im(patches, *out.shape[1:], layer.kernel, layer.stride, layer.padding, down, right, out)

    def conv_add_bias(self, layer: Any, y: Array) -> None:
        if layer.bias:
            y += layer.b
