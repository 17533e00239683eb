"""AdamW and Muon over one flat fp32 master copy of all weights; the model itself is in the machine's fast dtype."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from anatomia.train import parallel
from anatomia.train.layout import Layout
from anatomia.train.muon import orthogonalise
from anatomia.train.parallel import Sharing
from anatomia.train.pieces import Pieces, fill
from anatomia.train.shared import SharedWeights
from anatomia.train.whole import WholeWeights

T = TypeVar("T")
MOMENTS = ("exp_avg", "exp_avg_sq")  # as torch calls them


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2). Norm gains and biases are not decayed.

    Attributes:
        muon: whether matrices inside the blocks are updated by Muon instead (Jordan et al. 2024), scaled so that its
            steps are as large as AdamW's and one learning rate serves both (Liu et al. 2025, Moonlight, section 2.2).
            Embeddings, norms and biases stay with AdamW.
    """

    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0
    muon: bool = False
    momentum: float = 0.95


class FlatOptimizer:
    """Owns the weights of `model` while it trains.

    Masters and moments are flat fp32, so that a step is a handful of operations whatever the number of tensors. Each of
    several processes keeps its own part of them (ZeRO, Rajbhandari et al. 2020, section 5.1), updates it, and gives the
    new weights to the others. All processes begin with the first one's weights, and call all methods together.

    Attributes:
        working: the weights that the model computes with, in `dtype`, and their gradients.
        masters, gradients: this process's part of the matrices that Muon turns, and of all other numbers.
    """

    def __init__(
        self, model: nn.Module, settings: OptimizerSettings, dtype: torch.dtype, sharing: Sharing | None = None
    ) -> None:
        self.model, self.settings, self.dtype = model, settings, dtype
        sharing = self.sharing = sharing or Sharing(parallel.everyone())
        circle = self.circle = sharing.circle
        layout = self.layout = Layout(model, settings.muon, len(circle.ranks), uncut=sharing.split)
        for p in model.parameters():
            parallel.spread(p.data)
        for p in model.parameters():
            if not p.requires_grad:
                p.data = p.data.to(dtype)
        spans = layout.spans(circle.own)
        self.working: WholeWeights | SharedWeights
        if sharing.weights:
            self.masters = [layout.read(span) for span in spans]
            self.working = SharedWeights(model, layout, sharing, self.masters, dtype)
        elif parallel.size() == 1 and dtype == torch.float32:  # masters are what the model computes with
            self.working = whole = WholeWeights(model, layout, circle, dtype)
            self.masters = [whole.weights[span] for span in spans]
        else:
            self.masters = [layout.read(span) for span in spans]
            self.working = WholeWeights(model, layout, circle, dtype, sharing.early)
        self.gradients = self.working.gradients
        self.momentum = torch.zeros_like(self.masters[0])
        self.stacks = layout.stacks(circle.own)
        self.updates = 0
        border = min(max(layout.decayed, spans[1].start), spans[1].stop) - spans[1].start
        self.leaves = self.masters[1][:border], self.masters[1][border:]
        for leaf, gradient in zip(self.leaves, self.gradients[1].split((border, len(self.leaves[1]))), strict=True):
            leaf.grad = gradient
        decays = settings.weight_decay, 0.0
        groups = [{"params": [leaf], "weight_decay": decay} for leaf, decay in zip(self.leaves, decays, strict=True)]
        betas = (settings.beta1, settings.beta2)
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=settings.eps, fused=True)
        for leaf in self.leaves:
            begun = torch.zeros((), dtype=torch.float32, device=leaf.device)
            moments = {name: torch.zeros_like(leaf) for name in MOMENTS}
            self.adam.state[leaf] = {"step": begun, **moments}

    @property
    def gradient(self) -> Tensor:
        """The step's gradient; of several processes each has only its own parts of it."""
        return self.working.gradient

    def accumulate(self) -> None:
        """Add the gradients of one micro-batch to the step's sum."""
        self.working.accumulate()

    def close(self) -> None:
        """The next micro-batch is this process's last of the step."""
        self.working.close()

    def collect(self) -> None:
        """Sum the gradients of all processes, after the step's last micro-batch."""
        self.working.collect()

    def norm(self) -> float:
        """The L2 norm of the step's summed gradient."""
        if len(self.circle.ranks) == 1:
            return float(torch.linalg.vector_norm(self.gradient))
        own = math.hypot(*(float(torch.linalg.vector_norm(part)) for part in self.gradients))
        return math.hypot(*parallel.numbers(own, self.circle))

    def step(self, learning_rate: float, norm: float) -> None:
        """One update with the gradient clipped to the norm the settings allow (Pascanu et al. 2013)."""
        if self.settings.clip and norm > self.settings.clip:
            for part in self.gradients:
                part *= self.settings.clip / norm
        for group in self.adam.param_groups:
            group["lr"] = learning_rate
        self.adam.step()
        if self.stacks:
            self._turn(learning_rate)
        self.updates += 1
        self.working.publish(self.masters)
        self.clear()

    @torch.no_grad()
    def _turn(self, learning_rate: float) -> None:
        """Muon's update of the block matrices; those of one shape are orthogonalised together."""
        master, gradient = self.masters[0], self.gradients[0]
        self.momentum.lerp_(gradient, 1 - self.settings.momentum)
        update = torch.lerp(gradient, self.momentum, self.settings.momentum)  # Nesterov's look ahead
        master *= 1 - learning_rate * self.settings.weight_decay
        offset = 0
        for stack in self.stacks:
            stop = offset + math.prod(stack)
            direction = orthogonalise(update[offset:stop].view(stack).to(self.dtype)).float()
            scale = 0.2 * math.sqrt(max(stack[1:]))
            master[offset:stop] -= (learning_rate * scale) * direction.reshape(-1)
            offset = stop

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.working.clear()

    @property
    def together(self) -> bool:
        """Whether all processes must run the model equally often, because each holds a part of its weights only."""
        return self.working.together

    def helped(self, work: Callable[[], T]) -> T | None:
        """What `work`, which may run the model, gives in the first process; None in the others, who help with it."""
        return self.working.helped(work)

    def state(self) -> dict[str, Any]:
        """Masters and moments: all that a resumed run needs, however many processes it has."""
        first, second = self.layout.cuts
        border = self.layout.decayed
        spans = [[min(cut, border) for cut in second], [max(cut, border) for cut in second]]
        moments = {
            number: {
                "step": torch.tensor(float(self.updates)),
                **{name: Pieces([(cuts, self.adam.state[leaf][name])], self.sharing) for name in MOMENTS},
            }
            for number, (leaf, cuts) in enumerate(zip(self.leaves, spans, strict=True))
        }
        return {
            "master": Pieces(list(zip(self.layout.cuts, self.masters, strict=True)), self.sharing),
            "momentum": Pieces([(first, self.momentum)], self.sharing),
            "adam": {"state": moments},
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any] | None) -> None:
        """Take up a state saved before, which the first process gives."""
        fill(self.state(), state)
        self.updates = parallel.lead(lambda: int(state["adam"]["state"][0]["step"]) if state else 0)
        for leaf in self.leaves:
            self.adam.state[leaf]["step"].fill_(self.updates)
        self.working.publish(self.masters)

    def release(self) -> None:
        """Give the first process's model the fp32 masters, as parameters of their own, and let go of it."""
        master = self.state()["master"].whole()
        self.working.release()
        del self.adam, self.momentum, self.leaves, self.masters, self.gradients, self.working  # room for what comes
        for place in self.layout.places:
            p = place.parameter
            if master is not None:
                p.data = master[place.start : place.stop].to(p.device, copy=True).view(place.shape)
        if master is not None:
            for p in self.model.parameters():
                p.data = p.data.float()


def learning_rate(step: int, steps: int, peak: float, warmup: int, decay: float, floor: float = 0.0) -> float:
    """Warm-up, stable, decay (Hu et al. 2024, MiniCPM, section 4): linear up over `warmup` steps, constant, then down
    along 1 - √x over the last share `decay` of the steps (Hägele et al. 2024, section 3), towards `floor` · peak,
    which the step after the last would reach."""
    if step < warmup:
        return peak * (step + 1) / warmup
    start = steps * (1 - decay)
    if step < start:
        return peak
    progress = (step + 1 - start) / (steps + 1 - start)
    return peak * (floor + (1 - floor) * (1 - math.sqrt(progress)))
