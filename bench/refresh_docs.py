"""Runs the commands in the console blocks of README and guide again, and puts in what they print now.

    python bench/refresh_docs.py DIRECTORY

`DIRECTORY` holds `runs/world`, a finished run of the default recipe. In a block that begins with ```console, a line
`$ …` is a command, and what follows up to the next one is its output. Pages that end in .pl.md are run in Polish.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "README.pl.md", "docs/guide.md", "docs/guide.pl.md")
WIDTH = "110"


def main() -> None:
    """Refresh every page."""
    directory = Path(sys.argv[1])
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        parts = re.split(r"(?<=```console\n)(.*?)(?=```)", text, flags=re.S)  # every second part is a block
        language = "pl" if name.endswith(".pl.md") else "en"
        parts[1::2] = [again(block, directory, language) for block in parts[1::2]]
        fresh = "".join(parts)
        (ROOT / name).write_text(fresh, encoding="utf-8", newline="\n")
        print(f"{name}: {'changed' if fresh != text else 'as it was'}")


def again(block: str, directory: Path, language: str) -> str:
    """The block with fresh outputs."""
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "\n".join(f"{command}\n{output(command[2:], directory, language)}" for command in commands)


def output(command: str, directory: Path, language: str) -> str:
    """What a command prints, without spaces at the ends of lines."""
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = os.environ | {"COLUMNS": WIDTH, "ANATOMIA_LANGUAGE": language, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stderr}")
    return "".join(line.rstrip() + "\n" for line in done.stdout.strip("\n").splitlines())


if __name__ == "__main__":
    main()
