"""A trained network for PyTorch, and back: the same numbers under PyTorch's names, in PyTorch's shapes and order.

    print(interop.torch_source(G))      # the nn.Sequential that computes what G computes, as Python source
    numpy.savez("generator.npz", **interop.to_torch(G))

and, where there is PyTorch,

    model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()}, strict=True)
    model.eval()

Nothing here imports torch. Three things differ. PyTorch's images are channels-first: give the model (N, C, H, W), that
is x.transpose(0, 3, 1, 2), and expect images of that kind. Its weights lie the other way round. And a vector that was
an image or will be one (after `Flatten`, before `Reshape`) has its numbers in another order, so the weights and
statistics of layers that read or write such a vector change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import Array, Shape
from .conv import Conv2d, ConvTranspose2d
from .errors import InputError, ShapeError
from .layer import Layer
from .layers import Dropout, LeakyReLU, Linear, ReLU, Sigmoid, Tanh
from .network import Network, Sequential, Skip
from .norm import BatchNorm, InstanceNorm
from .reshape import Flatten, Reshape, Upsample

COUNTER = "num_batches_tracked"  # PyTorch's BatchNorm keeps it, and uses it only where its momentum is None


def to_torch(network: Network) -> dict[str, Array]:
    """The network's parameters and state as new host arrays, named and shaped as in the `state_dict` of its model.

    Raises InputError for a layer that PyTorch has no module for, such as Maxout or Skip.
    """
    own = network.state_dict()
    values = {match.torch_name: own[match.name].ravel()[match.places] for match in _matches(network)}
    counters = [name.replace("running_var", COUNTER) for name in values if name.endswith("running_var")]
    return values | {name: np.array(0) for name in counters}


def from_torch(network: Network, values: Mapping[str, Any]) -> None:
    """Take over what `to_torch` gave, or the `state_dict()` of the network's model: arrays, or tensors on the CPU.

    Raises InputError as `to_torch` does, and ShapeError, with nothing changed, where names or shapes differ.
    """
    matches = {match.torch_name: match for match in _matches(network)}
    given = {name: np.asarray(value) for name, value in values.items() if not name.endswith(COUNTER)}
    if differing := matches.keys() ^ given.keys():
        raise ShapeError(f"from_torch: {', '.join(sorted(differing))} in only one of the network and the values")
    own = network.state_dict()
    for name, match in matches.items():
        if given[name].shape != match.places.shape:
            raise ShapeError(f"from_torch: {name}: expected shape {match.places.shape}, got {given[name].shape}")
        own[match.name].reshape(-1)[match.places] = given[name]
    network.load_state_dict(own)


def torch_source(network: Network) -> str:
    """The model in PyTorch that computes what the network does, as source: "nn.Sequential(nn.Linear(64, 256), ...)".

    Raises InputError as `to_torch` does.
    """
    return _source(network, network.input_shape)


# ---- modules


def _source(layer: Layer, shape: Shape) -> str:
    """PyTorch's module for a layer whose inputs have this shape."""
    match layer:
        case Sequential() if not isinstance(layer, Skip):
            modules = []
            for inner in layer.layers:
                modules.append(_source(inner, shape))
                shape = inner.output_shape(shape)
            return f"nn.Sequential({', '.join(modules)})"
        case Linear():
            return f"nn.Linear({layer.n_in}, {layer.n_out}, bias={layer.bias})"
        case Conv2d():
            return f"nn.Conv2d({_geometry(layer)})"
        case ConvTranspose2d():
            return f"nn.ConvTranspose2d({_geometry(layer)}, output_padding={layer.output_padding})"
        case BatchNorm() if len(shape) in (1, 3):
            kind = "BatchNorm1d" if len(shape) == 1 else "BatchNorm2d"
            return f"nn.{kind}({layer.channels}, momentum={layer.momentum}, eps={layer.eps})"
        case InstanceNorm():
            return f"nn.InstanceNorm2d({shape[-1]}, eps={layer.eps})"
        case Reshape(shape=(height, width, channels)) if len(shape) == 1:
            return f"nn.Unflatten(1, ({channels}, {height}, {width}))"
        case Flatten():
            return "nn.Flatten()"
        case LeakyReLU():
            return f"nn.LeakyReLU({layer.slope})"
        case Dropout():
            return f"nn.Dropout({layer.p})"
        case Upsample():
            return f"nn.Upsample(scale_factor={layer.factor})"
        case ReLU() | Tanh() | Sigmoid():
            return f"nn.{type(layer).__name__}()"
    raise InputError(f"{layer}: PyTorch has no module that does this to inputs of shape {shape}")


