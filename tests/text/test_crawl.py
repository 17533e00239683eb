import gzip
import io
from collections import Counter
from pathlib import Path

import brotli
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from anatomia.text.crawl import Page, Refused, read_crawl

HTML = b"<html><body><p>Nad rzek\xc4\x85 sta\xc5\x82 stary m\xc5\x82yn.</p></body></html>"


def archive(tmp_path: Path, *responses: tuple[str, bytes, dict[str, str]], zipped: bool = True) -> Path:
    path = tmp_path / ("crawl.warc.gz" if zipped else "crawl.warc")
    with open(path, "wb") as handle:
        writer = WARCWriter(handle, gzip=zipped)
        for number, (status, body, headers) in enumerate(responses):
            http = StatusAndHeaders(status, list(headers.items()), protocol="HTTP/1.1")
            uri = f"http://example.pl/{number}"
            writer.write_record(writer.create_warc_record(uri, "response", io.BytesIO(body), http_headers=http))
    return path


def test_bodies_are_decoded_and_only_pages_with_status_200_come(tmp_path):
    html = {"Content-Type": "text/html; charset=utf-8"}
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HTML), HTML)
    path = archive(
        tmp_path,
        ("200 OK", HTML, html),
        ("200 OK", gzip.compress(HTML), html | {"Content-Encoding": "gzip"}),
        ("200 OK", brotli.compress(HTML), html | {"Content-Encoding": "br"}),
        ("200 OK", chunked, html | {"Transfer-Encoding": "chunked"}),
        ("200 OK", HTML, html | {"Content-Encoding": "gzip"}),  # the crawler decoded and kept the header
        ("404 Not Found", HTML, html),
        ("200 OK", b"\x89PNG", {"Content-Type": "image/png"}),
        ("200 OK", b"zwyk\xc5\x82y tekst", {"Content-Type": "text/plain"}),
    )
    found = list(read_crawl(path, "crawl"))
    pages = [item for item in found if isinstance(item, Page)]
    assert [page.body for page in pages] == [HTML] * 5 + [b"zwyk\xc5\x82y tekst"]
    assert pages[0].charset == "utf-8"
    assert not pages[-1].html
    assert [item.rule for item in found if isinstance(item, Refused)] == ["crawl_status", "crawl_type"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_anywhere_is_noticed_and_what_came_before_kept(tmp_path, zipped):
    path = archive(tmp_path, *[("200 OK", HTML, {"Content-Type": "text/html"})] * 3, zipped=zipped)
    data = path.read_bytes()
    whole = list(read_crawl(path, "crawl"))
    assert len(whole) == 3
    assert all(isinstance(item, Page) for item in whole)
    ends = {0, len(data)}  # a cut between records leaves a smaller, whole file
    position = 0
    while (position := data.find(b"\x1f\x8b\x08\x00" if zipped else b"WARC/1.", position + 1)) > 0:
        ends.add(position)
    for cut in range(60, len(data), 7):
        if cut in ends or (not zipped and any(0 <= end - cut < 4 for end in ends)):
            continue
        path.write_bytes(data[:cut])
        found = list(read_crawl(path, "crawl"))
        assert any(isinstance(item, Refused) and item.rule == "unreadable" for item in found), cut


@pytest.mark.parametrize("zipped", [True, False])
def test_after_damage_reading_goes_on(tmp_path, zipped):
    path = archive(tmp_path, *[("200 OK", HTML, {"Content-Type": "text/html"})] * 5, zipped=zipped)
    data = bytearray(path.read_bytes())
    begins, position = [], -1
    while (position := data.find(b"\x1f\x8b\x08\x00" if zipped else b"WARC/1.", position + 1)) >= 0:
        begins.append(position)
    middle = (begins[2] + begins[3]) // 2
    for damage in (bytes(20), b"\xff" * 20) if zipped else (b"WARC-Type resp\r\n\r\n",):
        place = middle if zipped else begins[2] + 10
        path.write_bytes(data[:place] + damage + data[place + len(damage) :])
        found = list(read_crawl(path, "crawl"))
        sources = [item.source for item in found if isinstance(item, Page)]
        assert sources == [f"http://example.pl/{number}" for number in (0, 1, 3, 4)]
        assert [item.rule for item in found if isinstance(item, Refused)] == ["unreadable"]


@pytest.mark.real
def test_every_real_crawl(real_data):
    """Pages, plain texts and what is refused, per file; the sums are the records that the files are known to have."""
    expected = {
        "assembled-pl-html.warc.gz": {"page": 9},
        "commoncrawl/CC-MAIN-2020-34-head.warc.gz": {"page": 16},
        "commoncrawl/cc_net-sample.warc.wet": {"text": 2, "unreadable": 1},  # its warcinfo runs over a conversion
        "commoncrawl/jwarc-cc.warc.gz": {"page": 1},
        "commoncrawl/whirlwind.warc.gz": {"page": 1},
        "commoncrawl/whirlwind.warc.wat.gz": {},
        "commoncrawl/whirlwind.warc.wet.gz": {"text": 1},
        "edge/clipped.warc.gz": {"unreadable": 1},
        "edge/clueweb09-quirk.warc.gz": {"page": 29},
        "edge/transfer_compression_brotli.warc.gz": {"page": 1, "crawl_type": 1},
        "edge/transfer_compression_gzip.warc.gz": {"page": 1, "crawl_type": 1},
        "edge/transfer_compression_none.warc.gz": {"page": 1, "crawl_type": 1},
        "edge/warcio/bad.arc": {"unreadable": 1},
        "edge/warcio/example-bad-non-chunked.warc.gz": {"page": 1},
        "edge/warcio/example-bad.warc.gz.bad": {"page": 1, "crawl_status": 1},
        "edge/warcio/example-iana.org-chunked.warc": {"page": 1},
        "edge/warcio/example-resource.warc.gz": {"page": 1},
        "edge/warcio/example-trunc.warc": {"page": 1, "unreadable": 1},
        "edge/warcio/example-wget-bad-target-uri.warc.gz": {"page": 1, "crawl_type": 2},
        "edge/warcio/example-wrong-chunks.warc.gz": {"page": 1},
        "edge/warcio/example.arc": {"unreadable": 1},
        "edge/warcio/example.warc": {"page": 1},
        "edge/warcio/example.warc.gz": {"page": 1},
        "edge/warcio/post-test.warc.gz": {"crawl_type": 3},
        "heritrix-2008-archive-org.warc.gz": {"page": 94, "text": 3, "crawl_type": 160, "crawl_status": 42},
        "wget-2024-sample-0000.warc.gz": {"page": 22, "crawl_type": 2},
    }
    root = real_data / "warc"
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        items = list(read_crawl(path, path.name))
        names = Counter(i.rule if isinstance(i, Refused) else "page" if i.html else "text" for i in items)
        found[str(path.relative_to(root))] = dict(names)
        assert not any(item.source.startswith("<") for item in items)
    assert found == expected


@pytest.mark.real
def test_compressed_transfers_give_the_same_page(real_data):
    bodies = set()
    for name in ("brotli", "gzip", "none"):
        path = real_data / f"warc/edge/transfer_compression_{name}.warc.gz"
        bodies |= {item.body for item in read_crawl(path, name) if isinstance(item, Page)}
    assert len(bodies) == 1
