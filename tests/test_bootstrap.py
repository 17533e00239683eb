"""Setting up: what can be known without installing anything."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """bootstrap.py as a module that sets up in an empty copy of the project and runs nothing."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("bootstrap.py", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for name, value in {"ROOT": tmp_path, "STAMP": tmp_path / "stamp", "PYTHON": python}.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_installs_torch_first_and_only_what_changed(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap, "pip", lambda *arguments: calls.append(arguments))
    bootstrap.set_up(tests=False)
    assert calls[0] == ("install", bootstrap.TORCH)
    assert calls[1][-1] == str(tmp_path)
    bootstrap.set_up(tests=False)
    assert len(calls) == 2
    bootstrap.set_up(tests=True)
    assert calls[3][-1] == f"{tmp_path}[test]"
    assert "--no-deps" in calls[4], "what tests compare with replaces nothing"
    assert "--target" in calls[4]
    bootstrap.set_up(tests=False)
    assert len(calls) == 5
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\nnumpy<3\n", encoding="utf-8")
    bootstrap.set_up(tests=False)
    assert calls[6][-1] == f"{tmp_path}[test]"


def test_a_setup_cut_short_is_done_again(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def cut(*arguments: str) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "pip", cut)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.set_up(tests=False)
    bootstrap.set_up(tests=False)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Failed to establish a new connection: NewConnectionError", "network connection"),
        ("OSError: [Errno 28] No space left on device", "disk .* is full"),
        ("error: metadata-generation-failed", "what it said is above"),
    ],
)
def test_why_pip_failed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str, words: str) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout=said)
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(SystemExit, match=words):
        bootstrap.pip("install", "x")


def test_unknown_commands_and_old_pythons(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "fly"])
    with pytest.raises(SystemExit, match="fly is no command; there are: run, test"):
        bootstrap.main()
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "run"])
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match=r"too old; start this with 3\.11 or newer"):
        bootstrap.main()


def test_the_same_torch_everywhere(bootstrap: ModuleType) -> None:
    assert bootstrap.TORCH in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
