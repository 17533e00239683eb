"""Sets everything up and starts it, with nothing but Python: `python bootstrap.py run|test|lint|setup|clean [-- ...]`.

What comes after `--` is passed on: to `anatomia run` for `run`, to pytest for `test`. torch is installed first and by
an exact version, so that no other package pulls in a build for graphics cards that this computer may not have.
"""

from __future__ import annotations  # so that an old Python gets as far as hearing that it is too old

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "anatomia-setup"
TORCH = "torch==2.13.0"
PEERS = ("verl==0.9.1",)  # what only tests/parity runs, without what it depends on, beside the other packages
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)
WHAT_TO_CLEAN = (".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache", "dist")


def main() -> None:
    """Do what the first argument says."""
    words = sys.argv[1:]
    command, rest = (words[0] if words else "run"), words[1:]
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if command not in ("run", "test", "lint", "setup", "clean"):
        fail(f"{command} is no command; there are: run, test, lint, setup, clean")
    if sys.version_info < (3, 11):  # noqa: UP036
        fail(f"Python {sys.version.split()[0]} is too old; start this with 3.11 or newer: python3.11 bootstrap.py")
    if command == "clean":
        for name in WHAT_TO_CLEAN:
            shutil.rmtree(ROOT / name, ignore_errors=True)
    elif command == "setup":
        set_up(tests=False)
    elif command == "run":
        set_up(tests=False)
        start = [str(PYTHON), "-P", "-m", "anatomia", "run"]
        run(Path.cwd() if rest else ROOT, [*start, *(rest or ["world", "--out", "runs/world"])])
    elif command == "lint":
        set_up(tests=True)
        lint()
    else:
        set_up(tests=True)
        lint()
        test(rest)


def set_up(tests: bool) -> None:
    """Make `.venv` hold the project and what it needs, unless it already does."""
    wanted = hashlib.sha256(
        b"".join((ROOT / name).read_bytes() for name in ("bootstrap.py", "pyproject.toml", "constraints.txt"))
    ).hexdigest()
    have = STAMP.read_text().split() if STAMP.exists() else []
    if have[:1] == [wanted] and ("tests" in have or not tests) and PYTHON.exists():
        return
    tests = tests or "tests" in have
    if not PYTHON.exists():
        say("making .venv")
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            reason = (made.stderr or made.stdout).strip().splitlines()
            fail(
                "this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv "
                f"({reason[-1] if reason else 'no reason given'})"
            )
    STAMP.unlink(missing_ok=True)
    say(f"installing {TORCH} (about 200 MB, once)")
    pip("install", TORCH)
    say("installing anatomia and what it needs")
    pip("install", "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[test]" if tests else str(ROOT))
    if tests:
        pip("install", "--no-deps", "--no-compile", "--upgrade", "--target", str(VENV / "peers"), *PEERS)
    STAMP.write_text(wanted + (" tests" if tests else ""))


def pip(*arguments: str) -> None:
    """Run pip quietly; if it fails, say the part of its words that helps."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return
    words = done.stdout.strip()
    print("\n".join(words.splitlines()[-15:]), file=sys.stderr)
    if any(sign in words for sign in ("NewConnectionError", "Name or service not known", "ConnectTimeout", "resolve")):
        fail("the packages could not be fetched; is there a network connection? Then give the same command again")
    if "No space left" in words:
        fail(f"the disk of {ROOT} is full; about 2 GB are needed. Free some and give the same command again")
    fail(f"pip {' '.join(arguments)} failed; what it said is above")


def lint() -> None:
    """Style, types, and the directions between rooms."""
    for check in CHECKS:
        say(" ".join(check))
        run(ROOT, [str(SCRIPTS / check[0]), *check[1:]])


def test(arguments: list[str]) -> None:
    """The tests, a process per core, each with one thread for numbers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    say("pytest")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run(ROOT, [str(PYTHON), "-m", "pytest", "-n", str(cores), "--dist", "loadgroup", *arguments])


def run(directory: Path, command: list[str]) -> None:
    """Run a command; if it fails, end with its exit code."""
    environment = {"PATH": os.pathsep.join((str(SCRIPTS), os.environ.get("PATH", ""))), "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        code = subprocess.run(command, cwd=directory, env={**os.environ, **environment}).returncode
    except KeyboardInterrupt:  # the command got it too, and has said what there is to say
        code = 130
    if code:
        sys.exit(code if code > 0 else 128 - code)


def say(message: str) -> None:
    """Progress, one line."""
    print(f"bootstrap: {message}", flush=True)


def fail(message: str) -> None:
    """End with one clear line."""
    sys.exit(f"bootstrap: {message}")


if __name__ == "__main__":
    main()
