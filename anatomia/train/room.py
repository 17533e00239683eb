"""How much memory training takes, and how it is shared out among processes so that there is enough."""

import math
import os
from dataclasses import dataclass

import torch
from torch import nn

from anatomia.base.errors import UserError
from anatomia.base.machine import usable_memory
from anatomia.model.decoder import Block
from anatomia.train import parallel
from anatomia.train.layout import Layout
from anatomia.train.parallel import Sharing

FULL = 0.8  # of the memory that weights, gradients and moments may take; activations need the rest


@dataclass(frozen=True)
class Load:
    """What of a model lies in memory while it trains, in numbers (not bytes).

    Attributes:
        total: all that is trained. turned: of that, what Muon turns. outer: what lies outside the blocks. block: the
            largest block. width: bytes of a number of the working weights. grain: what every block's heads and hidden
            units can be divided by; 1 where their weights do not learn, since such blocks are never split. frozen: what
        does not learn, which every process has whole.
    """

    total: int
    turned: int
    outer: int
    block: int
    width: int
    grain: int
    frozen: int = 0

    @staticmethod
    def of(model: nn.Module, muon: bool, dtype: torch.dtype) -> "Load":
        """The load of a model, which may be on torch's "meta" device."""
        layout = Layout(model, muon, 1)
        blocks = [module for module in model.modules() if isinstance(module, Block)]
        sizes = [sum(p.numel() for p in block.parameters() if p.requires_grad) for block in blocks]
        grain = math.gcd(
            *(n for block in blocks for n in (block.config.heads, block.config.kv_heads, block.config.hidden))
        )
        if not all(p.requires_grad for block in blocks for p in block.parameters()):
            grain = 1
        outer, block = layout.total - sum(sizes), max(sizes, default=0)
        frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
        return Load(layout.total, layout.turned, outer, block, dtype.itemsize, grain, frozen)

    @property
    def kept(self) -> int:
        """Bytes of masters and moments, which are also those of a checkpoint: AdamW has two moments, Muon one."""
        return 4 * (3 * self.total - self.turned)

    def whole(self, processes: int) -> float:
        """Bytes in each of so many processes where all have the whole weights and gradients."""
        coming = self.width * max(self.block, self.outer) if self.width < 4 else 0  # gradients not yet added in fp32
        masters = 4 * self.total if processes == 1 and not coming else 0  # then masters are the working weights
        return self.total * (4 + self.width) + coming + self.kept / processes - masters + self.width * self.frozen

    def shared(self, processes: int, split: bool = False) -> float:
        """Bytes in each of so many processes where weights and gradients are shared out too: two blocks are there at a
        time, and the gradients of one in both formats; or, of a split block, this process's share."""
        block = self.block / processes if split else self.block
        here = self.width * (2 * self.outer + 3 * block + self.frozen) + 4 * (self.outer + block)
        return here + (4 * self.total + self.kept) / processes

    def begun(self, processes: int) -> float:
        """Bytes in each of so many processes before that: the model as it came, in fp32, while every process takes its
        part of masters and gradients."""
        return 4 * (self.total * (1 + 2 / processes) + self.frozen)


@dataclass(frozen=True)
class Room:
    """Memory for so many processes: of GPUs ("cuda"), or of CPUs, where those of one computer share it.

    Attributes:
        local: how many of them work on this computer. memory: bytes that each has; infinite where that is not known.
    """

    device: str
    processes: int
    local: int
    memory: float

    @staticmethod
    def here(device: str, processes: int) -> "Room":
        """The memory of this computer, on which all processes work if the environment says nothing else."""
        local = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
        if device == "cuda":
            memory = torch.cuda.get_device_properties(0).total_memory / math.ceil(local / torch.cuda.device_count())
        else:
            memory = usable_memory() / local or math.inf
        return Room(device, processes, local, memory)

    def whole(self, load: Load) -> float:
        """Bytes that a load takes of each process's memory with whole weights, a checkpoint's copy counted in."""
        return load.whole(self.processes) + self._copy(load)

    def shared(self, load: Load, within: int, split: bool = False) -> float:
        """The same with weights shared out among `within` processes; infinite where blocks cannot be split so."""
        if split and load.grain % within:
            return math.inf
        return max(load.shared(within, split) + self._copy(load), load.begun(within))

    def ways(self, load: Load) -> list[tuple[float, int, bool]]:
        """How training can be shared out, the quickest first: bytes that it takes of each process's memory; among how
        many the weights are shared out, 1 for not at all; and whether blocks are split."""
        ways = [(self.whole(load), 1, False)]
        for split in (False, True):
            if 1 < self.local < self.processes and self.processes % self.local == 0:
                ways.append((self.shared(load, self.local, split), self.local, split))
            if self.processes > 1:
                ways.append((self.shared(load, self.processes, split), self.processes, split))
        return ways

    def _copy(self, load: Load) -> float:
        return 0.0 if self.device == "cuda" else load.kept / self.local

    def check(self, load: Load, beside: int = 0) -> None:
        """Raise `UserError` if there is no room for what is trained, however it is shared out.

        Args:
            beside: bytes that every process needs besides.
        """
        least = beside + min(self.ways(load))[0]
        if least > self.memory:
            raise UserError(
                f"training {load.total / 1e6:,.0f} million parameters takes {gigabytes(least)} GB in each process (of "
                f"{self.processes}), which has {gigabytes(self.memory)} GB; lower model.layers or model.width, or use "
                "more computers or GPUs"
            )


def choose(model: nn.Module, muon: bool, dtype: torch.dtype) -> tuple[Sharing, str]:
    """How the training of `model` is shared out, and a sentence about it where the weights are.

    As long as the working weights fit every process, only masters and moments are shared out. Else weights are, among
    the processes of each computer if that is enough (Zhao et al. 2023, PyTorch FSDP, section 3.2.2, hybrid sharding),
    and among all of them if not; and where even a single block is too large, blocks are split.

    Raises:
        UserError: there is not enough memory even so.
    """
    load = Load.of(model, muon, dtype)
    room = Room.here(next(model.parameters()).device.type, parallel.size())
    room.check(load)
    memory = min(parallel.numbers(room.memory, parallel.everyone()))  # of the poorest, so that all choose alike
    ways = room.ways(load)
    needed, within, split = next((way for way in ways if way[0] <= FULL * memory), min(ways))
    if within == 1:  # among computers, or GPUs, the processors have nothing to do with sending
        early = room.device == "cuda" or room.local < room.processes
        return Sharing(parallel.everyone(), early=early and room.processes > 1), ""
    what = "every block is split" if split else "the weights are shared out"
    return sharing(within, split), (
        f"{what} among {within} processes: training takes {gigabytes(needed)} GB in each of them, which has "
        f"{gigabytes(memory)} GB; with whole weights it would take {gigabytes(ways[0][0])} GB"
    )


def gigabytes(number: float) -> str:
    """Bytes as a person says them, in 1e9."""
    return f"{number / 1e9:.1f}" if number >= 5e7 else f"{number / 1e9:.2g}"


def sharing(within: int, split: bool = False) -> Sharing:
    """Weights shared out among `within` processes with neighbouring numbers, and equal in each such circle."""
    if within == parallel.size():
        return Sharing(parallel.everyone(), weights=True, split=split)
    circle, replicas = parallel.circles(within)
    return Sharing(circle, replicas, weights=True, split=split)
