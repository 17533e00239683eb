"""What both sides are told, and what is the same for both."""

import argparse
from pathlib import Path

NEW = 64  # tokens of a completion
EPISODES, GROUP = 64, 4  # completions a rollout, completions a prompt (GRPO)
EPOCHS, MINIBATCHES = 2, 2  # of PPO over a rollout
KL = 0.05
ROWS = 16  # packed rows an update, SFT
PAIRS = 16  # pairs or rankings an update
WARMUP = {"grpo": 1, "ppo": 1}  # steps that are not measured; of other tasks:
USUAL_WARMUP = 4


def parse() -> argparse.Namespace:
    """The arguments of one contestant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("task")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processor", action="store_true")
    return parser.parse_args()
