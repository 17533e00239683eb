"""Rollouts: what the policy wrote, scored by everyone who has a say, as tensors of one shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from anatomia.generate.engine import Completion
from anatomia.generate.sampling import Sampling, probabilities
from anatomia.model.decoder import Decoder
from anatomia.model.packed import long_rows, packed_states, shared_states
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.cross_entropy import token_log_probabilities
from anatomia.tokens.batches import pad_sequences

ROWS = 256  # sequences written or scored at a time


@dataclass
class Rollout:
    """N sequences, padded on the right to T + 1 tokens; position t belongs to the prediction of token t + 1.

    Attributes:
        ids: int64 [N, T + 1] prompt, completion, padding.
        mask: bool [N, T] true where the predicted token is the completion's.
        finished: bool [N] whether the end token came.
        scores: [N] the reward model's, normalised, with what is deducted for a missing end token.
        logprobs, reference: [N, T] of the policy that wrote the tokens, and of the frozen reference, under the
            distribution that is drawn from.
        values, rewards, advantages, returns: [N, T].
    """

    ids: Tensor
    mask: Tensor
    finished: Tensor
    scores: Tensor
    logprobs: Tensor
    reference: Tensor
    values: Tensor
    rewards: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, index: Tensor) -> "Rollout":
        """Some of the sequences."""
        return Rollout(*(getattr(self, field.name)[index] for field in fields(self)))

    def to_state(self) -> dict[str, Tensor]:
        """As a dictionary, for checkpoints."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def lay_out(prompts: Sequence[Sequence[int]], completions: Sequence[Completion], padding: int) -> tuple[Tensor, Tensor]:
    """ids int64 [N, T + 1] and mask bool [N, T] of prompts with their completions."""
    whole = [list(prompt) + completion.ids for prompt, completion in zip(prompts, completions, strict=True)]
    ids, real = pad_sequences(whole, padding, "right")
    starts = torch.tensor([len(prompt) for prompt in prompts])
    positions = torch.arange(1, ids.shape[1])[None]
    return ids, real[:, 1:] & (positions >= starts[:, None])


PLAIN = Sampling()


def log_probabilities(
    model: Decoder, ids: Tensor, mask: Tensor, sampling: Sampling = PLAIN, groups: bool = False
) -> tuple[Tensor, Tensor]:
    """log p of each completion token under the distribution that is drawn from, with gradients, and that distribution's
    entropy, [N, T] fp32 in nats; 0 outside the mask.

    Args:
        ids: [N, T + 1] padded on the right. mask: [N, T].
        groups: whether several completions have one prompt, which is then computed once for them where that pays: where
            rows may be long, or prompts are.
    """
    states, targets = completion_states(model, ids, mask, groups), ids[:, 1:][mask]
    if sampling.plain:
        found, entropy = token_log_probabilities(states, model.output, targets)
    else:
        found, entropy = drawn_log_probabilities(states, model.output, targets, sampling)
    blank = torch.zeros(mask.shape, device=ids.device)
    return blank.masked_scatter(mask, found), blank.masked_scatter(mask, entropy)


def drawn_log_probabilities(
    states: Tensor, weight: Tensor, targets: Tensor, sampling: Sampling
) -> tuple[Tensor, Tensor]:
    """As `token_log_probabilities`, under the distribution that `sampling` draws from.

    A target that the cuts would leave out counts as one that they keep: what was drawn once keeps a probability when
    the policy, or the reference, would not draw it.

    Args:
        states: [n, width]. weight: [vocabulary, width]. targets: [n].
    """
    logits = torch.mm(states, weight.t()).to(torch.promote_types(states.dtype, torch.float32))
    with torch.no_grad():
        kept = (probabilities(logits, sampling) > 0).scatter(1, targets[:, None], True)
    logs = torch.log_softmax((logits / sampling.temperature).masked_fill(~kept, -torch.inf), -1)
    entropy = -(logs.exp() * logs.masked_fill(~kept, 0.0)).sum(-1)
    return logs.gather(1, targets[:, None]).squeeze(1), entropy


def in_parts(score: Callable[[Tensor, Tensor], Tensor], ids: Tensor, mask: Tensor) -> Tensor:
    """What `score` says of sequences, so many at a time that memory does not grow with their number. ids: [N, T + 1];
    mask: [N, T]."""
    return torch.cat([score(*part) for part in zip(ids.split(ROWS), mask.split(ROWS), strict=True)])


def values_of(critic: ScalarModel, ids: Tensor, mask: Tensor, groups: bool = False) -> Tensor:
    """[N, T] the critic's value before each completion token; 0 outside the mask. Arguments as above."""
    values = critic.read(completion_states(critic.decoder, ids, mask, groups))
    return torch.zeros(mask.shape, device=ids.device).masked_scatter(mask, values)


def completion_states(model: Decoder, ids: Tensor, mask: Tensor, groups: bool) -> Tensor:
    """[mask.sum(), width] the hidden states that predict the completions' tokens. Arguments as above."""
    lengths = (mask * torch.arange(1, ids.shape[1], device=ids.device)).amax(1).clamp(min=1)
    pays = groups and (long_rows(model) or 2 * int(lengths.sum()) > 3 * int(mask.sum()))
    return (shared_states if pays else packed_states)(model, ids[:, :-1], lengths, mask)


@torch.no_grad()
def score_completions(model: ScalarModel, ids: Tensor, mask: Tensor) -> Tensor:
    """[N] the reward model's scalar at each sequence's last token. ids: [N, T + 1]; mask: [N, T]."""
    last = (mask * torch.arange(1, ids.shape[1], device=ids.device)[None]).amax(1)
    return model.at_last(ids, last + 1)
