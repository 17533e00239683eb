from hypothesis import given
from hypothesis import strategies as st

from anatomia.text.normal import normalise


def test_line_ends_spaces_and_gaps():
    assert normalise("  a\r\nb\rc \u2028 d\t\u00a0 e\n\n\n\n f  ") == "a\nb\nc\nd e\n\nf"


def test_invisible_characters_go_but_joiners_of_words_and_emoji_stay():
    assert normalise("\ufeffdo\u00adm\u200bek\x00\x07\ud800") == "domek"
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert normalise(family) == family
    assert (
        normalise("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
        == "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    )


def test_composes_polish_letters():
    assert normalise("z\u0307o\u0301łc\u0301") == "żółć"


def test_leaves_mojibake_alone():
    assert normalise("Å‚Ã³dÅº") == "Å‚Ã³dÅº"


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_idempotent(text):
    once = normalise(text)
    assert normalise(once) == once
    once.encode("utf-8")
