"""Layers that know the class of each row of the batch: what makes a GAN draw the digit that is asked for.

Labels travel beside x, as one array of whole numbers (N,), 0 ... classes - 1:

    fake = G.forward(z, labels=labels)

The network hands them to its layers that use them, as `self.labels`, before any layer runs. So a layer's three methods
keep their form, and no derivative is taken with respect to a label. Each of these layers holds a table with one row per
class, and each uses it in two ways:

    forward     the row of n's class       table[c_n], a row gathered for each n
    backward    dtable = C^T drows         C_nc = [c_n = c], so that c gets the sum over all n of class c

The first is C table, written as a lookup; the second is its derivative, one product, correct if a class occurs twice in
a batch and the same on every backend. `docs/conditional.md` builds a GAN of them; read `recipes/conditional.py` next.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from .backend import Array, Shape
from .errors import ShapeError
from .initializers import DEFAULT_INIT, Init, Normal, ones, zeros
from .layer import Declared, Layer, expect_shape
from .norm import BatchNorm
from .settings import check_fields


class ByClass(Layer):
    """Base of the layers that use labels. tables: the names of its arrays with a row for each class."""

    uses_labels = True
    tables: ClassVar[tuple[str, ...]] = ("E",)

    def row_of_class(self, name: str, table: Array) -> Array:
        """table[c_n] for every n: (N, ...), in the work array `name`."""
        return self.backend.take_rows(table, self.labels, out=self.buffer(name, (len(self.labels), *table.shape[1:])))

    def sums_by_class(self, rows: Array, out: Array) -> Array:
        """out_c = the sum of rows_n, (N, n), over all n of class c: C^T rows."""
        one_hot = self.buffer("one-hot", (len(rows), self.classes))
        self.xp.equal(self.labels[:, None], self.xp.arange(self.classes), out=one_hot)
        return self.xp.matmul(one_hot.T, rows, out=out)


@dataclass
class Embedding(ByClass):
    """y = x and E_c, side by side: z goes in together with what the generator has learned about the class.

    x: (N, n)   E: (classes, size)   c: (N,), the labels   y: (N, n + size)

    E starts normal, as z is.
    """

    classes: int
    size: int

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("classes", "size"))

    def declare(self) -> dict[str, Declared]:
        shape = (self.classes, self.size)
        return {"E": Declared(shape, Normal(1.0).weight(*shape))}

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(f"{self}: expected inputs of shape (n,), got {input_shape}")
        return (input_shape[0] + self.size,)

    def forward(self, x: Array, training: bool = True) -> Array:
        y = self.buffer("y", (len(x), x.shape[1] + self.size))
        y[:, : -self.size] = x
        y[:, -self.size :] = self.row_of_class("E of c", self.E)
        return y

    def backward_params(self, dy: Array) -> None:
        """dE = C^T dy, of the columns that E has written"""
        drows = self.buffer("drows", (len(dy), self.size))
        drows[...] = dy[:, -self.size :]
        self.sums_by_class(drows, out=self.dE)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, of the other columns"""
        dx = self.buffer("dx", (len(dy), dy.shape[1] - self.size))
        dx[...] = dy[:, : -self.size]
        return dx


