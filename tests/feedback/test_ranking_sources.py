"""Rankings from files in the layouts that datasets have."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from anatomia.base.errors import UserError
from anatomia.feedback.ranking import Ranking
from anatomia.feedback.sources import read_rankings


def write(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "some.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def hh(chosen: str, rejected: str) -> dict[str, str]:
    return {"chosen": chosen, "rejected": rejected}


@pytest.mark.parametrize(
    ("name", "rankings", "annotators", "remarks"),
    [
        # Two pairs part before the last turn; in two more the answer goes on with a made-up turn of the human's.
        (
            "hh-rlhf/harmless-base/test.jsonl.gz",
            1800,
            1,
            {"transcripts that part before the last turn (kept up to there)": 4},
        ),
        ("oasst/en_100_tree.jsonl", 172, 1, {}),
        ("pandalm/testset-v1.json", 2400, 3, {}),
        ("squality/human-eval-first16.jsonl.gz", 240, 4, {}),
        ("dpo_en_demo.json.gz", 300, 1, {}),
        ("rasbt-instruction-data-with-preference.json", 1094, 1, {"equal completions": 6}),
        ("wmt/sample-fr-en-test.csv", 200, 47, {}),
        ("wmt/sample-fr-en-train.csv.gz", 9996, 218, {}),
        ("wmt/wmt16.tur-eng.csv.gz", 970, 33, {}),
    ],
)
@pytest.mark.real
def test_real_files_are_read_whole(
    real_data: Path, name: str, rankings: int, annotators: int, remarks: dict[str, int]
) -> None:
    counted: Counter[str] = Counter()
    found = list(read_rankings([real_data / "preference" / name], counted))
    assert (len(found), len({ranking.annotator for ranking in found}), dict(counted)) == (rankings, annotators, remarks)
    assert all(ranking.prompt[-1]["role"] == "user" for ranking in found)
    texts: dict[str, tuple[str, ...]] = {}
    assert all(texts.setdefault(one.prompt_id, one.completions) == one.completions for one in found)


@pytest.mark.real
def test_real_pairs_that_part_early_are_cut_where_they_part(real_data: Path) -> None:
    found = list(read_rankings([real_data / "preference/hh-rlhf/harmless-base/test.jsonl.gz"]))
    kings = next(one for one in found if one.prompt[-1]["content"] == "Isn't that drag kings?")
    assert kings.completions[0] == "No. Men who impersonate stereotypical women are called drag kings."
    assert kings.completions[1].startswith("A drag king is the opposite")


@pytest.mark.real
def test_real_pandalm_labels(real_data: Path) -> None:
    found = list(read_rankings([real_data / "preference/pandalm/testset-v1.json"]))
    labels = {((0, 1),): 0, ((0,), (1,)): 1, ((1,), (0,)): 2}
    counted = Counter(labels[ranking.groups] for ranking in found)
    records = json.loads((real_data / "preference/pandalm/testset-v1.json").read_bytes())
    assert counted == Counter(record[f"annotator{n}"] for record in records for n in (1, 2, 3))


@pytest.mark.real
def test_real_wmt_pairs_are_put_together_again(real_data: Path) -> None:
    found = list(read_rankings([real_data / "preference/wmt/wmt16.tur-eng.csv.gz"]))
    assert Counter(len(ranking.completions) for ranking in found)[5] == 922
    first = found[0]
    place = {first.completions[i]: rank for rank, group in enumerate(first.groups) for i in group}
    assert place["newstest2016.dvorkanton.4346.tr-en"] < place["newstest2016.tbtk-syscomb.4509.tr-en"]
    assert place["newstest2016.tbtk-syscomb.4509.tr-en"] == place["newstest2016.jhu-syntax.4391.tr-en"]


def test_the_prompt_of_an_hh_pair_is_what_both_share(tmp_path: Path) -> None:
    start = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant:"
    (ranking,) = read_rankings([write(tmp_path, hh(f"{start} See you.", f"{start} Go."))])
    assert [message["content"] for message in ranking.prompt] == ["Hi", "Hello", "Bye"]
    assert ranking.completions == ("See you.", "Go.")
    assert ranking.groups == ((0,), (1,))
    assert ranking.annotator == "file:some.jsonl"


def test_pairs_that_say_nothing_are_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        hh("\n\nHuman: Hi\n\nAssistant: Yes", "\n\nHuman: Hi\n\nAssistant: Yes"),
        hh("\n\nHuman: Hi\n\nAssistant: Yes", "\n\nHuman: Ho\n\nAssistant: No"),
        {"prompt": "Hi", "chosen": "Yes", "rejected": "Yes"},
    )
    remarks: Counter[str] = Counter()
    assert list(read_rankings([path], remarks)) == []
    assert sum(remarks.values()) == 3


def test_siblings_without_a_rank_are_not_placed(tmp_path: Path) -> None:
    replies = [
        {"text": text, "role": "assistant", "rank": rank, "replies": []}
        for text, rank in (("worse", 1), ("unranked", None), ("best", 0))
    ]
    root = {
        "text": "Ask",
        "role": "prompter",
        "replies": [*replies, {"text": "x", "role": "assistant", "deleted": True}],
    }
    (ranking,) = read_rankings([write(tmp_path, {"message_tree_id": "t", "prompt": root})])
    assert [[ranking.completions[i] for i in group] for group in ranking.groups] == [["best"], ["worse"]]
    assert sorted(ranking.completions) == ["best", "unranked", "worse"]


def test_star_ratings_become_rankings(tmp_path: Path) -> None:
    record = {"prompt": "Ask", "completions": ["a", "b", "c", "d"], "stars": [3, 5, None, 3], "annotator": "ola"}
    (ranking,) = read_rankings([write(tmp_path, record)])
    assert ranking.groups == ((1,), (0, 3))
    assert ranking.annotator == "file:some.jsonl:ola"


def test_our_own_rankings_come_back_as_they_were(tmp_path: Path) -> None:
    prompt = ({"role": "user", "content": "Ask"},)
    given = [Ranking("p", prompt, ("a", "b"), ((1,), (0,)), "ola", 12.5), Ranking("p", prompt, ("a", "b"), (), "jan")]
    assert list(read_rankings([write(tmp_path, *(one.to_json() | {"split": "train"} for one in given))])) == given


def test_pairs_as_messages(tmp_path: Path) -> None:
    record = {
        "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Ask"}],
        "chosen": [{"role": "assistant", "content": "Yes"}],
        "rejected": {"role": "assistant", "content": "No"},
    }
    (ranking,) = read_rankings([write(tmp_path, record)])
    assert [message["role"] for message in ranking.prompt] == ["system", "user"]
    assert ranking.completions == ("Yes", "No")


def test_pairs_of_whole_message_lists(tmp_path: Path) -> None:
    ask = {"role": "user", "content": "Ask"}
    record = {answer: [ask, {"role": "assistant", "content": answer}] for answer in ("chosen", "rejected")}
    (ranking,) = read_rankings([write(tmp_path, record)])
    assert ranking.prompt == (ask,)
    assert ranking.completions == ("chosen", "rejected")


def test_rows_of_trees_rank_as_the_trees_do(tmp_path: Path) -> None:
    def row(name: str, parent: str | None, role: str, rank: int | None) -> dict[str, Any]:
        return {"message_id": name, "parent_id": parent, "text": f"text {name}", "role": role, "rank": rank}

    rows = [
        row("b", "a", "assistant", 1),
        row("a", None, "prompter", None),
        row("c", "a", "assistant", 0),
        row("d", "c", "prompter", None),
        row("lost", "gone", "assistant", 0),
        row("e", None, "prompter", None),
    ]
    (ranking,) = read_rankings([write(tmp_path, *rows)])
    assert ranking.prompt == ({"role": "user", "content": "text a"},)
    assert [ranking.completions[group[0]] for group in ranking.groups] == ["text c", "text b"]


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"text": "x"}, "unknown layout with the keys text; known are: our rankings"),
        ({"prompt": "x", "completions": ["a", "b"]}, "holds completions that nobody ranked"),
        (
            {"prompt": "x", "completions": ["a", "b"], "stars": [1]},
            "stars has one number for each completion (2)",
        ),
        ({"prompt": "x", "completions": ["a"], "stars": ["good"]}, "stars is a number, not 'good'"),
        (
            {"instruction": "x", "response1": "a", "response2": "b", "annotator1": 3},
            "annotator1 is 0 (tie), 1 or 2, not 3",
        ),
        ({"message_tree_id": "t", "prompt": {"text": "x"}}, "is not what its keys promise (KeyError: 'role')"),
        ({"message_tree_id": "t", "prompt": "x"}, "prompt is the first message of a tree"),
        (
            {"prompt_id": "p", "prompt": [], "completions": ["a"], "groups": [[1]], "annotator": "ola"},
            "no ranking of ours (ValueError",
        ),
    ],
)
def test_what_is_wrong_names_file_record_and_why(tmp_path: Path, record: dict[str, Any], complaint: str) -> None:
    path = write(tmp_path, record)
    with pytest.raises(UserError) as caught:
        list(read_rankings([path]))
    assert f"{path}, record 1: " in str(caught.value)
    assert complaint in str(caught.value)
