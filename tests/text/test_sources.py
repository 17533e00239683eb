import bz2
import gzip
import json
import lzma
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from anatomia.base.errors import UserError
from anatomia.text import readers
from anatomia.text.crawl import Page, Refused
from anatomia.text.document import Document
from anatomia.text.sources import files_of, read

TEXT = "Zażółć gęślą jaźń.\nDrugi wiersz."
PACKERS = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def texts(path):
    return [item.text for item in read(path) if isinstance(item, Document)]


def refused(path):
    return [item.reason for item in read(path) if isinstance(item, Refused)]


def test_globs_name_files_once_in_order(tmp_path):
    for name in ("b.txt", "a.txt", "deep/c.txt", "deep/d.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "odd [1].txt").write_text("x", encoding="utf-8")
    names = [
        path.relative_to(tmp_path).as_posix() for path in files_of(["**/*.txt", "world", "a.txt", "deep/*"], tmp_path)
    ]
    assert names == ["a.txt", "b.txt", "deep/c.txt", "odd [1].txt", "deep/d.jsonl"]
    assert [path.name for path in files_of(["odd [1].txt"], tmp_path)] == ["odd [1].txt"]


def test_home_and_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    assert files_of(["~/a.txt", f"{tmp_path}/*.txt"], tmp_path / "elsewhere") == [tmp_path / "a.txt"]


def test_what_matches_nothing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"corpus.sources: 'nothing/\*.txt' matches no file"):
        files_of(["nothing/*.txt"], tmp_path)
    with pytest.raises(UserError, match="is a directory"):
        files_of(["."], tmp_path)


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.jsonl"])
def test_compression_is_told_by_content(tmp_path, name, suffix):
    path = tmp_path / (name + suffix)
    data = json.dumps({"text": TEXT}) if name.endswith("jsonl") else TEXT
    path.write_bytes(PACKERS[suffix](data.encode()))
    assert texts(path) == [TEXT]
    misnamed = tmp_path / ("misnamed_" + name)
    misnamed.write_bytes(path.read_bytes())
    assert texts(misnamed) == [TEXT]


@pytest.mark.parametrize("suffix", [suffix for suffix in PACKERS if suffix])
def test_a_cut_file_is_noticed_and_its_beginning_kept(tmp_path, suffix):
    path = tmp_path / f"a.jsonl{suffix}"
    lines = [json.dumps({"text": f"{i} {hash_free(i)}"}) for i in range(5000)]
    data = PACKERS[suffix]("\n".join(lines).encode())
    path.write_bytes(data[: len(data) * 2 // 3])
    found = list(read(path))
    assert any(isinstance(item, Refused) and "cut short or damaged" in item.reason for item in found)
    if suffix != ".bz2":  # a single block: all or nothing
        assert texts(path)[0] == json.loads(lines[0])["text"]


def hash_free(i: int) -> str:
    """Text that does not compress away."""
    return " ".join(str(pow(7, i * 31 + k, 1_000_003)) for k in range(20))


def test_json_lines_with_other_keys_and_bad_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [
        '{"content": "jeden", "title": "T", "language": "pl"}',
        "{broken",
        "",
        '{"raw_content": "dwa\u2028trzy"}',
        '{"other": 1}',
        '"goły tekst"',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = list(read(path, "a.jsonl"))
    documents = [item for item in found if isinstance(item, Document)]
    assert [document.text for document in documents] == ["jeden", "dwa\u2028trzy", "goły tekst"]
    assert documents[0].meta == {"title": "T"}
    assert documents[0].language == "pl"
    assert [item.source for item in found if isinstance(item, Refused)] == ["a.jsonl:2", "a.jsonl:5"]


def test_json_lists_objects_and_lines_under_the_wrong_name(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([{"text": "a"}, {"text": "b"}], indent=1), encoding="utf-8")
    assert texts(tmp_path / "list.json") == ["a", "b"]
    (tmp_path / "lines.json").write_text('{"text": "a"}\n{"text": "b"}', encoding="utf-8")
    assert texts(tmp_path / "lines.json") == ["a", "b"]
    (tmp_path / "articles.json").write_text(json.dumps({"1": "Artykuł.", "2": "Drugi."}, indent=1), encoding="utf-8")
    assert texts(tmp_path / "articles.json") == ["Artykuł.\n\nDrugi."]
    (tmp_path / "broken.json").write_text('[{"text": "a"},', encoding="utf-8")
    assert "no valid JSON" in refused(tmp_path / "broken.json")[0]


def test_tables(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("1\tk\tpierwszy\\nwiersz i dalej\r\n2\tk\tukośnik \\\\n nie łamie\u2028wiersza\n".encode())
    assert texts(path) == ["pierwszy\nwiersz i dalej", "ukośnik \\n nie łamie\u2028wiersza"]
    path.write_text("id\ttext\tmuch_longer_column\n1\tA\txxxxxxxxxx\n", encoding="utf-8")
    assert texts(path) == ["A"]


def test_a_text_too_large_for_memory_comes_in_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "STRETCH", 30_000)
    lines = [f"Wiersz {i}: zażółć gęślą jaźń, pchnąć w tę łódź jeża." for i in range(5000)]
    (tmp_path / "big.txt").write_bytes("\r\n".join(lines).encode("cp1250"))
    documents = [item for item in read(tmp_path / "big.txt") if isinstance(item, Document)]
    assert "\n".join(document.text for document in documents).split("\n") == lines
    assert [document.meta["part"] for document in documents] == list(range(1, len(documents) + 1))


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"url": ["u1", "u2"], "text": ["jeden", "dwa"], "score": [1, 2]}), path)
    documents = [item for item in read(path) if isinstance(item, Document)]
    assert [(document.text, document.meta) for document in documents] == [
        ("jeden", {"url": "u1"}),
        ("dwa", {"url": "u2"}),
    ]
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(path)


