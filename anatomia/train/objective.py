"""What the loop asks of an objective."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

M = TypeVar("M")
Sums = dict[str, float]


class Objective(Protocol[M]):
    """Turns (model, data of a step) into a loss.

    Where the data come from, a shard or a rollout of the policy, is its own affair; the only rule is that they depend
    on the seed, the step, the model and the state it saves, and on nothing else.
    """

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[M]:
        """The data of step `step`, in pieces whose losses and metrics add up to the step's."""

    def loss(self, model: nn.Module, micro: M) -> tuple[Tensor, dict[str, Tensor | float]]:
        """This piece's share of the step's loss, and of its metrics."""

    def after(self, model: nn.Module, step: int) -> Sums:
        """Called after the update of step `step` (counted from 0): validation, samples. Returns metrics of its own."""

    def state(self) -> dict[str, Any]:
        """What it must remember over a restart, as tensors and plain values."""

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state saved before."""
