"""What is shown of a vocabulary."""

from anatomia.tokens.specimens import compare_sentences, cut, first_merges, longest_tokens
from anatomia.tokens.vocabulary import train_vocabulary

TEXTS = ["Zażółć gęślą jaźń, zażółć gęślą jaźń.", "The quick brown fox and the quick brown dog."] * 3


def document(language: str, genre: str | None, text: str) -> dict[str, str | None]:
    return {"language": language, "genre": genre, "text": text}


def test_languages_take_turns_and_stand_together_by_genre() -> None:
    vocabulary = train_vocabulary(TEXTS, 300)
    documents = [
        document("pl", "letter", "Droga Aniu, piszę do Ciebie znad morza."),
        document("pl", "recipe", "Dodaj dwie łyżki mąki i zamieszaj całość."),
        document("en", "recipe", "Add two spoons of flour and stir it all."),
        document("en", "news", "The cup was won by the team of the capital. Short."),
    ]
    found = compare_sentences(vocabulary, documents, each=2)
    assert [(s["language"], s["text"].split()[0]) for s in found] == [
        ("en", "Add"),
        ("pl", "Dodaj"),
        ("en", "The"),
        ("pl", "Droga"),
    ]
    assert found[0]["tokens"] == cut(vocabulary, found[0]["text"])


def test_no_documents_no_sentences() -> None:
    assert compare_sentences(train_vocabulary(TEXTS, 300), []) == []


def test_merges_are_readable_and_come_in_the_order_learnt() -> None:
    vocabulary = train_vocabulary(["żż żż żż żż"], 270)
    assert first_merges(vocabulary, 2)[0] == ["⟨c5⟩", "⟨bc⟩"]
    assert ["ż", "ż"] in first_merges(vocabulary, 5)


def test_the_longest_tokens_are_words_not_marks() -> None:
    longest = longest_tokens(train_vocabulary(TEXTS, 400), 5)
    assert len(longest) == 5
    assert longest == sorted(longest, key=len, reverse=True)
    assert not any("<|" in piece for piece in longest)