def test_html_pages(tmp_path):
    (tmp_path / "a.html").write_text("<p>x", encoding="utf-8")
    (tmp_path / "page").write_text("<!DOCTYPE html><p>x", encoding="utf-8")
    assert all(isinstance(item, Page) for name in ("a.html", "page") for item in read(tmp_path / name))


def test_files_that_are_no_text_say_what_they_are(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        (tmp_path / "x").write_text("x", encoding="utf-8")
        archive.add(tmp_path / "x", "x")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    assert "a tar archive" in refused(tmp_path / "a.tar.gz")[0]
    assert "a PDF" in refused(tmp_path / "a.pdf")[0]
    assert "no text" in refused(tmp_path / "binary")[0]
    (tmp_path / "empty.txt").write_bytes(b"")
    assert texts(tmp_path / "empty.txt") == [""]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("text-pl/ocr-books/edge/expected.tsv", 14),
        ("text-pl/ocr-books/edge/in.tsv", 14),
        ("text-pl/ocr-books/dev-0/expected.tsv.xz", 5508),
        ("text-pl/ocr-books/dev-0/in-first2000.tsv.xz", 2000),
        ("text-pl/wikipunct/train/in.tsv.gz", 800),
        ("text-pl/web/wikimedia-pl-goose3.jsonl.gz", 519),
        ("text-en/c4_demo.jsonl.gz", 240),
        ("text-en/arxiv.jsonl.gz", 20),
        ("quality-labels/agreement_data.jsonl.gz", 224),
    ],
)
def test_real_files_have_as_many_records_as_described(real_data, name, count):
    assert len(texts(real_data / name)) == count


@pytest.mark.real
def test_escapes_of_ocr_pages(real_data):
    pages = texts(real_data / "text-pl/ocr-books/edge/expected.tsv")
    assert sum("\u2028" in page for page in pages) == 1
    assert sum("\\" in page for page in pages) == 2
    assert all("\n" in page for page in pages)


@pytest.mark.real
def test_nothing_in_the_real_data_makes_reading_raise(real_data):
    seen = 0
    for path in sorted(real_data.rglob("*")):
        if path.is_file() and path.stat().st_size < 700_000:
            for item in read(path):
                assert isinstance(item, Document | Page | Refused)
                seen += 1
    assert seen > 10_000
