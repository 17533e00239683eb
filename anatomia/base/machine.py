"""What this computer can do, and what is chosen for it.

Which of two number formats is faster differs between processors by a factor of five, so it is measured once (under two
seconds) and remembered per processor and torch version. A run keeps the choice it began with: results depend on the
number of threads, the number format and the kind of device, and a resumed run must end with the same bits.
"""

import ctypes
import gc
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anatomia.base.errors import UserError
from anatomia.base.files import digest, read_json, write_json

if TYPE_CHECKING:
    from anatomia.base.compiled import CompileError

Dtype = Literal["float32", "bfloat16"]
Decoding = Literal["eager", "native"]
Training = Literal["eager", "fused"]
WORTH_IT = 1.3  # how much faster bfloat16 must be before its rounding is accepted
SECONDS = 0.35  # of measuring per number format

_applied: "Machine | None" = None


@dataclass(frozen=True)
class Machine:
    """A computer and the choices made for it.

    Attributes:
        processor: its name, as the operating system says it.
        cores: those this process may use (affinity and container limits counted in).
        memory: bytes this process may use.
        float32, bfloat16: measured matrix products, in 1e9 operations a second, on the chosen device.
        gpu: its name, or "".
        torch: the version measured with.
        device: "cpu" or "cuda", where models are trained.
        dtype: the number format of matrix products in training.
        threads: for torch.
        decoding: how models write, and how they attend in bfloat16: with torch's operations, or with kernels of ours
            that are compiled here, where there is a compiler.
        training: how models compute in long trainings: operation by operation, or through programs that torch compiles.
    """

    processor: str
    cores: int
    memory: int
    float32: float
    bfloat16: float
    gpu: str
    torch: str
    device: str
    dtype: Dtype
    threads: int
    decoding: Decoding = "eager"
    training: Training = "eager"

    def numerics(self) -> dict[str, Any]:
        """The choices that the bits of a result depend on."""
        chosen = {"device": self.device, "dtype": self.dtype, "threads": self.threads}
        # Left out where it is "eager": so were all runs before there was a choice, and they stay fresh.
        later = {"decoding": self.decoding, "training": self.training}
        return chosen | {key: value for key, value in later.items() if value != "eager"}

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return asdict(self)

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Machine":
        """The inverse of `to_json`."""
        return Machine(**record)


def recall() -> Machine:
    """The machine that was applied in this process, else this computer as it was measured."""
    return _applied if _applied is not None else remembered()


def remembered() -> Machine:
    """This computer, as it was measured before, or is now (and that is remembered)."""
    path = _cache_file()
    try:
        return Machine.from_json(read_json(path))
    except (OSError, ValueError, TypeError):
        machine = measure()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, machine.to_json())
    except OSError:
        pass  # a home that cannot be written to costs a second measurement, nothing else
    return machine


def measure() -> Machine:
    """Measure this computer, in under two seconds, and choose."""
    import torch

    from anatomia.base.compiled import can_compile, can_fuse

    cores = usable_cores()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    device = "cuda" if gpu else "cpu"
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        float32, bfloat16 = _rates(device)
    finally:
        torch.set_num_threads(before)
    return Machine(
        processor=processor_name(),
        cores=cores,
        memory=usable_memory(),
        float32=float32,
        bfloat16=bfloat16,
        gpu=gpu,
        torch=torch.__version__,
        device=device,
        dtype="bfloat16" if bfloat16 >= WORTH_IT * float32 else "float32",
        threads=cores,
        decoding="native" if device == "cpu" and can_compile() else "eager",
        training="fused" if can_fuse(device) else "eager",
    )


def products(processes: int = 1) -> float:
    """Matrix products that this computer can do in the number format in force, as measured, in 1e9 operations a second.

    Of a run that began on another computer the choices are kept, but it is this one that sets the limit.

    Args:
        processes: how many work together on this computer. Each has a GPU of its own, as far as there are any; on a CPU
            they share its cores, of which each may have been told to use one only (torchrun does that).
    """
    import torch

    chosen = recall()
    known = (chosen.processor, chosen.cores) == (processor_name(), usable_cores())
    if chosen.device == "cuda":
        known = chosen.gpu == torch.cuda.get_device_name(0)
    rate: float = getattr(chosen if known else remembered(), chosen.dtype)
    if chosen.device == "cuda":
        return rate * min(processes, torch.cuda.device_count())
    cores = usable_cores()
    return rate * max(1.0, min(processes, _allowed_cores()) / cores)


