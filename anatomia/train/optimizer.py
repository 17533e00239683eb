"""AdamW over one flat fp32 master copy of all weights, with the model itself in the dtype the machine is fast at."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2). Norm gains and biases are not decayed."""

    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0


class FlatAdamW:
    """Owns the weights of `model` while it trains.

    The model's parameters become views into one flat buffer of `dtype`, their gradients views into another; masters
    and both moments are flat fp32. A step is then a handful of operations whatever the number of tensors. Gradients of
    several micro-batches are summed in fp32.
    """

    def __init__(self, model: nn.Module, settings: OptimizerSettings, dtype: torch.dtype) -> None:
        self.model, self.settings, self.dtype = model, settings, dtype
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in sorted(named, key=lambda item: (item[1].dim() < 2, item[0]))]
        decayed = sum(p.numel() for p in self.parameters if p.dim() >= 2)
        total = sum(p.numel() for p in self.parameters)
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
        spans = [slice(0, decayed), slice(decayed, total)]
        groups = []
        for span, decay in zip(spans, (settings.weight_decay, 0.0), strict=True):
            leaf = self.master[span].requires_grad_(False)
            leaf.grad = self.gradient[span]
            groups.append({"params": [leaf], "weight_decay": decay})
        betas = (settings.beta1, settings.beta2)
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=settings.eps, fused=True)

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
        if self.weights is not self.master:
            self.weights.copy_(self.master)
        self.clear()

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.gradient.zero_()

    def state(self) -> dict[str, Any]:
        """Masters and moments: all that a resumed run needs."""
        return {"master": self.master, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state saved before."""
        with torch.no_grad():
            self.master.copy_(state["master"])
            self.weights.copy_(self.master)
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


def learning_rate(step: int, steps: int, peak: float, warmup: int, decay: float, floor: float = 0.0) -> float:
    """Warm-up, stable, decay (Hu et al. 2024, MiniCPM, section 4): linear up over `warmup` steps, constant, then down
    along 1 - √x over the last share `decay` of the steps (Hägele et al. 2024, section 3), to `floor` · peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    start = steps * (1 - decay)
    if step < start:
        return peak
    progress = min(1.0, (step + 1 - start) / max(1.0, steps - start))
    return peak * (floor + (1 - floor) * (1 - math.sqrt(progress)))
