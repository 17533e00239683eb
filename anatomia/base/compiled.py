"""Programs compiled where they run and kept in the cache directory: C++ of ours, and what torch makes of Python."""

import ctypes
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anatomia.base.files import digest
from anatomia.base.machine import cache_directory, processor_name

FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared")


TRIAL = """
#include <omp.h>
extern "C" int sum() {
    int sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(2)
    for (int i = 0; i < 10; i++) sum += i;
    return sum;
}
"""


class CompileError(Exception):
    """The source cannot be compiled on this computer; the message says why in one line."""


def library(name: str, source: str) -> ctypes.CDLL:
    """The shared library that a C++ source compiles to. It uses torch's OpenMP threads.

    Raises:
        CompileError: there is no compiler, or it fails, or what it made cannot be loaded.
    """
    import torch

    compiler = find_compiler()
    if compiler is None:
        raise CompileError("there is no C++ compiler (c++, g++ or clang++)")
    threads = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))  # two OpenMPs would fight for cores
    link = [str(threads[0]), f"-Wl,-rpath,{threads[0].parent}"] if threads else []
    version = _output([compiler, "--version"])
    key = digest([source, compiler, FLAGS, link, version, processor_name(), _instructions()])[:16]
    path = cache_directory() / f"{name}-{key}.so"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            _compile(compiler, source, link, path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(f"{path} cannot be written or loaded: {error}") from error


def can_compile() -> bool:
    """Whether there is a compiler here that makes libraries which run, tried with a very small one."""
    try:
        return bool(library("trial", TRIAL).sum() == 45)
    except CompileError:
        return False


def can_fuse(device: str) -> bool:
    """Whether torch can compile models here: that takes Triton for a GPU; else a C++ compiler and Python's headers."""
    if device != "cpu":
        return find_spec("triton") is not None
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file() and can_compile()


@cache
def why_not_fused() -> str:
    """What keeps torch from compiling in this process, in one line; "" where a very small function compiles."""
    import torch

    try:
        found = float(fuse(_trial)(torch.ones(64)))
    except Exception as error:  # whatever compilers, linkers and torch's own passes may raise
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return "" if found == 192.0 else f"its program computes {found} instead of 192"


def _trial(numbers: Any) -> Any:
    return (numbers * 2 + 1).sum()


@cache
def fuse(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one program for each set of shapes it is called with, compiled by torch when first called with them
    (some seconds; one or two where it was compiled here before). It rounds elsewhere than `function` does."""
    import torch

    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_directory() / "torch"))
    return torch.compile(function, dynamic=False)


def any_length(tensor: Any) -> None:
    """Have `fuse` make one program for whatever the first dimension of this tensor will be."""
    import torch

    torch._dynamo.mark_dynamic(tensor, 0)


def find_compiler() -> str | None:
    """The C++ compiler to use: $CXX, or the first that is there."""
    names = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def _compile(compiler: str, source: str, link: list[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        written, made = Path(directory) / "source.cpp", Path(directory) / path.name
        written.write_text(source, encoding="utf-8")
        _output([compiler, *FLAGS, "-o", str(made), str(written), *link])
        made.replace(path)  # at once: another process may be doing the same


def _instructions() -> str:
    """What the processor can do, where the system says it: processors of one name may differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise CompileError(f"{command[0]} does not start: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise CompileError(f"{command[0]} fails: {next((w for w in words if 'error' in w), words[-1])}")
    return done.stdout
