"""Runs the real stages on a very small world, and says each event on a line; for the test that kills it."""

import os
import sys
from pathlib import Path
from typing import Any

from anatomia.base.machine import Machine
from anatomia.pipeline import Request, run
from anatomia.recipe import build, section_classes
from anatomia.stages import modules, stages

MACHINE = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "bfloat16", 1)
WORLD = ["world"]
RAW: dict[str, Any] = {
    "corpus": {"sources": WORLD},
    "world": {"documents": 300},
    "tokenizer": {"size": 600},
    "model": {"layers": 2, "width": 32, "heads": 2, "context": 96},
    "pretrain": {"steps": 30, "batch": 4, "validate_every": 10},
    "finetune": {"dialogues": WORLD, "world_dialogues": 60, "epochs": 2.0, "batch": 2, "validate_every": 10},
    "sample": {"prompts": WORLD, "count": 12, "completions": 3, "max_new": 8},
    "rank": {"by": ["simulated"], "simulated_rankers": 2, "held_out_fraction": 0.3},
    "reward": {"epochs": 3.0, "batch": 2},
    "align": {"prompts": WORLD, "count": 20, "rollouts": 6, "batch": 4, "max_new": 8},
    "evaluate": {"prompts": WORLD, "count": 6, "max_new": 8},
}


def go(out: Path, listen: Any) -> None:
    """Bring the small world's run in `out` up to date."""
    request = Request(build(RAW, section_classes(modules())), out.parent, out)
    run(request, stages(), [listen], choose=lambda: MACHINE)


if __name__ == "__main__":
    # A checkpoint after every step, so that a kill seldom leaves nothing to go on from.
    os.environ["ANATOMIA_CHECKPOINT_SECONDS"] = "0"
    go(Path(sys.argv[1]), lambda event: print(event["stage"], event["kind"], event.get("state", ""), flush=True))