def applied() -> bool:
    """Whether a run's choices are in force in this process: they are kept, even where others would do as well."""
    return _applied is not None


def forget() -> None:
    """Drop the remembered measurement, so that the next `recall` measures again."""
    _cache_file().unlink(missing_ok=True)


def release_memory() -> None:
    """Give back to the system what a finished stage has freed: the C library keeps it otherwise, by our own wish."""
    gc.collect()
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):  # not every C library has it
            ctypes.CDLL(None).malloc_trim(0)


def apply(machine: Machine) -> None:
    """Make torch compute as `machine` says, in this process and from now on; `recall` answers with it.

    Raises:
        UserError: the machine was chosen with a GPU and there is none.
    """
    import torch
    from torch.utils import deterministic

    global _applied
    if machine.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"machine.json: device = {machine.device!r}, but torch finds no GPU here; "
            "go on where there is one, or begin a new run with --out"
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    torch.set_num_threads(machine.threads)
    torch.set_flush_denormal(True)
    # On a CPU this costs nothing measurable, and without it compiled backward passes race.
    torch.use_deterministic_algorithms(True, warn_only=machine.device == "cuda")
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _applied = machine


def kernel(build: Callable[[], ctypes.CDLL]) -> ctypes.CDLL | None:
    """A kernel of ours, where those were chosen; None where torch's operations were, or, outside of a run, where it
    cannot be built. A run never changes from one to the other: their roundings differ.

    Args:
        build: compiles it, or raises `CompileError`. It is called once.

    Raises:
        UserError: the run in this process began with kernels, and this one cannot be built here.
    """
    if recall().decoding != "native":
        return None
    found = _built(build)
    if isinstance(found, ctypes.CDLL):
        return found
    if not applied():
        return None
    raise UserError(
        f"this run began with compiled decoding (machine.json), which cannot be built here: {found}; "
        "install a C++ compiler (g++), or begin a new run with --out"
    )


@cache
def _built(build: Callable[[], ctypes.CDLL]) -> "ctypes.CDLL | CompileError":
    from anatomia.base.compiled import CompileError

    try:
        return build()
    except CompileError as error:
        return error


def usable_cores() -> int:
    """Cores this process may use: its affinity, the container's quota, and OMP_NUM_THREADS where someone set it."""
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(_allowed_cores(), int(wish))) if wish.isdigit() else _allowed_cores()


def _allowed_cores() -> int:
    """Cores that the system leaves to this process, whatever it was told to use of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [cores]
    quotas = (
        _words("/sys/fs/cgroup/cpu.max"),
        _words("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + _words("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    )
    limits += [int(quota) // int(period) for quota, period in filter(_is_quota, quotas)]
    return max(1, min(limits))


def usable_memory() -> int:
    """Bytes of memory this process may use: the computer's, or the container's limit if that is lower; 0 if unknown."""
    limits = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limits += [int(word) for word in _words(path) if word.isdigit()]
    return min(limits, default=0)


def processor_name() -> str:
    """The processor's name, as the operating system says it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _rates(device: str) -> tuple[float, float]:
    """Measured 1e9 operations a second of a 1024-wide matrix product in float32 and bfloat16, the best of many."""
    import torch

    size = 1024 if device == "cpu" else 4096
    best = []
    for dtype in (torch.float32, torch.bfloat16):
        left, right = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
        left @ right
        seconds, end = float("inf"), time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            left @ right
            if device == "cuda":
                torch.cuda.synchronize()
            seconds = min(seconds, time.perf_counter() - start)
        best.append(round(2e-9 * size**3 / seconds, 1))
    return best[0], best[1]


def _cache_file() -> Path:
    """Where the measurement of this processor with this torch (and this many cores) is remembered."""
    from importlib import metadata

    from anatomia.base.compiled import find_compiler

    there = [metadata.version("torch"), os.path.exists("/dev/nvidia0"), find_compiler(), "training"]
    key = digest([processor_name(), usable_cores(), *there])[:16]
    return cache_directory() / f"machine-{key}.json"


def cache_directory() -> Path:
    """The user's cache directory for this program (XDG_CACHE_HOME, or its default)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "anatomia"


def _is_quota(words: list[str]) -> bool:
    return len(words) == 2 and all(word.isdigit() for word in words)


def _words(path: str) -> list[str]:
    """The words in a small file, none where it is absent."""
    try:
        return Path(path).read_text().split()
    except OSError:
        return []
