"""The decoding loop: prompts in, completions out, in batches sorted by length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.generate.sampling import Sampling, choose, uniform
from anatomia.model.attention import HIDDEN, causal_mask
from anatomia.model.decoder import Decoder


@dataclass
class Completion:
    """What the model wrote after a prompt.

    Attributes:
        ids: token ids, the end token included if it came.
        logprobs: log p of each token under the model's plain distribution, in nats.
        finished: whether an end token came before the length ran out.
    """

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False


@dataclass(frozen=True)
class Step:
    """One token for each of the n sequences still running.

    Attributes:
        rows: [n] indices into the prompts. ids, logprobs: [n]. logits: [n, V] fp32.
    """

    rows: list[int]
    ids: list[int]
    logprobs: list[float]
    logits: Tensor


def generate(
    model: Decoder, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling, rows: int = 64
) -> list[Completion]:
    """A completion for each prompt, at most `rows` at a time, prompts of like length together.

    Args:
        prompts: token ids; a prompt may stand there several times.
        seeds: one per prompt; the same (model, prompt, seed, sampling) gives the same completion in any batch, up to
            rounding in the logits.

    Raises:
        UserError: a prompt leaves no room in the model's context.
    """
    completions = [Completion() for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        for step in decode(model, [prompts[i] for i in chosen], [seeds[i] for i in chosen], sampling):
            for row, token, logprob in zip(step.rows, step.ids, step.logprobs, strict=True):
                completion = completions[chosen[row]]
                completion.ids.append(token)
                completion.logprobs.append(logprob)
                completion.finished = token in model.config.end
    return completions


@torch.inference_mode()
def decode(
    model: Decoder, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling
) -> Iterator[Step]:
    """Decode one batch, a step at a time, until every sequence has ended. Sequences that ended leave the batch."""
    longest = max(len(prompt) for prompt in prompts)
    rooms = np.asarray([min(sampling.max_new, model.config.context - len(prompt)) for prompt in prompts])
    if rooms.min() < 1 or min(len(prompt) for prompt in prompts) < 1:
        raise UserError(
            f"a prompt of {longest} tokens leaves no room in the model's context of {model.config.context}; shorten it"
        )
    ids, positions, padding = left_pad(prompts, model)
    mask = None if padding is None else prompt_mask(padding, longest, model)
    cache = model.cache(len(prompts), longest + int(rooms.max()))
    logits = model.hidden(ids, positions, mask, cache)[:, -1]
    active = np.arange(len(prompts))
    keys = np.asarray(seeds, dtype=np.uint64)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=ids.device)
    for position in range(int(rooms.max())):
        scores = torch.nn.functional.linear(logits, model.output).float()
        token, logprob = choose(scores, sampling, uniform(keys[active], position))
        drawn = token.tolist()
        yield Step(active.tolist(), drawn, logprob.tolist(), scores)
        has_room = (position + 1 < rooms[active]).tolist()
        running = [row for row, value in enumerate(drawn) if has_room[row] and value not in model.config.end]
        if not running:
            return
        if len(running) < len(drawn):
            kept = torch.tensor(running, device=ids.device)
            cache.keep(kept)
            token, lengths = token[kept], lengths[kept]
            padding = None if padding is None else padding[kept]
            active = active[running]
        mask = None if padding is None else step_mask(padding, cache.length + 1, model)
        logits = model.hidden(token[:, None], (lengths + position)[:, None], mask, cache)[:, -1]


def left_pad(prompts: Sequence[Sequence[int]], model: Decoder) -> tuple[Tensor, Tensor, Tensor | None]:
    """ids and positions [B, T] with the prompts at the right end, and each row's pads ([B], None if there are none)."""
    device = model.embedding.device
    longest = max(len(prompt) for prompt in prompts)
    pads = [longest - len(prompt) for prompt in prompts]
    filler = model.config.padding or 0
    rows = [[filler] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)]
    padding = torch.tensor(pads, device=device)
    positions = (torch.arange(longest, device=device)[None] - padding[:, None]).clamp(min=0)
    return torch.tensor(rows, device=device), positions, padding if any(pads) else None


def prompt_mask(padding: Tensor, length: int, model: Decoder) -> Tensor:
    """[B, T, T] causal mask that hides the pads on the left; a pad still sees itself, so that no softmax is empty."""
    dtype, device = model.embedding.dtype, model.embedding.device
    mask = causal_mask(length, length, model.config.sliding_window, dtype, device).repeat(len(padding), 1, 1)
    pads = torch.arange(length, device=device)[None] < padding[:, None]
    hidden = pads[:, None, :] & ~torch.eye(length, dtype=torch.bool, device=device)
    return mask.masked_fill_(hidden, HIDDEN)


def step_mask(padding: Tensor, seen: int, model: Decoder) -> Tensor:
    """[B, 1, S] mask for one new token: all that is cached but the pads (and what the window leaves behind)."""
    positions = torch.arange(seen, device=padding.device)[None]
    hidden = positions < padding[:, None]
    if model.config.sliding_window is not None:
        hidden = hidden | (positions <= seen - 1 - model.config.sliding_window)
    mask = torch.zeros(len(padding), 1, seen, dtype=model.embedding.dtype, device=padding.device)
    return mask.masked_fill_(hidden[:, None], HIDDEN)
