import gzip

import pytest

from anatomia.text.books import LONG, PART, parts, unframe


def joined(text: str) -> str:
    return "".join(text.split())


def test_short_texts_stay_whole():
    text = "Jedno.\n\nDrugie.\n" * 100
    assert list(parts(text)) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"Akapit {i}. " + "Zdanie, które trwa i trwa. " * 12 for i in range(80)),
        "\n".join(f"Wers {i} i jeszcze słowo" for i in range(2000)),
        "Zdanie bez końca wiersza. " * 2000,
        "x" * 30_000,
    ],
)
def test_long_texts_come_in_parts_and_nothing_is_lost(text):
    pieces = list(parts(text))
    assert joined("".join(pieces)) == joined(text)
    if " " in text:
        assert len(pieces) > 1
        assert max(map(len, pieces)) < 2 * PART


def test_parts_begin_with_chapters():
    chapter = "Akapit o niczym. " * 20
    text = "\n\n".join(f"Rozdział {i}\n\n" + "\n\n".join([chapter] * 8) for i in ("I", "II", "III", "IV", "V"))
    assert len(text) > LONG
    assert sum(piece.lstrip().startswith("Rozdział") for piece in parts(text)) == 5


def test_gutenberg_frame_and_broken_lines():
    text = (
        "The Project Gutenberg EBook of X\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"
        "Produced by Somebody\n\nIt was a long line of text that went on for a while\n"
        "until it was broken by someone at "
        "seventy columns, and\nended.\n\nA verse\nis short\n\nEnd of the Project Gutenberg EBook of X\n\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence"
    )
    body = unframe(text).strip()
    assert body.startswith("It was a long line of text that went on for a while until it was broken")
    assert body.endswith("A verse\nis short")


def test_other_texts_are_left_as_they_are():
    text = "-----\nTo nie jest stopka.\nEnd of story."
    assert unframe(text) == text


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("text-en/gutenberg/pg1342-pride-and-prejudice.txt.gz", "PRIDE AND PREJUDICE", "uniting them."),
        (
            "text-en/gutenberg/pg1661-sherlock-holmes.txt.gz",
            "THE ADVENTURES OF SHERLOCK HOLMES",
            "considerable success.",
        ),
        ("text-pl/books/pan-tadeusz.txt", "Księga pierwsza", "Z modrych bławatków i zielonej ruty…"),
        ("text-pl/books/lalka.txt.gz", "Lalka\n", ""),
        ("text-pl/books/quo-vadis.txt.gz", "Rozdział pierwszy", "Quo vadis, Domine?”"),
    ],
)
def test_real_books(real_data, name, first, last):
    data = (real_data / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8-sig").replace("\r\n", "\n")
    body = unframe(text).strip()
    assert body.startswith(first)
    assert body.endswith(last)
    for frame in ("PROJECT GUTENBERG", "Project Gutenberg", "Nowoczesna Polska", "wolnelektury.pl", "1% podatku"):
        assert frame not in body
    assert len(body) > 0.85 * len(text)  # a tenth of Lalka is notes
