"""Next-token training: what carries loss, what padding costs, what the hook may do."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from model.tiny import decoder, tokens
from train.learning import next_token

from anatomia.objectives.next_token import NextToken, batch_loss
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard


def dialogues() -> tuple[list[torch.Tensor], list[torch.Tensor], Packed]:
    """Documents in which only the second half carries loss, as in fine-tuning."""
    ids = [tokens(length, seed=length) for length in (10, 6, 13, 4)]
    weights = [(torch.arange(len(part)) >= len(part) // 2).long() for part in ids]
    starts = np.cumsum([0, *map(len, ids)])
    shard = Shard(torch.cat(ids).numpy(), starts, torch.cat(weights).numpy().astype(np.uint8))
    data = Packed(shard, 16, 2, 0, 0)
    assert data.steps_per_epoch == 1
    return ids, weights, data


@pytest.mark.parametrize("micro", [2, 1])
def test_the_loss_is_the_mean_over_what_the_assistant_says(micro: int) -> None:
    ids, weights, data = dialogues()
    model = decoder()
    pieces = NextToken(data, micro, lambda model, step: {}).micro_batches(model, 0)
    mine = sum(NextToken.loss(next_token(), model, piece)[0] for piece in pieces)
    losses = [F.cross_entropy(model(part[None, :-1])[0], part[1:], reduction="none") for part in ids]
    wanted = torch.cat(losses)[torch.cat([weight[1:] for weight in weights]) > 0]
    assert float(mine.detach()) == pytest.approx(float(wanted.mean().detach()), rel=1e-5)  # type: ignore[union-attr]


def test_padding_and_prompts_carry_no_loss() -> None:
    """Other targets where the weight is 0 change neither the loss nor its gradient."""
    _, _, data = dialogues()
    model, batch = decoder(), data.batch(0)
    loss = batch_loss(model, batch, batch.weights)
    gradient = torch.autograd.grad(loss, model.embedding)[0]
    batch.targets[batch.weights == 0] = 17
    batch.ids[batch.documents < 0] = 23
    other = batch_loss(model, batch, batch.weights)
    assert loss.item() == other.item()
    assert torch.allclose(gradient, torch.autograd.grad(other, model.embedding)[0], atol=1e-6)


def test_a_batch_without_any_loss_is_no_division_by_nothing() -> None:
    _, _, data = dialogues()
    model = decoder()
    objective = NextToken(data, 3, lambda model, step: {})
    batch = data.batch(0)
    assert batch_loss(model, batch, torch.zeros_like(batch.weights)).item() == 0.0
    assert all(piece.total > 0 for piece in objective.micro_batches(model, 0))
