"""A whole GAN in plain NumPy. Start reading here: all it takes is NumPy and the chain rule.

Two networks play a game (Goodfellow et al. 2014). The generator G turns random numbers z into an image. The
discriminator D turns an image into a logit: sigmoid(logit) is the probability that it is real. Each trains in turn:

    D learns to say 1 to real images and 0 to fake ones: its loss is bce(D(real), 1) + bce(D(fake), 0), fake = G(z)
    G learns to draw images to which D says 1:           its loss is bce(D(fake), 1)

Everywhere dx means d(loss)/dx; dy, dW, db, dlogits likewise. Forward, a layer computes y from x. Backward, it is given
dy and computes dx, which is dy for the layer before it: the chain rule.
"""

import numpy as np

Array = np.ndarray
BATCH, NOISE = 64, 64  # images per step, random numbers per image


class Linear:  # y = x W + b    x: (N, n_in)   W: (n_in, n_out)   b: (n_out)   y: (N, n_out)
    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator) -> None:
        k = 1 / np.sqrt(n_in)  # smaller if more numbers are summed, so that y is about as large as x
        self.W = rng.uniform(-k, k, (n_in, n_out)).astype(np.float32)
        self.b = rng.uniform(-k, k, n_out).astype(np.float32)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)  # for Adam to read

    def forward(self, x: Array) -> Array:
        self.x = x  # dW needs it
        return x @ self.W + self.b

    def backward_params(self, dy: Array) -> None:
        self.dW[...] = self.x.T @ dy  # dW_ij = sum over n of x_ni dy_nj
        self.db[...] = dy.sum(axis=0)  # db_j = sum over n of dy_nj

    def backward_input(self, dy: Array) -> Array:
        return dy @ self.W.T  # dx_ni = sum over j of dy_nj W_ij


class ReLU:  # y = x if x > 0, else slope x
    def __init__(self, slope: float = 0.0) -> None:
        self.slope = slope  # more than 0 makes it a LeakyReLU

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward_input(self, dy: Array) -> Array:
        return np.where(self.x > 0, dy, self.slope * dy)  # dx = dy if x > 0, else slope dy


class Tanh:  # y = tanh(x), between -1 and 1, like the pixels
    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward_input(self, dy: Array) -> Array:
        return dy * (1 - self.y**2)  # dx = dy (1 - y^2), because tanh' = 1 - tanh^2


class Network:  # y = layer_n(... layer_2(layer_1(x)))
    def __init__(self, layers: list) -> None:
        self.layers = layers
        linears = [layer for layer in layers if isinstance(layer, Linear)]  # the only layers that learn
        self.params = [p for layer in linears for p in (layer.W, layer.b)]
        self.grads = [g for layer in linears for g in (layer.dW, layer.db)]

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward_params(self, dy: Array) -> None:  # every dW and db; dx is dy for the layer before
        for layer in reversed(self.layers):
            if isinstance(layer, Linear):
                layer.backward_params(dy)
            dy = layer.backward_input(dy)

    def backward_input(self, dy: Array) -> Array:  # dx alone: no layer's dW and db are computed
        for layer in reversed(self.layers):
            dy = layer.backward_input(dy)
        return dy


def bce_with_logits(x: Array, t: float) -> tuple[float, Array]:  # the loss of logits x, and dx. t: 1 real, 0 fake
    # binary cross-entropy: -t log p - (1 - t) log(1 - p) = log(1 + e^x) - t x, where p = sigmoid(x) = 1 / (1 + e^-x)
    p = np.exp(-np.logaddexp(0, -x))  # logaddexp(0, x) is log(1 + e^x) without overflow
    return np.mean(np.logaddexp(0, x) - t * x), (p - t) / len(x)  # d/dx log(1 + e^x) = p; the mean divides by N


class Adam:  # Kingma and Ba 2015: a step moves every parameter by about lr, however large or small its gradient is
    def __init__(self, network: Network, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.network, self.lr, self.beta1, self.beta2, self.eps, self.t = network, lr, beta1, beta2, eps, 0
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in network.params]  # means of g and of g^2

    def step(self) -> None:
        self.t += 1
        for p, g, (m, v) in zip(self.network.params, self.network.grads, self.moments, strict=True):
            m[...] = self.beta1 * m + (1 - self.beta1) * g
            v[...] = self.beta2 * v + (1 - self.beta2) * g**2
            m_hat = m / (1 - self.beta1**self.t)  # m and v start at 0: without this, the first means are too small
            v_hat = v / (1 - self.beta2**self.t)
            p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def discriminator_step(G: Network, D: Network, D_adam: Adam, real: Array, z: Array) -> float:
    fake = G.forward(z)  # to D just an array: nothing calls G.backward_params here, so G gets no gradient
    real_logits, fake_logits = np.split(D.forward(np.concatenate([real, fake])), 2)
    real_loss, dreal_logits = bce_with_logits(real_logits, 1)
    fake_loss, dfake_logits = bce_with_logits(fake_logits, 0)
    D.backward_params(np.concatenate([dreal_logits, dfake_logits]))
    D_adam.step()
    return real_loss + fake_loss


def generator_step(G: Network, D: Network, G_adam: Adam, z: Array) -> float:
    fake = G.forward(z)
    loss, dlogits = bce_with_logits(D.forward(fake), 1)  # 1: G wants its images to be taken for real
    dfake = D.backward_input(dlogits)  # the gradient flows through D, and D's own gradients are never computed
    G.backward_params(dfake)
    G_adam.step()
    return loss


def train(images: Array, epochs: int, rng: np.random.Generator) -> Network:
    G = Network([Linear(NOISE, 256, rng), ReLU(), Linear(256, 256, rng), ReLU(), Linear(256, 784, rng), Tanh()])
    D = Network([Linear(784, 256, rng), ReLU(0.2), Linear(256, 256, rng), ReLU(0.2), Linear(256, 1, rng)])
    G_adam, D_adam = (Adam(network, lr=1e-3, beta1=0.5) for network in (G, D))  # as Radford et al. 2016
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(images))[: len(images) // BATCH * BATCH]  # whole batches
        for rows in order.reshape(-1, BATCH):
            z, z_again = rng.standard_normal((2, BATCH, NOISE), dtype=np.float32)
            d_loss = discriminator_step(G, D, D_adam, images[rows], z)
            g_loss = generator_step(G, D, G_adam, z_again)
        print(f"epoch {epoch}/{epochs}  D {d_loss:.2f}  G {g_loss:.2f}", flush=True)
    return G


if __name__ == "__main__":  # python -m nanogan.plain 10: train for 10 epochs on MNIST, then draw 64 digits
    import argparse

    from .data.images import load_mnist
    from .io.plots import save_grid

    parser = argparse.ArgumentParser()
    parser.add_argument("epochs", nargs="?", type=int, default=10)
    rng = np.random.default_rng(0)
    images, _ = load_mnist()  # pixels between -1 and 1
    G = train(images.reshape(-1, 784), parser.parse_args().epochs, rng)
    fake = G.forward(rng.standard_normal((64, NOISE), dtype=np.float32))
    save_grid("plain.png", (fake.reshape(64, 28, 28, 1) + 1) / 2)
    print("The digits are in plain.png. Read layer.py next.")
