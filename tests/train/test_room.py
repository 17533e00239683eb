"""The bytes that training takes, and what is done where there are not enough."""

from dataclasses import replace

import pytest
import torch
from model.tiny import decoder
from train.learning import next_token

from anatomia.base.errors import UserError
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.sentences import sentence
from anatomia.train import parallel, room
from anatomia.train.loop import backward
from anatomia.train.optimizer import MOMENTS, FlatOptimizer, OptimizerSettings
from anatomia.train.parallel import Circle, Sharing
from anatomia.train.room import Load, choose

GB = 10**9


def large(layers: int = 32) -> Decoder:
    """A model of 1.3 billion parameters that takes no memory."""
    shape = DecoderConfig(8192, 2048, layers, 16, 16, 128, 4096, 2048)
    with torch.device("meta"):
        return Decoder(shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("muon", [False, True])
def test_the_bytes_are_those_of_all_tensors(dtype: torch.dtype, muon: bool) -> None:
    model = decoder()
    load = Load.of(model, muon, dtype)
    optimizer = FlatOptimizer(model, OptimizerSettings(muon=muon), dtype)
    backward(model, next_token(), optimizer, 0)
    optimizer.step(0.01, optimizer.norm())
    moments = [state[name] for state in optimizer.adam.state.values() for name in MOMENTS]
    tensors = [*optimizer.masters, *moments, optimizer.momentum, optimizer.gradient]
    tensors += [tensor for p in model.parameters() for tensor in (p.detach(), p.grad) if tensor is not None]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    coming = 0 if dtype == torch.float32 else 2 * max(load.block, load.outer)
    assert sum(storages.values()) + coming == load.whole(1)


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight processes on two computers, each with 100 GB; who shares weights out with whom is only said."""
    monkeypatch.setattr(parallel, "size", lambda: 8)
    monkeypatch.setattr(parallel, "numbers", lambda value, circle: [value])
    monkeypatch.setattr(room, "sharing", lambda within, split: Sharing(Circle(range(within)), None, True, split))
    monkeypatch.setattr(room, "usable_memory", lambda: 100 * GB)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    return monkeypatch


@pytest.mark.parametrize(("gigabytes", "within"), [(130, 0), (90, 0), (80, 4), (55, 4), (50, 8), (40, 8)])
def test_weights_are_shared_out_among_as_few_as_is_enough(
    scarce: pytest.MonkeyPatch, gigabytes: int, within: int
) -> None:
    """Of each computer's memory a copy of the checkpoint takes 16 GB."""
    scarce.setattr(room, "usable_memory", lambda: gigabytes * GB)
    sharing, note = choose(large(), False, torch.float32)
    assert sharing.weights == bool(within)
    assert len(sharing.circle.ranks) == (within or 8)
    assert not sharing.split
    assert sharing.early == (not within)  # there are two computers
    assert note.startswith(f"the weights are shared out among {within} processes: training takes") == bool(within)
    if note:
        assert sentence(note).startswith(f"wagi są podzielone (liczba procesów: {within}): trening zajmuje")


def test_blocks_are_split_where_two_of_them_are_too_large(scarce: pytest.MonkeyPatch) -> None:
    """Five billion parameters in two blocks; heads that cannot be divided leave them whole."""
    scarce.setattr(room, "usable_memory", lambda: 220 * GB)
    shape = DecoderConfig(8192, 16384, 2, 128, 128, 128, 32768, 2048)
    with torch.device("meta"):
        divisible, prime = Decoder(shape), Decoder(replace(shape, heads=129, kv_heads=43))
    sharing, note = choose(divisible, False, torch.float32)
    assert (len(sharing.circle.ranks), sharing.split) == (8, True)
    assert note.startswith("every block is split among 8 processes: training takes")
    assert sentence(note).startswith("każdy blok jest podzielony (liczba procesów: 8): trening zajmuje")
    with pytest.raises(UserError, match=r"training 4,798 million parameters takes 60\.0 GB in each process"):
        choose(prime, False, torch.float32)


def test_what_fits_nowhere_is_refused_with_numbers(scarce: pytest.MonkeyPatch) -> None:
    scarce.setattr(room, "usable_memory", lambda: 20 * GB)
    with pytest.raises(UserError) as caught:
        choose(large(), False, torch.bfloat16)
    assert str(caught.value) == (
        "training 1,359 million parameters takes 7.0 GB in each process (of 8), which has 5.0 GB; "
        "lower model.layers or model.width, or use more computers or GPUs"
    )
    assert sentence(str(caught.value)).startswith("trening 1,359 mln parametrów zajmuje 7.0 GB w każdym procesie")


def test_the_model_as_it_comes_must_fit_every_process() -> None:
    """However many share it out afterwards: 4 bytes of each of 1.36 billion parameters, and little more."""
    load = Load.of(large(), False, torch.bfloat16)
    for count, gigabytes in ((8, 6.8), (64, 5.6), (1024, 5.4)):
        assert room.Room("cuda", count, count, 0.0).shared(load, count) == pytest.approx(gigabytes * GB, rel=0.01)


def test_one_process_is_refused_what_it_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, gradients, two moments and a copy of a checkpoint: 28 bytes per parameter."""
    monkeypatch.setattr(room, "usable_memory", lambda: 38 * GB)
    with pytest.raises(UserError, match=r"takes 38\.\d GB in each process \(of 1\), which has 38\.0 GB"):
        choose(large(), False, torch.float32)
    monkeypatch.setattr(room, "usable_memory", lambda: 0)  # where it is not known
    assert choose(large(), False, torch.float32) == (Sharing(parallel.everyone()), "")
