"""The nonlinearities of feed-forwards, by the names that config.json has for them."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor

GELU_TANH = partial(F.gelu, approximate="tanh")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "swish": F.silu,
    "gelu": F.gelu,
    "gelu_new": GELU_TANH,
    "gelu_pytorch_tanh": GELU_TANH,
    "relu": F.relu,
}
