import gzip
import json
import re
import tarfile
from collections import Counter

import pytest

from anatomia.text.extract import extract

PAGE = """<html><head><title>O młynie - Gazeta</title><script>var a = "nie";</script></head><body>
<nav><ul><li><a href=/>Strona główna</a><li><a href=/k>Kontakt</a></ul></nav>
<article><h1>O młynie</h1><p>Nad rzeką stał stary młyn, w którym od lat nikt nie mieszkał.</p>
<p>A jednak co wieczór paliło się w nim światło, które było widać z daleka.</p></article>
<p>Nasza strona używa plików cookies, aby działać lepiej i szybciej.</p><footer>Gazeta s.c.</footer></body></html>"""


def test_keeps_the_article_and_leaves_the_frame():
    text, title = extract(PAGE.encode("iso-8859-2"), ["iso-8859-2"])
    assert title == "O młynie - Gazeta"
    assert "Nad rzeką stał stary młyn" in text
    assert "widać z daleka." in text
    for frame in ("Kontakt", "cookies", "var a", "s.c."):
        assert frame not in text
    assert "\n" in text  # paragraphs stay apart


@pytest.mark.parametrize(
    "data", [b"", b"<", b"<html></html>", b"\x00\xff\xfe\x00", b"<p>" * 5000, b"<!--", b"\xff" * 100]
)
def test_survives_anything(data):
    text, _ = extract(data)
    assert isinstance(text, str)


@pytest.mark.real
def test_article_benchmark(real_data):
    """4-gram shingle F1 as the benchmark computes it: 0.918 here; 0.908 with Resiliparse's extraction alone."""
    gold = json.loads(gzip.decompress((real_data / "html/article-extraction-ground-truth.json.gz").read_bytes()))
    hits = extra = missed = 0.0
    with tarfile.open(real_data / "html/article-extraction-benchmark.tar") as archive:
        for member in filter(tarfile.TarInfo.isfile, archive.getmembers()):
            data = gzip.decompress(archive.extractfile(member).read())  # type: ignore[union-attr]
            wanted = shingles(gold[member.name.split("/")[-1].split(".")[0]]["articleBody"])
            found = shingles(extract(data)[0])
            common = sum((wanted & found).values())
            union = max(1, sum(wanted.values()) + sum(found.values()) - common)
            hits += common / union
            extra += (sum(found.values()) - common) / union
            missed += (sum(wanted.values()) - common) / union
    precision, recall = hits / (hits + extra), hits / (hits + missed)
    assert 2 * precision * recall / (precision + recall) > 0.91


@pytest.mark.real
def test_trafilatura_evaluation(real_data):
    """Snippets that must stay and must go, in eight languages: F1 0.848 here; 0.818 with Resiliparse alone."""
    gold = json.loads((real_data / "html/evaldata.json").read_text(encoding="utf-8"))
    counts: Counter[tuple[bool, bool]] = Counter()
    with tarfile.open(real_data / "html/trafilatura-eval.tar.gz") as archive:
        files = {member.name.split("/")[-1]: member for member in archive.getmembers()}
        for entry in gold.values():
            text, _ = extract(archive.extractfile(files[entry["file"]]).read())  # type: ignore[union-attr]
            for wanted, key in ((True, "with"), (False, "without")):
                counts.update((wanted, snippet in text) for snippet in entry[key])
    precision = counts[True, True] / (counts[True, True] + counts[False, True])
    recall = counts[True, True] / (counts[True, True] + counts[True, False])
    assert 2 * precision * recall / (precision + recall) > 0.84


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[i : i + 4]) for i in range(max(1, len(words) - 3))) if words else Counter()
