"""Reinforcement learning: the policy writes, is scored, and is pulled towards what scored well."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import stream_seed
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import AlignmentSettings, Draft
from anatomia.objectives.policy import clipped_value_loss, masked_mean
from anatomia.objectives.rollout import ROWS, Rollout, in_parts, lay_out, log_probabilities, values_of
from anatomia.objectives.scoring import Scorer
from anatomia.train import parallel
from anatomia.train.objective import Sums

ATTEMPTS = 4  # at filling up a rollout
PASS = {"cpu": 3072}  # tokens of a forward pass, of all models that learn: more take memory and save little time
LARGE_PASS = 32768


class ActorCritic(nn.Module):
    """What is trained together: the policy and, for PPO, the critic."""

    def __init__(self, policy: Decoder, critic: ScalarModel | None) -> None:
        super().__init__()
        self.policy, self.critic = policy, critic


@dataclass(frozen=True)
class Piece:
    """Some sequences of a minibatch, their share of its tokens, their share of its loss (of tokens or of sequences,
    whichever the algorithm takes the mean of), and their share of its sequences."""

    rollout: Rollout
    share: float
    loss_share: float
    sequences: float = 1.0


Listener = Callable[[int, Rollout, Sequence[Sequence[int]]], None]


class Alignment:
    """Every algorithm whose policy writes what it learns from (`algorithms.ALGORITHMS`), over one kind of rollout.

    Args:
        prompts: token ids to draw from; each epoch over them has its own order, keyed by (seed, epoch).
        reference: the frozen policy that KL is measured against; never changed.
        scorer: says what completions are worth.
        listener: is shown every rollout (number, rollout, prompts), for specimens.
        curious: whether the listener wants to know the log-probabilities of rollout `number`. Without it, and where
            nothing else needs them before the one update does, they are 0 in the rollout that it is shown.
    """

    def __init__(
        self,
        settings: AlignmentSettings,
        prompts: Sequence[Sequence[int]],
        reference: Decoder,
        scorer: Scorer,
        seed: int,
        listener: Listener,
        curious: Callable[[int], bool] = lambda number: True,
    ) -> None:
        self.settings, self.prompts, self.seed, self.listener = settings, prompts, seed, listener
        self.curious = curious
        self.reference, self.scorer = reference.eval(), scorer
        self.rollout: Rollout | None = None
        self.figures: dict[str, float] = {}

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        assert isinstance(model, ActorCritic)
        settings = self.settings
        number, update = divmod(step, settings.updates)
        if update == 0:
            self.rollout = self.roll_out(model, number)
        assert self.rollout is not None
        epoch, part = divmod(update, settings.minibatches)
        rows = len(self.rollout.ids)
        order = np.random.default_rng([self.seed, number, epoch]).permutation(rows)
        if rows < settings.minibatches:  # little was kept: some of it serves twice
            order = np.resize(order, settings.minibatches)
        chosen = torch.from_numpy(np.array_split(order, settings.minibatches)[part])
        if settings.group > 1:  # completions of one prompt side by side, so that it is read once for them
            chosen = chosen.sort().values
        total = max(int(self.rollout.mask[chosen].sum()), 1)
        pieces = []
        for index in chosen.split(parallel.micro_rows(self.rows_per_pass(model, chosen), len(chosen))):
            piece = self.rollout.rows(index)
            share = int(piece.mask.sum()) / total
            by_tokens = settings.algorithm.mean == "tokens"
            sequences = len(index) / len(chosen)
            pieces.append(Piece(piece, share, share if by_tokens else sequences, sequences))
        return pieces

    def rows_per_pass(self, model: ActorCritic, chosen: Tensor) -> int:
        """How many of the rollout's sequences of these numbers go through the models at once."""
        if self.settings.micro:
            return self.settings.micro
        assert self.rollout is not None
        mask = self.rollout.mask[chosen]
        tokens = int((mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(1).sum())
        suiting = PASS.get(mask.device.type, LARGE_PASS) // (1 if model.critic is None else 2)
        return max(1, suiting * len(chosen) // max(tokens, 1))

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, ActorCritic)
        piece, settings = micro.rollout, self.settings
        how = settings.sampling, settings.group > 1
        figures: dict[str, Tensor | float] = {}
        if settings.once:
            with torch.no_grad():
                reference, _ = log_probabilities(self.reference, piece.ids, piece.mask, *how)
        logprobs, entropy = log_probabilities(model.policy, piece.ids, piece.mask, *how)
        if settings.once:
            piece = replace(piece, logprobs=logprobs.detach(), reference=reference)
            figures["kl"] = (piece.logprobs - reference).sum(1).mean() * micro.sequences
        policy_loss, held = settings.algorithm.loss(logprobs, piece, settings)
        loss = policy_loss * micro.loss_share
        figures |= {
            "policy_loss": policy_loss.detach() * micro.loss_share,
            "clip_fraction": held * micro.share,
            "entropy": masked_mean(entropy.detach(), piece.mask) * micro.share,
        }
        if model.critic is not None:
            values = values_of(model.critic, piece.ids, piece.mask, settings.group > 1)
            value_loss = clipped_value_loss(values, piece.values, piece.returns, piece.mask)
            loss = (policy_loss + settings.value * value_loss) * micro.share
            figures["value_loss"] = value_loss.detach() * micro.share
        return loss, figures | {"tokens": float(piece.mask.sum())}

    @torch.no_grad()
    def roll_out(self, model: ActorCritic, number: int) -> Rollout:
        """Write completions to the prompts of rollout `number`, score them and give credit; what is learnt from."""
        settings, algorithm = self.settings, self.settings.algorithm
        model.eval()
        prompts, completions, raw, scores = self.write(model.policy, number)
        device = raw.device
        ids, mask = (tensor.to(device) for tensor in lay_out(prompts, completions, model.policy.config.padding or 0))
        finished = torch.tensor([completion.finished for completion in completions], device=device)
        values = torch.zeros(mask.shape, device=device)
        logprobs = reference = values
        if not settings.once or self.curious(number):
            logprobs, reference = (self.log_probabilities(one, ids, mask) for one in (model.policy, self.reference))
        if (critic := model.critic) is not None:
            values = in_parts(lambda some, real: values_of(critic, some, real, settings.group > 1), ids, mask)
        credit = algorithm.credit(Draft(mask, scores, logprobs, reference, values), settings)
        model.train()
        rollout = Rollout(ids, mask, finished, scores, logprobs, reference, values, *credit)
        self.figures = {
            "score": float(raw.mean()),
            "reward": float(rollout.rewards.sum(1).mean()),
            **({} if settings.once else {"kl": float(((logprobs - reference) * mask).sum(1).mean())}),
            "length": float(mask.sum(1).float().mean()),
            "finished": float(finished.float().mean()),
        }
        self.listener(number, rollout, prompts)
        return self.kept(rollout)

    def log_probabilities(self, model: Decoder, ids: Tensor, mask: Tensor) -> Tensor:
        """[N, T] of what was written, under the distribution that a model draws from."""
        how = self.settings.sampling, self.settings.group > 1
        return in_parts(lambda some, real: log_probabilities(model, some, real, *how)[0], ids, mask)

    def write(self, policy: Decoder, number: int) -> tuple[list[Sequence[int]], list[Completion], Tensor, Tensor]:
        """The prompts of rollout `number`, each as often as it has completions, these, and their scores [N], before and
        after deductions. Other prompts follow where the algorithm replaces those that nothing is kept of."""
        settings, algorithm = self.settings, self.settings.algorithm
        prompts: list[Sequence[int]] = []
        completions: list[Completion] = []
        found: list[tuple[Tensor, Tensor]] = []
        wanted = settings.prompts * settings.group
        for attempt in range(ATTEMPTS if algorithm.refill else 1):
            asked = [self.prompts[index] for index in self.order(number, attempt) for _ in range(settings.group)]
            written = self.complete(policy, asked, ("rollout", number, *([attempt] if attempt else [])))
            raw = self.scorer(asked, written)
            finished = torch.tensor([completion.finished for completion in written], device=raw.device)
            lengths = torch.tensor([len(completion.ids) for completion in written], device=raw.device)
            scores = raw - settings.unfinished * algorithm.deduct(finished, lengths, settings)
            prompts, completions = prompts + asked, completions + written
            found.append((raw, scores))
            wanted -= int(algorithm.keep(scores, settings.group).sum()) if algorithm.keep else wanted
            if wanted <= 0:
                break
        raws, deducted = zip(*found, strict=True)
        return prompts, completions, torch.cat(raws), torch.cat(deducted)

    def complete(
        self, policy: Decoder, prompts: Sequence[Sequence[int]], stream: tuple[str | int, ...]
    ) -> list[Completion]:
        """A completion to each prompt, from a stream of random numbers of that name."""
        seeds = [stream_seed(self.seed, *stream, place) for place in range(len(prompts))]

        def write(part: Sequence[int]) -> Sequence[Completion]:
            mine = [prompts[place] for place in part], [seeds[place] for place in part]
            return generate(policy, *mine, self.settings.sampling, rows=min(len(part), ROWS))

        return parallel.divided(write, range(len(prompts)))

    def kept(self, rollout: Rollout) -> Rollout:
        """The sequences that the algorithm learns from; all, without any advantage, where it would keep none."""
        settings = self.settings
        if settings.algorithm.keep is None:
            return rollout
        chosen = settings.algorithm.keep(rollout.scores, settings.group).nonzero().squeeze(1)
        self.figures["kept"] = len(chosen) / len(rollout.scores)
        if not len(chosen):
            return replace(rollout, advantages=torch.zeros_like(rollout.advantages))
        return rollout.rows(chosen[: settings.prompts * settings.group])

    def order(self, number: int, attempt: int = 0) -> list[int]:
        """The indices of the prompts of rollout `number`; those of a further attempt come from all of them."""
        count = len(self.prompts)
        if attempt:
            return (
                np.random.default_rng([self.seed, number, attempt, count])
                .integers(0, count, self.settings.prompts)
                .tolist()
            )
        chosen = []
        for place in range(number * self.settings.prompts, (number + 1) * self.settings.prompts):
            epoch, index = divmod(place, count)
            chosen.append(int(np.random.default_rng([self.seed, epoch]).permutation(count)[index]))
        return chosen

    def after(self, model: nn.Module, step: int) -> Sums:
        return dict(self.figures)

    def state(self) -> dict[str, Any]:
        return {"rollout": None if self.rollout is None else self.rollout.to_state(), "figures": self.figures}

    def load(self, state: dict[str, Any]) -> None:
        self.rollout = None if state["rollout"] is None else Rollout(**state["rollout"])
        self.figures = state["figures"]
