"""AdamW and Muon over one flat fp32 master copy of all weights; the model itself is in the machine's fast dtype."""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from anatomia.train import parallel


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

    The model's parameters become views into one flat buffer of `dtype`, their gradients views into another; masters
    and moments are flat fp32. A step is then a handful of operations whatever the number of tensors. Gradients of
    several micro-batches are summed in fp32.
    """

    def __init__(self, model: nn.Module, settings: OptimizerSettings, dtype: torch.dtype) -> None:
        self.model, self.settings, self.dtype = model, settings, dtype
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        kinds = {name: self._kind(name, p) for name, p in named}
        ordered = sorted(named, key=lambda item: (kinds[item[0]], -item[1].dim(), tuple(item[1].shape), item[0]))
        self.parameters = [p for _, p in ordered]
        sizes = [sum(p.numel() for name, p in ordered if kinds[name] == kind) for kind in range(3)]
        total = sum(sizes)
        device = self.parameters[0].device
        self.master = torch.empty(total, device=device)
        self.gradient = torch.zeros(total, device=device)
        same = dtype == torch.float32
        self.weights = self.master if same else torch.empty(total, device=device, dtype=dtype)
        self.low_gradient = self.gradient if same else torch.zeros(total, device=device, dtype=dtype)
        offset = 0
        with torch.no_grad():
            for p in self.parameters:
                stop = offset + p.numel()
                self.master[offset:stop] = p.detach().reshape(-1).float()
                self.weights[offset:stop] = self.master[offset:stop]
                p.data = self.weights[offset:stop].view(p.shape)
                p.grad = self.low_gradient[offset:stop].view(p.shape)
                offset = stop
            for p in model.parameters():
                if not p.requires_grad:
                    p.data = p.data.to(dtype)
        turned = sizes[0]
        self.momentum = torch.zeros(turned, device=device)
        shapes = groupby(tuple(p.shape) for name, p in ordered if kinds[name] == 0)
        self.stacks = [(len(list(group)), *shape) for shape, group in shapes]
        groups = []
        spans = [slice(turned, turned + sizes[1]), slice(turned + sizes[1], total)]
        for span, decay in zip(spans, (settings.weight_decay, 0.0), strict=True):
            leaf = self.master[span]
            leaf.grad = self.gradient[span]
            groups.append({"params": [leaf], "weight_decay": decay})
        betas = (settings.beta1, settings.beta2)
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=settings.eps, fused=True)

    def _kind(self, name: str, parameter: nn.Parameter) -> int:
        """0: a matrix for Muon; 1: AdamW with decay; 2: AdamW without."""
        if parameter.dim() < 2:
            return 2
        return 0 if self.settings.muon and "blocks." in name else 1

    def agree(self) -> None:
        """Take over the first process's weights, where there are several."""
        parallel.spread(self.master)
        self.weights.copy_(self.master)

    def accumulate(self) -> None:
        """Add the gradients of one micro-batch to the step's sum."""
        if self.low_gradient is not self.gradient:
            self.gradient += self.low_gradient
            self.low_gradient.zero_()

    def norm(self) -> float:
        """The L2 norm of the step's summed gradient."""
        return float(torch.linalg.vector_norm(self.gradient))

    def step(self, learning_rate: float, norm: float) -> None:
        """One update with the gradient clipped to the norm the settings allow (Pascanu et al. 2013)."""
        if self.settings.clip and norm > self.settings.clip:
            self.gradient *= self.settings.clip / norm
        for group in self.adam.param_groups:
            group["lr"] = learning_rate
        self.adam.step()
        if self.stacks:
            self._turn(learning_rate)
        if self.weights is not self.master:
            self.weights.copy_(self.master)
        self.clear()

    @torch.no_grad()
    def _turn(self, learning_rate: float) -> None:
        """Muon's update of the block matrices; those of one shape are orthogonalised together."""
        turned = len(self.momentum)
        gradient = self.gradient[:turned]
        self.momentum.lerp_(gradient, 1 - self.settings.momentum)
        update = torch.lerp(gradient, self.momentum, self.settings.momentum)  # Nesterov's look ahead
        self.master[:turned] *= 1 - learning_rate * self.settings.weight_decay
        offset = 0
        for stack in self.stacks:
            stop = offset + math.prod(stack)
            direction = orthogonalise(update[offset:stop].view(stack).to(self.dtype)).float()
            scale = 0.2 * math.sqrt(max(stack[1:]))
            self.master[offset:stop] -= (learning_rate * scale) * direction.reshape(-1)
            offset = stop

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.gradient.zero_()

    def state(self) -> dict[str, Any]:
        """Masters and moments: all that a resumed run needs."""
        return {"master": self.master, "momentum": self.momentum, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state saved before."""
        with torch.no_grad():
            self.master.copy_(state["master"])
            self.weights.copy_(self.master)
            self.momentum.copy_(state["momentum"])
        self.adam.load_state_dict(state["adam"])

    def release(self) -> None:
        """Give the model its fp32 masters, as parameters of their own, and let go of it."""
        offset = 0
        for p in self.parameters:
            stop = offset + p.numel()
            p.data = self.master[offset:stop].view(p.shape).clone()
            p.grad = None
            offset = stop
        for p in self.model.parameters():
            p.data = p.data.float()


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values end between 0.7 and 1.2 (Jordan et al. 2024: a
    Newton-Schulz iteration with a quintic polynomial).

    Args:
        matrices: [count, m, n].
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.transpose(-2, -1)
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = torch.bmm(x, x.transpose(-2, -1))
        polynomial = b * square + c * torch.bmm(square, square)
        x = a * x + torch.bmm(polynomial, x)
    return x if wide else x.transpose(-2, -1)


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
