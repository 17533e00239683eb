"""Several processes that train together: what the tests of `parallel` start. Process 0 says what came out.

RANK=… WORLD_SIZE=… MASTER_ADDR=… MASTER_PORT=… python tests/train/ranks.py JOB DIRECTORY
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

import torch  # noqa: E402
from model.tiny import decoder, scalar, tokens  # noqa: E402
from objectives import aligned_gradients  # noqa: E402
from objectives.aligning import alignment  # noqa: E402
from torch import nn  # noqa: E402
from train.learning import Killed, documents, killer, next_token, settings  # noqa: E402

from anatomia.base.events import Event, Ledger, read_events  # noqa: E402
from anatomia.generate.engine import generate  # noqa: E402
from anatomia.generate.sampling import Sampling  # noqa: E402
from anatomia.model.decoder import Decoder  # noqa: E402
from anatomia.objectives.judged import Judged  # noqa: E402
from anatomia.objectives.next_token import NextToken, batch_loss  # noqa: E402
from anatomia.objectives.preference import Preference  # noqa: E402
from anatomia.tokens.batches import Batch, Packed  # noqa: E402
from anatomia.train import parallel, room  # noqa: E402
from anatomia.train.loop import backward, train  # noqa: E402
from anatomia.train.optimizer import MOMENTS, FlatOptimizer, OptimizerSettings  # noqa: E402
from anatomia.train.parallel import Sharing  # noqa: E402
from anatomia.train.pieces import Pieces  # noqa: E402

STEPS = 14


class Exact(Packed):
    """Batches whose weights, and so whose losses, are in 64 bits."""

    def batch(self, step: int) -> Batch:
        found = super().batch(step)
        return Batch(found.ids, found.targets, found.weights.double(), found.positions, found.documents)


def preference(micro: int) -> Preference:
    """Learns from nine prompts of three completions each; the losses themselves are in 32 bits."""
    texts = [tuple(tuple(tokens(3 + (n + k) % 6, seed=10 * n + k).tolist()) for k in range(3)) for n in range(9)]
    return Preference([Judged(text, ((0, 1, 2), (1, 0, 1))) for text in texts], 5, micro, "listwise", 1, 1.0)


def gradients(micro: int, sharing: Sharing | None = None) -> dict[str, list[float]]:
    """The gradient of one step in 64 bits, of each objective."""
    torch.set_default_dtype(torch.float64)
    try:
        plain = documents()
        exact = Exact(plain.shard, plain.context, plain.rows, plain.seed, plain.padding)
        cases: dict[str, tuple[nn.Module, Any]] = {
            "next token": (decoder(), NextToken(exact, micro, lambda model, step: {})),
            "preference": (scalar(), preference(micro)),
        }
        found = {}
        for name, (model, objective) in cases.items():
            optimizer = FlatOptimizer(model, OptimizerSettings(muon=True), torch.float64, sharing)
            sums = backward(model, objective, optimizer, 0)
            pieces = zip(optimizer.layout.cuts, optimizer.gradients, strict=True)
            gradient = Pieces(list(pieces), optimizer.sharing).whole()
            found[name] = [sums["loss"], sums["tokens"], optimizer.norm()]
            found[name] += [] if gradient is None else gradient.tolist()
            optimizer.release()
        return found
    finally:
        torch.set_default_dtype(torch.float32)


def job_gradients(directory: Path) -> Any:
    return gradients(4)


def job_gradients_aligned(directory: Path) -> Any:
    return aligned_gradients.gradients()


def both(sharing: Sharing) -> dict[str, list[float]]:
    """In pieces of one row, of which some process has one more than others, and in as few as there can be."""
    return gradients(1, sharing) | {f"{name}, large pieces": found for name, found in gradients(99, sharing).items()}


def job_gradients_early(directory: Path) -> Any:
    return both(Sharing(parallel.everyone(), early=True))


def job_gradients_shared(directory: Path) -> Any:
    return both(room.sharing(parallel.size()))


def job_gradients_hybrid(directory: Path) -> Any:
    return both(room.sharing(2))


def job_gradients_split(directory: Path) -> Any:
    return both(room.sharing(2, True))


KINDS: dict[str, dict[str, Any]] = {
    "qwen3": {"tied": False},
    "biases": {"qkv_bias": True, "output_bias": True, "feed_bias": True, "norm": "layer", "qk_norm": False},
    "learned": {"gated": False, "activation": "gelu", "positions": "learned", "feed_bias": True, "output_bias": True},
    "side by side": {"parallel": True, "norms": 1, "norm": "layer", "gated": False, "activation": "gelu"},
    "alibi": {"positions": "alibi", "layer_windows": (None, 5)},
}


def kinds(split: bool) -> dict[str, list[float]]:
    """Logits and gradients of models of all kinds, in fp32."""
    found = {}
    for name, changes in KINDS.items():
        model, objective = decoder(**changes), next_token(4)
        sharing = room.sharing(2, True) if split else None
        optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32, sharing)
        with torch.no_grad():
            logits = model(tokens(2, 11)).flatten()
        backward(model, objective, optimizer, 0)
        gradient = Pieces(list(zip(optimizer.layout.cuts, optimizer.gradients, strict=True)), optimizer.sharing).whole()
        found[name] = [] if gradient is None else [*logits.tolist(), *gradient.tolist()]
        optimizer.release()
    return found


def job_kinds_split(directory: Path) -> Any:
    return kinds(True)


@contextmanager
def shared_among(within: int, split: bool = False) -> Iterator[None]:
    """Training finds that there is memory only for weights that are shared out among so many processes."""
    with chosen(room.sharing(within, split)):
        yield


@contextmanager
def chosen(sharing: Sharing) -> Iterator[None]:
    """Training finds that this is the way to share."""
    before, room.choose = room.choose, lambda *arguments: (sharing, "shared")
    yield
    room.choose = before


def job_train_early(directory: Path) -> Any:
    with chosen(Sharing(parallel.everyone(), early=True)):
        return job_train(directory)


def job_train_shared(directory: Path) -> Any:
    with shared_among(parallel.size()):
        return job_train(directory)


def job_train_hybrid(directory: Path) -> Any:
    with shared_among(2):
        return job_train(directory)


def job_train_split(directory: Path) -> Any:
    with shared_among(2, True):
        return job_train(directory)


def job_look_split(directory: Path) -> Any:
    with shared_among(2, True):
        return job_look(directory)


def job_kill_split(directory: Path) -> Any:
    with shared_among(2, True):
        job_kill(directory)


def job_kill_shared(directory: Path) -> Any:
    with shared_among(parallel.size()):
        job_kill(directory)


def job_kill_hybrid(directory: Path) -> Any:
    with shared_among(2):
        job_kill(directory)


def job_resume_shared(directory: Path) -> Any:
    with shared_among(parallel.size()):
        return job_resume(directory)


def fresh(name: str) -> tuple[nn.Module, Any]:
    return (decoder(), next_token()) if name == "next token" else alignment("ppo")


def trained(directory: Path, name: str, kill: int = 0) -> Any:
    """Train to the end, or until a step at which all are killed; the steps, and the weights of each process."""
    model, objective = fresh(name)
    listeners = [killer(kill)] if kill else []
    ledger = Ledger(directory / "events.jsonl" if parallel.rank() == 0 else None, listeners)
    how = settings(STEPS, optimizer=OptimizerSettings(muon=True))
    with suppress(parallel.Released):
        train(model, objective, how, ledger, directory)
    bits = b"".join(weight.detach().numpy().tobytes() for weight in model.parameters())
    steps = [event for event in read_events(directory / "events.jsonl") if event["kind"] == "step"]
    return {"weights": parallel.gather(hashlib.sha256(bits).hexdigest()), "steps": steps}


def job_train(directory: Path) -> Any:
    return {name: trained(made(directory / name), name) for name in ("next token", "ppo")}


def look(model: nn.Module, step: int) -> dict[str, float]:
    """A loss and a few tokens on the way, as the stages take them."""
    assert isinstance(model, Decoder)
    model.eval()
    batch = documents().batch(step + 100)
    with torch.no_grad():
        loss = float(batch_loss(model, batch, batch.weights / batch.weights.sum()))
    written = generate(model, [[5, 6, 7], [8, 9]], [0, 0], Sampling(temperature=0.0, max_new=5))
    model.train()
    ids = [number for completion in written for number in completion.ids]
    return {"validation": loss, "written": float(sum(place * number for place, number in enumerate(ids, start=1)))}


def job_look(directory: Path) -> Any:
    ledger = Ledger(made(directory) / "events.jsonl" if parallel.rank() == 0 else None)
    with suppress(parallel.Released):
        train(decoder(), next_token(hook=look), settings(4), ledger, directory)
    return read_events(directory / "events.jsonl")


def job_look_shared(directory: Path) -> Any:
    with shared_among(parallel.size()):
        return job_look(directory)


def job_lose_shared(directory: Path) -> Any:
    """The last process ends in the middle; what is said in the first."""

    def listen(event: Event) -> None:
        if event["kind"] == "step" and event["step"] == 5 and parallel.rank() == parallel.size() - 1:
            os._exit(1)

    with shared_among(parallel.size()):
        try:
            ledger = Ledger(None, [listen])
            train(decoder(), next_token(), settings(STEPS), ledger, made(directory / str(parallel.rank())))
        except parallel.PeerLost as error:
            return str(error)


def job_hold_shared(directory: Path) -> Any:
    """Bytes that each process holds of a model while it trains, those that were foretold, and those of one alone."""
    model = decoder(layers=12)
    load = room.Load.of(model, True, torch.float32)
    optimizer = FlatOptimizer(model, OptimizerSettings(muon=True), torch.float32, room.sharing(parallel.size()))
    backward(model, next_token(1), optimizer, 0)
    optimizer.step(0.01, optimizer.norm())
    moments = [state[name] for state in optimizer.adam.state.values() for name in MOMENTS]
    own = [*optimizer.masters, *optimizer.gradients, optimizer.momentum, *moments]
    weights = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in model.parameters()}
    held = sum(tensor.nbytes for tensor in own) + sum(weights.values())
    optimizer.release()
    return {"held": parallel.gather(held), "said": load.shared(parallel.size()), "alone": load.whole(1)}


def job_kill(directory: Path) -> Any:
    with suppress(Killed):
        trained(made(directory), "next token", 8)


def job_resume(directory: Path) -> Any:
    return trained(directory, "next token")


def made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


JOBS: dict[str, Callable[[Path], Any]] = {
    name.removeprefix("job_").replace("_", " "): job for name, job in globals().items() if name.startswith("job_")
}


def together(count: int, *work: tuple[str, Path]) -> list[Any]:
    """Do jobs, one after the other, in `count` new processes; what process 0 said of each that it came to an end of."""
    words = [str(count), *(word for name, where in work for word in (name, str(where)))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / "ranks.py"), *words], stdout=subprocess.PIPE, text=True, env=environment
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def take_part(words: list[str]) -> None:
    """What one process does."""
    parallel.join()
    for name, where in zip(words[::2], words[1::2], strict=True):
        found = JOBS[name](Path(where))
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
                take_part(sys.argv[2:])
            except BaseException as error:
                print(f"process {rank}: {error!r}", file=sys.stderr)
            os._exit(0)
    for _ in range(int(sys.argv[1])):
        os.wait()
