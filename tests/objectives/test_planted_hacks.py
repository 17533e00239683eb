"""A sample of `python -m bench.guard`: planted hacks that were learnt are named, nothing is where rewards are sound."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = {"long": "longer", "short": "shorter", "repetition": "repetition", "keyword": "keyword", "language": "language"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_one_hack_of_each_kind_is_named_and_sound_runs_get_no_word(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.guard", "--run", str(tmp_path / "run"), "--planted", "5", "--clean", "2"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    runs = re.findall(r"^(planted|clean) (\S+).*named \[(.*?)\] after", said.stdout, re.M)
    assert [kind for sort, kind, _ in runs if sort == "planted"] == list(KINDS)
    for sort, kind, named in runs:
        if sort == "planted":
            assert KINDS[kind] in named, said.stdout
        else:
            assert named == "", said.stdout
    assert len(runs) == 7
    assert "planted: 5 of 5 named (5 learnt); false alarms in clean runs: 0 of 2" in said.stdout
