"""How long scores take from 40,000 comparisons, beside choix, which knows no ties.

    python bench/scores.py [--comparisons 40000] [--items 50 200 1000]

Prints seconds: ours from rankings as lists to scores with their covariance (strict comparisons with a known spread of
scores, as choix takes it; with ties, how readily people tie and the spread estimated), choix's by its general
optimiser (`opt_pairwise`, the same penalised likelihood) and its fastest algorithm (`ilsr_pairwise`), from its lists of
pairs. The largest difference between `opt_pairwise`'s scores and ours stands beside them.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from anatomia.feedback.davidson import davidson

try:
    import choix
except ImportError:
    sys.exit("choix is not installed; pip install choix")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=40_000)
    parser.add_argument("--items", type=int, nargs="+", default=[50, 200, 1000])
    given = parser.parse_args()
    count = given.comparisons
    for items in given.items:
        random = np.random.default_rng(0)
        truth = random.normal(size=items)
        first = random.integers(0, items, count)
        second = (first + random.integers(1, items, count)) % items
        gap = truth[first] - truth[second]
        odds = np.stack([np.exp(gap / 2), np.full(count, 0.6), np.exp(-gap / 2)], 1)
        answer = (random.random(count)[:, None] > (odds / odds.sum(1, keepdims=True)).cumsum(1)).sum(1)
        better = random.random(count) < 1 / (1 + np.exp(-gap))
        pairs = [(int(a), int(b)) if won else (int(b), int(a)) for a, b, won in zip(first, second, better)]
        strict = [((a,), (b,)) for a, b in pairs]
        tied = [
            [((int(a),), (int(b),)), ((int(a), int(b)),), ((int(b),), (int(a),))][k]
            for a, b, k in zip(first, second, answer)
        ]
        seconds = {}
        start = time.perf_counter()
        own = davidson([strict], [items], spread=1.0).scores()[0]
        seconds["ours"] = time.perf_counter() - start
        start = time.perf_counter()
        davidson([tied], [items])
        seconds["ours with ties and spread"] = time.perf_counter() - start
        start = time.perf_counter()
        theirs = choix.opt_pairwise(items, pairs, alpha=0.5)
        seconds["choix opt_pairwise"] = time.perf_counter() - start
        start = time.perf_counter()
        choix.ilsr_pairwise(items, pairs, alpha=0.01)
        seconds["choix ilsr_pairwise"] = time.perf_counter() - start
        said = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
        print(
            f"{count} comparisons of {items}: {said}; largest difference {np.abs(own - theirs).max():.1e}", flush=True
        )


if __name__ == "__main__":
    main()
