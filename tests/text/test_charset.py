import tarfile

import pytest

from anatomia.text.charset import decode

PANGRAM = "Pchnąć w tę łódź jeża lub ośm skrzyń fig. Zażółć gęślą jaźń; źdźbło, żółw i mężczyźni w łóżkach śpią."


@pytest.mark.parametrize("truth", ["utf-8", "iso-8859-2", "cp1250", "utf-16"])
@pytest.mark.parametrize("claim", ["", "utf-8", "iso-8859-1", "iso-8859-2", "windows-1250", "windows-1252", "no-such"])
def test_polish_is_decoded_right_whatever_is_claimed(truth, claim):
    text, _ = decode((PANGRAM * 3).encode(truth), [claim] if claim else [])
    assert text == PANGRAM * 3


def test_the_truth_is_believed():
    german = "Grüße aus Köln: die Straßenbahn fährt übermorgen wieder, sagt der Bürgermeister."
    assert decode(german.encode("iso-8859-1"), ["iso-8859-1"]) == (german, "cp1252")
    russian = "Съешь же ещё этих мягких французских булок, да выпей чаю."
    assert decode(russian.encode("cp1251"), ["windows-1251"])[0] == russian
    assert decode(russian.encode("koi8-r"), ["koi8-r"])[0] == russian
    japanese = "先日、不正に改造した電話を販売したとして、二十代の男性が逮捕されました。"
    for name in ("euc-jp", "shift_jis", "iso-2022-jp"):
        assert decode(japanese.encode(name), [name])[0] == japanese


def test_claims_inside_html_count_after_those_outside():
    page = (
        '<html><meta charset="utf-8"><meta http-equiv=Content-Type content="text/html; charset=iso-8859-2">' + PANGRAM
    )
    assert decode(page.encode("iso-8859-2"), html=True) == (page, "iso-8859-2")


def test_a_few_broken_bytes_do_not_unmake_utf8():
    data = (PANGRAM * 20).encode()
    damaged = data[:50].decode("utf-8", "ignore").encode() + b"\xb3" + data[60:]
    text, encoding = decode(damaged, ["utf-8"])
    assert encoding == "utf-8"
    assert "Zażółć gęślą jaźń" in text


@pytest.mark.real
def test_the_page_that_declares_two_charsets(real_data):
    with tarfile.open(real_data / "html/trafilatura-eval.tar.gz") as archive:
        member = next(m for m in archive.getmembers() if "Ziemniaki" in m.name)
        handle = archive.extractfile(member)
        assert handle is not None
        text, encoding = decode(handle.read(), html=True)
    assert encoding == "iso-8859-2"
    assert "niewidomą" in text or "niewidomej" in text
    assert "szóstej, surówka na dziesiątej" in text
