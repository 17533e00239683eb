"""The decoding loop: prompts in, completions out, in batches sorted by length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anatomia.base import machine as machines
from anatomia.base.errors import UserError
from anatomia.generate import native
from anatomia.generate.eager import EagerBatch
from anatomia.generate.sampling import Sampling, choose, occurred, uniform
from anatomia.generate.stopping import cut
from anatomia.model.decoder import Decoder
from anatomia.tokens.vocabulary import Vocabulary


@dataclass
class Completion:
    """What the model wrote after a prompt.

    Attributes:
        ids: token ids, the end token included if it came; where a stop string ended the text, up to the token that
            completed the string (`stopping.cut` gives the text before it).
        logprobs: log p of each token under the model's plain distribution, in nats.
        drawn: log p of each token under the distribution that it was drawn from, in nats.
        finished: whether an end token or a stop string came before the length ran out.
    """

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    finished: bool = False


@dataclass(frozen=True)
class Step:
    """One token for each of the n sequences still running.

    Attributes:
        rows: [n] indices into the prompts. ids: [n]. logprobs, drawn: [n], as in `Completion`. finished: [n] whether
            the sequence ends with this token. logits: [n, V] fp32, the model's own.
    """

    rows: list[int]
    ids: list[int]
    logprobs: list[float]
    drawn: list[float]
    finished: list[bool]
    logits: Tensor


def generate(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    rows: int = 64,
    vocabulary: Vocabulary | None = None,
) -> list[Completion]:
    """A completion for each prompt, at most `rows` at a time, prompts of like length together.

    Args:
        prompts: token ids. A prompt may stand there several times; within a batch it is then read once.
        seeds: one per prompt; the same (model, prompt, seed, sampling) gives the same completion in any batch, up to
            rounding in the logits.
        vocabulary: needed where sampling has stop strings.

    Raises:
        UserError: a prompt leaves no room in the model's context.
    """
    completions = [Completion() for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        for step in decode(model, [prompts[i] for i in chosen], [seeds[i] for i in chosen], sampling, vocabulary):
            for place, row in enumerate(step.rows):
                completion = completions[chosen[row]]
                completion.ids.append(step.ids[place])
                completion.logprobs.append(step.logprobs[place])
                completion.drawn.append(step.drawn[place])
                completion.finished = step.finished[place]
    return completions


@torch.inference_mode()
def decode(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    vocabulary: Vocabulary | None = None,
) -> Iterator[Step]:
    """Decode one batch, a step at a time, until every sequence has ended. Sequences that ended leave the batch."""
    rooms = np.asarray([min(sampling.max_new, model.config.context - len(prompt)) for prompt in prompts])
    if rooms.min() < 1 or min(len(prompt) for prompt in prompts) < 1:
        longest = max(len(prompt) for prompt in prompts)
        raise UserError(
            f"a prompt of {longest} tokens leaves no room in the model's context of {model.config.context}; shorten it"
        )
    batch = begin(model, prompts, int(rooms.max()))
    ended = Ending(model.config.end, sampling.stop, vocabulary, len(prompts))
    keys = np.asarray(seeds, dtype=np.uint64)
    active = np.arange(len(prompts))
    logits = batch.logits
    seen = None
    if sampling.repetition_penalty != 1:
        seen = occurred(prompts, logits.shape[-1], logits.device)
    for position in range(int(rooms.max())):
        uniforms = uniform(keys[active], position) if sampling.temperature > 0 else None
        token, plain, drawn = choose(logits, sampling, uniforms, seen)
        rows, ids = active.tolist(), token.tolist()
        finished = [ended(row, value) for row, value in zip(rows, ids, strict=True)]
        yield Step(rows, ids, plain.tolist(), drawn.tolist(), finished, logits)
        has_room = position + 1 < rooms[active]
        running = np.flatnonzero(has_room & ~np.asarray(finished))
        if not len(running):
            return
        if seen is not None:
            seen.scatter_(1, token[:, None], True)
        kept = None
        if len(running) < len(rows):
            kept = torch.from_numpy(running).to(token.device)
            token, active = token[kept], active[running]
            seen = None if seen is None else seen[kept]
        logits = batch.step(token, kept)


def begin(model: Decoder, prompts: Sequence[Sequence[int]], room: int) -> EagerBatch | native.NativeBatch:
    """The prompts, read, as a batch that goes on for at most `room` tokens: with the compiled kernel where it was
    chosen for this machine and knows such models.

    Raises:
        UserError: as `machine.kernel`.
    """
    if native.supports(model) and machines.kernel(native.kernel) is not None:
        return native.NativeBatch(model, prompts, room)
    return EagerBatch(model, prompts, room)


class Ending:
    """Tells when a text has ended: an end token came, or a stop string appeared in the text."""

    def __init__(self, end: Sequence[int], stops: Sequence[str], vocabulary: Vocabulary | None, count: int) -> None:
        if stops and vocabulary is None:
            raise ValueError("stop strings are seen in text: give a vocabulary")
        self.end, self.stops, self.vocabulary = frozenset(end), stops, vocabulary
        self.written: list[list[int]] = [[] for _ in range(count)]

    def __call__(self, row: int, token: int) -> bool:
        """Whether sequence `row` ends with `token`, which comes next in it."""
        if token in self.end:
            return True
        if self.vocabulary is None or not self.stops:
            return False
        self.written[row].append(token)
        text = self.vocabulary.decode(self.written[row])
        return len(cut(text, self.stops)) < len(text)
