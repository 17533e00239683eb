"""What the computer can do is measured once and remembered; what was chosen is kept."""

from pathlib import Path

import pytest

from anatomia.base import machine as machines
from anatomia.base.machine import Machine, recall, usable_cores


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machines, "_applied", None)


def measured(monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float) -> Machine:
    monkeypatch.setattr(machines, "_rates", lambda device: (float32, bfloat16))
    return machines.measure()


@pytest.mark.parametrize(
    ("bfloat16", "dtype"), [(400.0, "bfloat16"), (130.0, "bfloat16"), (120.0, "float32"), (20.0, "float32")]
)
def test_bfloat16_must_be_worth_its_rounding(monkeypatch: pytest.MonkeyPatch, bfloat16: float, dtype: str) -> None:
    assert measured(monkeypatch, 100.0, bfloat16).dtype == dtype


def test_measured_once_remembered_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured(monkeypatch, 100.0, 400.0)
    assert recall() == first
    monkeypatch.setattr(machines, "_rates", lambda device: (1.0, 1.0))
    assert recall() == first
    machines.forget()
    assert recall().float32 == 1.0


def test_a_damaged_memory_is_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = measured(monkeypatch, 100.0, 400.0)
    recall()
    for path in tmp_path.rglob("*.json"):
        path.write_text('{"cores": ', encoding="utf-8")
    assert recall() == first


def test_applied_is_what_is_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    chosen = Machine("other", 9, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1)
    try:
        machines.apply(chosen)
        assert recall() is chosen
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)


def test_a_run_begun_on_a_gpu_is_not_gone_on_with_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(machines.UserError, match="finds no GPU here"):
        machines.apply(Machine("other", 9, 0, 1.0, 1.0, "some", "0", "cuda", "bfloat16", 1))


def test_cores_by_affinity_container_and_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/sys/fs/cgroup/cpu.max": "max 100000"}
    monkeypatch.setattr(machines.os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr(machines, "_words", lambda path: files.get(path, "").split())
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert usable_cores() == 16
    files["/sys/fs/cgroup/cpu.max"] = "250000 100000"
    assert usable_cores() == 2
    files["/sys/fs/cgroup/cpu.max"] = "50000 100000"
    assert usable_cores() == 1
    files.clear()
    files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"], files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "600000", "100000"
    assert usable_cores() == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert usable_cores() == 3


def test_the_limit_is_that_of_the_computer_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on elsewhere keeps its number format, but another computer's speed says nothing here."""
    here = measured(monkeypatch, 100.0, 400.0)
    record = here.to_json()
    monkeypatch.setattr(machines, "_applied", Machine(**record | {"bfloat16": 380.0}))
    assert machines.products() == 380.0
    for there in ({"processor": "other"}, {"cores": here.cores + 1}):
        for dtype, rate in (("float32", 100.0), ("bfloat16", 400.0)):
            changed = record | there | {"float32": 1.0, "bfloat16": 2.0, "dtype": dtype}
            monkeypatch.setattr(machines, "_applied", Machine(**changed))
            assert machines.products() == rate


def test_processes_that_were_told_to_use_one_core_each_have_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_allowed_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(machines, "_applied", measured(monkeypatch, 100.0, 400.0))
    assert [machines.products(count) for count in (1, 3, 8)] == [400.0, 1200.0, 1600.0]
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(machines, "_applied", measured(monkeypatch, 100.0, 400.0))
    assert [machines.products(count) for count in (1, 3, 8)] == [400.0] * 3


def test_decoding_is_compiled_where_a_compiler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, decoding in ((True, "native"), (False, "eager")):
        monkeypatch.setattr("anatomia.base.compiled.can_compile", lambda there=there: there)
        assert measured(monkeypatch, 100.0, 400.0).decoding == decoding


def test_models_are_fused_where_torch_can_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, training in ((True, "fused"), (False, "eager")):
        monkeypatch.setattr("anatomia.base.compiled.can_fuse", lambda device, there=there: there)
        assert measured(monkeypatch, 100.0, 400.0).training == training


def test_runs_from_before_there_was_a_choice_of_decoding_stay_as_they_are() -> None:
    before = {"device": "cpu", "dtype": "float32", "threads": 2}
    record = {"processor": "x", "cores": 2, "memory": 0, "float32": 1.0, "bfloat16": 1.0, "gpu": "", "torch": "0"}
    assert Machine.from_json(record | before).numerics() == before
    later = {"decoding": "native", "training": "fused"}
    assert Machine.from_json(record | before | later).numerics() == before | later