@dataclass
class Projection(ByClass):
    """y = x (W + E_c / sqrt(n_in)) + b: the end of a discriminator, which asks if x is real, and if it is a c.

    x: (N, n_in)   W: (n_in)   E: (classes, n_in)   c: (N,), the labels   b: (1)   y: (N, 1)

    log p(real | x, c) / p(fake | x, c) is log p(c | x, real) / p(c | x, fake) and log p(real | x) / p(fake | x); if
    both are linear in x, this is their sum. Source: Miyato and Koyama 2018, eq. 3. Divided by sqrt(n_in), because Adam
    moves all of E_c by lr at once: without it, D reads the classes before G draws any, and has won.
    """

    n_in: int
    classes: int
    _: KW_ONLY
    init: Init = DEFAULT_INIT

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("n_in", "classes"))

    def declare(self) -> dict[str, Declared]:
        draw = self.init.weight(self.n_in, 1)
        return {
            "W": Declared((self.n_in,), draw),
            "E": Declared((self.classes, self.n_in), draw),
            "b": Declared((1,), self.init.bias(self.n_in)),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_shape(self, input_shape, (self.n_in,))
        return (1,)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        weights = self.weights = self.row_of_class("weights of c", self.E)  # W + E_c / sqrt(n_in)
        weights *= self.n_in**-0.5
        weights += self.W
        y = self._projected(x, "y")
        y += self.b
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = sum of dy x over the batch      dE = C^T (dy x) / sqrt(n_in)      db = sum of dy"""
        rows = self.xp.multiply(self.x, dy, out=self.buffer("products", self.x.shape))
        rows.sum(axis=0, out=self.dW)
        self.sums_by_class(rows, out=self.dE)
        self.xp.multiply(self.dE, self.n_in**-0.5, out=self.dE)
        dy.sum(axis=0, out=self.db)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy (W + E_c / sqrt(n_in))"""
        return self.xp.multiply(self.weights, dy, out=self.buffer("dx", self.x.shape))

    def forward_tangent(self, v: Array) -> Array:
        """v (W + E_c / sqrt(n_in)), because b doesn't move"""
        self.x = v
        return self._projected(v, "tangent")

    def _projected(self, x: Array, name: str) -> Array:
        """Each row's product with its weights, in the work array `name`."""
        products = self.xp.multiply(x, self.weights, out=self.buffer("products", x.shape))
        return products.sum(axis=1, keepdims=True, out=self.buffer(name, (len(x), 1)))


@dataclass
class ConditionalBatchNorm(ByClass, BatchNorm):
    """y = gamma_c xhat + beta_c: BatchNorm with a scale and a shift of each class's own.

    x, xhat, y: (N, C) or (N, H, W, C)   gamma, beta: (classes, C)   c: (N,), the labels

    mean and std are those of the whole batch, as in `BatchNorm`, which see. Source: de Vries et al. 2017, with values
    that are learned from the start rather than changes to those of a trained network.
    """

    classes: int
    tables: ClassVar[tuple[str, ...]] = ("gamma", "beta")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fields(self, at_least_one=("classes",))

    def declare(self) -> dict[str, Declared]:
        shape = (self.classes, self.channels)
        return super().declare() | {"gamma": Declared(shape, ones), "beta": Declared(shape, zeros)}

    def _normalise(self, x: Array) -> Array:
        self._use_statistics(x)
        scale = self.scale = self.row_of_class("gamma / std", self.gamma)
        scale /= self.std
        y = self.buffer("y", x.shape)
        self.xp.multiply(self.deviation, self._over_lines(scale), out=y)
        y += self._over_lines(self.row_of_class("beta of c", self.beta))
        return y

    def _var(self, deviation: Array) -> Array:
        """As BatchNorm has it, without its einsum, which is a product of matrices that no CUDA graph can hold."""
        products = self.xp.multiply(deviation, deviation, out=self.buffer("products", deviation.shape))
        return self.shard.sum(self._sums(products)) / self.M

    def backward_params(self, dy: Array) -> None:
        """dgamma = C^T (sum of dy xhat over the image)      dbeta = C^T (sum of dy over the image)"""
        self._table_gradients(*self._image_sums(dy))

    def backward_input(self, dy: Array) -> Array:
        """dx = s - mean of s - xhat (mean of s xhat)      s = (gamma_c / std) dy

        The means, over N, H and W, are x's effect on mean and var. After a forward pass in evaluation these are
        constants, and dx = s.
        """
        return self._input_gradient_by_class(dy, *self._image_sums(dy))

    def backward(self, dy: Array) -> Array:
        """Both from one pair of sums."""
        of_products, of_dy = self._image_sums(dy)
        self._table_gradients(of_products, of_dy)
        return self._input_gradient_by_class(dy, of_products, of_dy)

    def _image_sums(self, dy: Array) -> tuple[Array, Array]:
        """The sums of dy xhat and of dy over each image alone, (N, C) both."""
        products = self.xp.multiply(dy, self.deviation, out=self.buffer("products", dy.shape))
        of_products = self._image_sum("dy xhat", products)
        of_products /= self.std
        return of_products, self._image_sum("dy", dy)

    def _image_sum(self, name: str, x: Array) -> Array:
        """(N, H, W, C) -> (N, C): over columns of the image, then along what is left, a line."""
        if x.ndim == 2:
            return x
        n, _, width, channels = x.shape
        line = x.sum(axis=1, out=self.buffer("sum of lines", (n, width, channels)))
        return line.sum(axis=1, out=self.buffer(f"sum over the image of {name}", (n, channels)))

    def _table_gradients(self, of_products: Array, of_dy: Array) -> None:
        self.sums_by_class(of_products, out=self.dgamma)
        self.sums_by_class(of_dy, out=self.dbeta)

    def _input_gradient_by_class(self, dy: Array, of_products: Array, of_dy: Array) -> Array:
        dx = self.buffer("dx", dy.shape)
        self.xp.multiply(dy, self._over_lines(self.scale), out=dx)  # s
        if not self.training:
            return dx
        rows = self.buffer("scaled sums", self.scale.shape)
        sums = (self.xp.multiply(self.scale, of_image, out=rows).sum(axis=0) for of_image in (of_dy, of_products))
        mean, product_mean = (total / self.M for total in self.shard.totals(self.xp, *sums))
        dx -= self._over_image(mean)
        work = self.buffer("products", dy.shape)
        dx -= self.xp.multiply(self.deviation, self._over_image(product_mean / self.std), out=work)
        return dx

    def _over_lines(self, per_row: Array) -> Array:
        """Each row's values at every pixel of a line, (N, C) -> (N, 1, W, C): NumPy then runs along lines, which is as
        fast as `_over_image`."""
        if self.deviation.ndim == 2:
            return per_row
        n, _, width, channels = self.deviation.shape
        spread = self.buffer("spread over lines", (n, 1, width, channels))
        spread[...] = per_row[:, None, None, :]
        return spread
