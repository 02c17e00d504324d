"""PyTorch takes a network over with strict=True, computes the same, and gives it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nanogan import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    InputError,
    InstanceNorm,
    Layer,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    ReLU,
    Reshape,
    Sequential,
    ShapeError,
    Sigmoid,
    Skip,
    Tanh,
    Upsample,
)
from nanogan.backend import Array, Backend, Shape
from nanogan.interop import from_torch, to_torch, torch_source
from nanogan.recipes.mnist import DCGAN, VANILLA

NETWORKS: dict[str, tuple[Any, Shape]] = {
    "vanilla generator": (VANILLA.generator, (64,)),
    "vanilla discriminator": (VANILLA.discriminator, (28, 28, 1)),
    "dcgan generator": (DCGAN.generator, (64,)),
    "dcgan discriminator": (DCGAN.discriminator, (28, 28, 1)),
    "vectors that become images, and images that become vectors": (
        [
            Sequential([Linear(3, 12), BatchNorm(12), ReLU(), Reshape((3, 2, 2))]),
            Upsample(2),
            Conv2d(2, 3, 3, stride=2, padding=1),
            InstanceNorm(eps=0.1),
            Flatten(),
            BatchNorm(18),
            Dropout(0.5),
            Sigmoid(),
            Linear(18, 8, bias=False),
            Tanh(),
            Reshape((1, 2, 4)),
            ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, bias=False),
            LeakyReLU(slope=0.1),
            Flatten(),
            Linear(16, 2),
        ],
        (3,),
    ),
}


def trained(layers: Any, input_shape: Shape, backend: Backend) -> Network:
    """A network with every number another than at the start, running averages too."""
    network = Network(layers, input_shape, backend=backend, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    network.params[...] += backend.asarray(rng.normal(0, 0.1, len(network.params)).astype(np.float32))
    network.state[...] += backend.asarray(rng.uniform(0, 0.5, len(network.state)).astype(np.float32))
    return network


def channels_first(x: Array) -> Array:
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_computes_what_the_network_computes(name: str, backend: Backend) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install nanogan[interop]")
    network = trained(*NETWORKS[name], backend)
    model = eval(torch_source(network), {"nn": torch.nn})
    arrays = to_torch(network)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()}, strict=True)
    x = np.random.default_rng(2).standard_normal((5, *network.input_shape)).astype(np.float32)
    for training in (False, True) if "Dropout" not in repr(network) else (False,):
        model.train(training)
        with torch.no_grad():
            expected = model(torch.from_numpy(np.ascontiguousarray(channels_first(x)))).numpy()
        y = backend.to_host(network.forward(backend.asarray(x), training))
        np.testing.assert_allclose(channels_first(y), expected, rtol=0, atol=1e-5)
    again = Network(*NETWORKS[name], backend=backend)
    from_torch(again, model.state_dict())
    for key, value in network.state_dict().items():
        np.testing.assert_allclose(again.state_dict()[key], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back_is_the_same_network(name: str, backend: Backend) -> None:
    network = trained(*NETWORKS[name], backend)
    again = Network(*NETWORKS[name], backend=backend)
    from_torch(again, to_torch(network))
    for key, value in network.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value)


def test_names_and_shapes_are_pytorchs() -> None:
    network = Network(DCGAN.generator, 64)
    shapes = {name: value.shape for name, value in to_torch(network).items()}
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert shapes.keys() == {"0.weight", "4.weight", "7.weight", "7.bias"} | {
        f"{at}.{n}" for at in (2, 5) for n in norm
    }
    assert shapes["0.weight"] == (3136, 64)
    assert shapes["4.weight"] == (64, 32, 4, 4)
    assert shapes["5.running_var"] == (32,)
    assert shapes["5.num_batches_tracked"] == ()


def test_what_is_not_pytorchs_is_refused_and_changes_nothing() -> None:
    network = Network([Linear(2, 3), Tanh(), Linear(3, 1)], 2)
    before = network.params.copy()
    values = to_torch(network)
    with pytest.raises(ShapeError, match=r"from_torch: 2\.bias in only one of the network and the values"):
        from_torch(network, {name: value for name, value in values.items() if name != "2.bias"})
    with pytest.raises(ShapeError, match=r"from_torch: 2\.weight: expected shape \(1, 3\), got \(3, 1\)"):
        from_torch(network, values | {"0.bias": np.ones(3), "2.weight": np.ones((3, 1))})
    np.testing.assert_array_equal(network.params, before)


@pytest.mark.parametrize(
    ("layers", "input_shape", "message"),
    [
        ([Maxout(2, 3, 2)], (2,), r"Maxout.*PyTorch has no module that does this to inputs of shape \(2,\)"),
        ([Linear(2, 2), Skip([Tanh()])], (2,), r"Skip.*PyTorch has no module"),
        ([Reshape((4, 2))], (8,), r"Reshape.*PyTorch has no module"),
        ([BatchNorm(2)], (8, 2), r"BatchNorm.*PyTorch has no module"),
        ([Reshape((2, 1, 4))], (8,), r"Reshape.*PyTorch makes another image of this vector"),
    ],
)
def test_a_layer_without_counterpart_is_named(layers: list[Layer], input_shape: Shape, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_torch(Network(layers, input_shape))
