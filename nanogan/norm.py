"""Batch normalisation: every channel is normalised to mean 0 and variance 1 over the batch, then scaled and shifted.

It makes each row's output depend on the other rows of the batch. That is why a discriminator that has it is shown real
and fake images separately (`gan.py`). Instance normalisation does so over each image alone. This is the end
of the book; read `recipes/mnist.py` next, which has the GANs to train.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from .backend import Array, Shape, fusible
from .errors import InputError, ShapeError
from .initializers import ones, zeros
from .layer import Declared, Layer
from .numerics import channel_sums, channel_sums_of_products
from .settings import check_fields
from .workers import WHOLE, Shard


@dataclass
class BatchNorm(Layer):
    """y = gamma xhat + beta      xhat = (x - mean) / std      std = sqrt(var + eps)

    x, xhat, y: (N, C) or (N, H, W, C)   mean, var, std, gamma, beta: (C,)

    xhat is never stored, only x - mean; the division by std is folded into one factor per channel.

    In training, mean and var are taken over the channel's M values in the batch, M = N or N H W. In evaluation they are
    running averages of them (Ioffe and Szegedy 2015, algorithm 2; momentum as PyTorch defines it):

        running <- (1 - momentum) running + momentum batch      using the unbiased M / (M - 1) var

    Every forward pass in training moves the averages, so a discriminator's averages also move in the generator's step,
    when it sees only fake images. PyTorch does the same, and no gradient depends on them.
    """

    channels: int
    _: KW_ONLY
    momentum: float = 0.1
    eps: float = 1e-5
    depends_on_batch = True

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("channels",))
        if not 0 <= self.momentum <= 1 or self.eps <= 0:
            raise InputError(f"{self}: momentum must lie in [0, 1], and eps must be positive")

    def declare(self) -> dict[str, Declared]:
        C = (self.channels,)
        learned = {"gamma": Declared(C, ones), "beta": Declared(C, zeros)}
        return learned | {"running_mean": Declared(C, zeros, False), "running_var": Declared(C, ones, False)}

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[-1:] != (self.channels,):
            raise ShapeError(f"{self}: expected inputs whose last axis has {self.channels} channels, got {input_shape}")
        return input_shape

    def share(self, shard: Shard) -> None:
        """Sums are those of all rows, so that M, mean, var, dgamma and dbeta mean the same however many processes."""
        self.shard = WHOLE if shard.own_statistics else shard
        if not self.shard.is_whole:  # a GPU's kernels add up their own rows alone
            for method in ("_normalise", "_params_gradient", "_input_gradient"):
                vars(self).pop(method, None)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.training, self.M = training, self.shard.whole(x.size // self.channels)
        if training and self.M < 2:
            raise InputError(f"{self}: one value per channel has no variance; train on batches of 2 or more")
        return self._normalise(x)

    @fusible
    def _normalise(self, x: Array) -> Array:
        self._use_statistics(x)
        y = self.buffer("y", x.shape)
        self.xp.multiply(self.deviation, self._over_image(self.gamma / self.std), out=y)
        y += self._over_image(self.beta)
        return y

    def _use_statistics(self, x: Array) -> None:
        """x - mean and std, kept for the rest of the pass; in training, the running averages follow."""
        mean = self.shard.sum(self._sums(x)) / self.M if self.training else self.running_mean
        deviation = self.deviation = self.buffer("deviation", x.shape)
        self.xp.subtract(x, self._over_image(mean), out=deviation)
        var = self._var(deviation) if self.training else self.running_var
        self.std = self.xp.sqrt(var + self.eps)
        if self.training:
            unbiased = self.M / (self.M - 1) * var
            for running, batch in ((self.running_mean, mean), (self.running_var, unbiased)):
                running += self.momentum * (batch - running)

    def _var(self, deviation: Array) -> Array:
        """The mean of deviation^2. (mean(x^2) - mean^2 would save a pass but lose the digits of a small var.)"""
        return self.shard.sum(channel_sums_of_products(self.xp, deviation, deviation)) / self.M

    def _sums(self, x: Array, out: Array | None = None) -> Array:
        return channel_sums(x, work=self.buffer("sums over the batch", x.shape[1:]), out=out)

    def _over_image(self, per_channel: Array) -> Array:
        """Each channel's value at every pixel, (C,) -> (H, W, C): NumPy then runs along images, not along pixels.

        For 64 images of 14 x 14 x 32 a product takes half the time.
        """
        spread = self.buffer("spread", self.deviation.shape[1:])
        spread[...] = per_channel
        return spread

    def backward_params(self, dy: Array) -> None:
        """dgamma = sum of dy xhat      dbeta = sum of dy      (over all axes but the last)"""
        self._params_gradient(dy, self.dgamma, self.dbeta)

    def backward_input(self, dy: Array) -> Array:
        """dx = (gamma / std) (dy - dbeta / M - xhat dgamma / M)

        The last two terms are x's effect on mean and var. After a forward pass in evaluation these are constants, and
        dx = (gamma / std) dy.
        """
        return self._input_gradient(dy, *self._params_gradient(dy))

    def backward(self, dy: Array) -> Array:
        """Both from one pair of sums."""
        return self._input_gradient(dy, *self._params_gradient(dy, self.dgamma, self.dbeta))

    @fusible
    def _params_gradient(
        self, dy: Array, dgamma: Array | None = None, dbeta: Array | None = None
    ) -> tuple[Array, Array]:
        """dgamma and dbeta, in the arrays given or in new ones: the generator's step leaves D's gradients alone."""
        of_products = channel_sums_of_products(self.xp, dy, self.deviation)
        return self.xp.divide(of_products, self.std, out=dgamma), self._sums(dy, out=dbeta)

    @fusible
    def _input_gradient(self, dy: Array, dgamma: Array, dbeta: Array) -> Array:
        dx = self.buffer("dx", dy.shape)
        if not self.training:
            return self.xp.multiply(dy, self._over_image(self.gamma / self.std), out=dx)
        dgamma, dbeta = self.shard.totals(self.xp, dgamma, dbeta)
        self.xp.multiply(self.deviation, self._over_image(dgamma / (self.M * self.std)), out=dx)
        self.xp.subtract(dy, dx, out=dx)
        dx -= self._over_image(dbeta / self.M)
        dx *= self._over_image(self.gamma / self.std)
        return dx


@dataclass
class InstanceNorm(Layer):
    """y = (x - mean) / std      std = sqrt(var + eps)

    x, y: (N, H, W, C)   mean, var, std: (N, 1, 1, C), over the H W pixels of each channel of each image

    It takes away how bright a channel of an image is, and its contrast, in training and in evaluation alike: what a
    network adds after it depends less on the style that the image came in (Ulyanov et al. 2016). Unlike `BatchNorm`, it
    doesn't mix the rows of a batch. It has no parameters, as in CycleGAN: the next layer has weights of its own.
    """

    _: KW_ONLY
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.eps <= 0:
            raise InputError(f"{self}: eps must be positive")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3 or input_shape[0] * input_shape[1] < 2:
            raise ShapeError(
                f"{self}: expected inputs of shape (height, width, channels), at least 2 pixels, got {input_shape}"
            )
        return input_shape

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.buffer("y", x.shape)
        self.xp.subtract(x, self._means(x, "mean"), out=self.y)  # x - mean
        self.std = self._means_of_products(self.y, self.y, "std")
        self.std += self.eps
        self.xp.sqrt(self.std, out=self.std)  # sqrt(var + eps)
        self.y /= self.std
        return self.y

    def backward_input(self, dy: Array) -> Array:
        """dx = (dy - m(dy) - y m(dy y)) / std      m: the mean over an image's pixels

        The last two terms are x's effect on mean and var, as in `BatchNorm`.
        """
        dx = self.buffer("dx", dy.shape)
        self.xp.multiply(self.y, self._means_of_products(dy, self.y, "m(dy y)"), out=dx)
        self.xp.subtract(dy, dx, out=dx)
        dx -= self._means(dy, "m(dy)")
        dx /= self.std
        return dx

    def _means_of_products(self, x: Array, y: Array, name: str) -> Array:
        return self._means(self.xp.multiply(x, y, out=self.buffer("products", x.shape)), name)

    def _means(self, x: Array, name: str) -> Array:
        """Over the pixels: (N, H, W, C) -> (N, 1, 1, C), in the work array `name`."""
        return x.mean(axis=(1, 2), keepdims=True, out=self.buffer(name, (len(x), 1, 1, x.shape[-1])))
