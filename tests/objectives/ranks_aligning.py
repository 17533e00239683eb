"""Several processes that align one model together: what the test of their gradients starts. Process 0 says them.

python tests/objectives/ranks_aligning.py COUNT
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

import torch  # noqa: E402
from objectives.aligning import alignment  # noqa: E402
from objectives.test_direct import direct  # noqa: E402

from anatomia.objectives.algorithms import ALGORITHMS  # noqa: E402
from anatomia.objectives.direct import DIRECT  # noqa: E402
from anatomia.train import parallel  # noqa: E402
from anatomia.train.loop import backward  # noqa: E402
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings  # noqa: E402
from anatomia.train.pieces import Pieces  # noqa: E402


def fresh(method: str) -> tuple[Any, Any, int]:
    """Policy and objective off the starting point, and a step of it."""
    if method in DIRECT:
        model, objective = direct(method, dtype=torch.float64)
        policy, step = model, 0
    else:
        model, objective = alignment(method, minibatches=1, dtype=torch.float64)
        objective.rollout = objective.roll_out(model, 0)
        policy, step = model.policy, 1
    with torch.no_grad():
        policy.blocks[0].get_parameter("down").add_(0.1)
    return model, objective, step


def gradients() -> dict[str, list[float]]:
    """The loss and gradient of one step by every method, in 64 bits."""
    torch.set_default_dtype(torch.float64)
    found = {}
    try:
        for method in (*ALGORITHMS, *DIRECT):
            model, objective, step = fresh(method)
            optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float64, None)
            sums = backward(model, objective, optimizer, step)
            gradient = Pieces(
                list(zip(optimizer.layout.cuts, optimizer.gradients, strict=True)), optimizer.sharing
            ).whole()
            found[method] = [sums["loss"], *([] if gradient is None else gradient.tolist())]
            optimizer.release()
    finally:
        torch.set_default_dtype(torch.float32)
    return found


def together(count: int) -> dict[str, list[float]]:
    """What `gradients` finds in `count` new processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "ranks_aligning.py"), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def take_part() -> None:
    """What one process does."""
    parallel.join()
    found = gradients()
    if parallel.rank() == 0:
        print(json.dumps(found), flush=True)
    parallel.leave()


if __name__ == "__main__":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": sys.argv[1]}
    for rank in range(int(sys.argv[1])):  # forked, so that torch is imported once
        if os.fork() == 0:
            os.environ["RANK"] = str(rank)
            try:
                take_part()
            except BaseException as error:
                print(f"process {rank}: {error!r}", file=sys.stderr)
            os._exit(0)
    for _ in range(int(sys.argv[1])):
        os.wait()
