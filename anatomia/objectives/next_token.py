"""Next-token prediction: pretraining on documents and fine-tuning on dialogues are the same objective."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from anatomia.model.attention import document_reach
from anatomia.model.decoder import Decoder
from anatomia.objectives.cross_entropy import linear_cross_entropy
from anatomia.tokens.batches import Batch, Packed
from anatomia.train import parallel
from anatomia.train.objective import Sums

Hook = Callable[[nn.Module, int], Sums]

PASS = {"cpu": 2048}  # tokens of a forward pass; with more, what is kept for the way back leaves the caches
LARGE_PASS = 32768
GRAIN = 256  # positions by which passes differ: memory of ever other sizes would not be found again


@dataclass(frozen=True)
class Piece:
    """Some rows of a step's batch, and the step's total loss weight, so that the pieces' losses add up to its mean."""

    batch: Batch
    total: float


class NextToken:
    """Mean cross-entropy over the positions that carry loss, on packed rows whose documents do not see each other.

    Args:
        data: gives the batch of each step.
        micro_rows: rows per forward pass, 0 for as many as suit the device; changes memory, not the result beyond
            rounding.
        hook: called after each step (validation, samples); returns metrics.
    """

    def __init__(self, data: Packed, micro_rows: int, hook: Hook) -> None:
        self.data, self.micro_rows, self.hook = data, micro_rows, hook

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        batch = self.data.batch(step)
        total = max(float(batch.weights.sum()), 1.0)
        suiting = pass_of(model) // self.data.context
        count = parallel.micro_rows(self.micro_rows or max(suiting, 1), batch.ids.shape[0])
        starts = range(0, batch.ids.shape[0], count)
        return [Piece(rows(batch, start, start + count), total) for start in starts]

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, Decoder)
        loss = batch_loss(model, micro.batch, micro.batch.weights / micro.total)
        return loss, {"tokens": float((micro.batch.documents >= 0).sum())}

    def after(self, model: nn.Module, step: int) -> Sums:
        return self.hook(model, step)

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: dict[str, Any]) -> None:
        pass


def pass_of(model: nn.Module) -> int:
    """How many tokens of a forward pass suit the device that a model is on."""
    return PASS.get(next(model.parameters()).device.type, LARGE_PASS)


def batch_loss(model: Decoder, batch: Batch, weights: Tensor) -> Tensor:
    """Σ weights · (-log p(target)) over a packed batch, in nats, where the model is. weights: [B, T] fp32."""
    device = model.embedding.device
    reach = document_reach(batch.documents.to(device), model.config.sliding_window)
    targets, weights = batch.targets.to(device).flatten(), weights.to(device).flatten()
    wanted = places_of_loss(weights)
    if wanted is not None:
        targets, weights = targets[wanted], weights[wanted]
    hidden = model.hidden(batch.ids.to(device), batch.positions.to(device), reach, wanted=wanted)
    return linear_cross_entropy(hidden.view(-1, hidden.shape[-1]), model.output, targets, weights)


def places_of_loss(weights: Tensor) -> Tensor | None:
    """int64 [N] the places whose weights [all] are not 0, in order, and as many others as make N a multiple of `GRAIN`;
    None where that is all."""
    count = -(-max(int(weights.count_nonzero()), 1) // GRAIN) * GRAIN
    if count >= len(weights):
        return None
    return (weights == 0).sort(stable=True).indices[:count].sort().values


def rows(batch: Batch, start: int, stop: int) -> Batch:
    """Rows `start` to `stop` of a batch."""
    span = slice(start, stop)
    return Batch(
        batch.ids[span], batch.targets[span], batch.weights[span], batch.positions[span], batch.documents[span]
    )