def _geometry(layer: Conv2d | ConvTranspose2d) -> str:
    sizes = f"{layer.c_in}, {layer.c_out}, {layer.kernel}"
    return f"{sizes}, stride={layer.stride}, padding={layer.padding}, bias={layer.bias}"


# ---- numbers


@dataclass(frozen=True)
class _Match:
    """An array of the network's, its name in PyTorch, and for each of PyTorch's numbers its place in the array."""

    name: str
    torch_name: str
    places: Array


def _matches(network: Network) -> list[_Match]:
    """How all the network's arrays correspond, in order."""
    _source(network, network.input_shape)  # every layer has a module, or this raises
    layers = list(_flat(network))
    shape, order = network.input_shape, np.arange(network.input_shape[0])  # order: of vectors, unused for images
    matches = []
    for at, (prefix, layer) in enumerate(layers):
        after = order
        if isinstance(layer, Flatten) and len(shape) == 3:
            after = _channels_first(shape)
        elif isinstance(layer, Linear):
            after = _order_that_is_read(layer.n_out, [layer for _, layer in layers[at + 1 :]])
        elif isinstance(layer, Reshape) and (order != _channels_first(layer.shape)).any():
            raise InputError(f"{layer}: PyTorch makes another image of this vector; begin it with a Linear layer")
        for name, places in _places(layer, shape, order, after).items():
            matches.append(_Match(prefix + name, prefix + TORCH_NAMES.get(name, name), places))
        shape, order = layer.output_shape(shape), after
    return matches


TORCH_NAMES = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}


def _flat(sequence: Sequential, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers in order, also those in an inner Sequential, with what their arrays' names begin with."""
    for position, layer in enumerate(sequence.layers):
        if isinstance(layer, Sequential):
            yield from _flat(layer, f"{prefix}{position}.")
        else:
            yield f"{prefix}{position}.", layer


def _channels_first(shape: Shape) -> Array:
    """Where in an image (H, W, C), as a vector, the numbers of (C, H, W) lie."""
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(2, 0, 1).ravel()


def _order_that_is_read(size: int, layers: Sequence[Layer]) -> Array:
    """The order in which PyTorch wants a vector that goes into these layers: that of the image it becomes, if any."""
    for layer in layers:
        if isinstance(layer, Reshape):
            return _channels_first(layer.shape)
        if not isinstance(layer, (ReLU, LeakyReLU, Tanh, Sigmoid, Dropout, BatchNorm)):
            break
    return np.arange(size)


def _places(layer: Layer, shape: Shape, order: Array, after: Array) -> dict[str, Array]:
    """For each array of a layer the places of PyTorch's numbers in it, for vectors in these orders before and after.

    They are found by doing to an array of places what is to be done to the array.
    """
    places: dict[str, Array] = {
        name: np.arange(array.size).reshape(array.shape) for name, array in layer.arrays().items()
    }
    if isinstance(layer, Linear):
        places["W"] = places["W"][order][:, after].T
        return {name: place[after] if name == "b" else place for name, place in places.items()}
    if isinstance(layer, (Conv2d, ConvTranspose2d)):
        kernel = (layer.kernel, layer.kernel)
        places["W"] = places["W"].reshape(*kernel, -1, layer.W.shape[1]).transpose(3, 2, 0, 1)
    elif isinstance(layer, BatchNorm) and len(shape) == 1:
        places = {name: place[order] for name, place in places.items()}
    return places
