"""The page that people rank on: what its server answers, to several at once and to those it should not."""

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from anatomia.base.errors import UserError
from anatomia.feedback.desk import Desk
from anatomia.feedback.ranking import Candidates
from anatomia.feedback.store import RankingStore
from anatomia.sentences import sentence
from anatomia.serve.ranking import RankingServer, texts

HELD_OUT = 60.0  # seconds until a request that nobody answers fails the test


def candidates(number: int, count: int = 4) -> Candidates:
    prompt = ({"role": "user", "content": f"Pytanie {number}?"},)
    return Candidates(f"p{number}", prompt, tuple(f"{number}.{answer}" for answer in range(count)))


def serve(path: Path, prompts: int = 10, **settings: Any) -> RankingServer:
    desk = Desk([candidates(number) for number in range(prompts)], RankingStore(path))
    translate = {"en": str, "pl": sentence}
    server = RankingServer(desk, "runs/świat", translate=lambda text, language: translate[language](text), **settings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rankings.sqlite"


@pytest.fixture
def server(path: Path) -> Iterator[RankingServer]:
    with serve(path) as server:
        yield server
        server.shutdown()


def request(
    server: RankingServer, method: str, where: str, body: bytes = b"", **headers: str
) -> tuple[int, http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=HELD_OUT)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, where, body or None, sent)
        response = connection.getresponse()
        return response.status, response, response.read()
    finally:
        connection.close()


def call(server: RankingServer, what: str, **given: Any) -> dict[str, Any]:
    status, _, body = request(
        server, "POST", f"/api/{what}", json.dumps(given).encode(), Content_Type="application/json"
    )
    return {"status": status, **json.loads(body)}


def answer(server: RankingServer, name: str, asked: dict[str, Any], twice: bool = False) -> dict[str, Any]:
    """Put the answers in the order of their numbers."""
    letters = sorted(range(len(asked["answers"])), key=lambda place: asked["answers"][place]["text"])
    given = {key: asked[key] for key in ("key", "ticket", "shown")}
    for _ in range(1 + twice):
        found = call(server, "rank", name=name, groups=[[place] for place in letters], **given)
        assert found["status"] == 200
    return found


def test_people_who_rank_at_once_on_two_servers_lose_nothing_and_double_nothing(path: Path) -> None:
    names = ["Ala", "Żaneta", "../x", "张伟"]
    with serve(path, 6) as one, serve(path, 6) as other:

        def work(job: tuple[RankingServer, str]) -> None:
            """Rank until nothing is left, as two windows under each name do, and send every third answer twice."""
            server, name = job
            found = call(server, "ask", name=name)
            for step in range(20):
                if found["question"] is None:
                    return
                found = answer(server, name, found["question"], twice=step % 3 == 0)
            raise AssertionError("does not end")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, [(server, name) for name in names for server in (one, other)], timeout=300))
        progress = call(one, "progress")
        one.shutdown()
        other.shutdown()
    standing = RankingStore(path).rankings()
    assert sorted((one.annotator, one.prompt_id) for one in standing) == sorted(
        (name, f"p{number}") for name in names for number in range(6)
    )
    assert all(one.groups == ((0,), (1,), (2,), (3,)) for one in standing)
    assert {(one["name"], one["rankings"], one["left"], one["tau"]) for one in progress["people"]} == {
        (name, 6, 0, 1.0) for name in names
    }


def test_a_person_comes_back_and_takes_back(server: RankingServer) -> None:
    found = call(server, "ask", name="Ala")
    assert (found["given"], found["left"], found["last"]) == (0, 10, None)
    first = found["question"]
    found = answer(server, "Ala", first)
    assert found["kept"]
    assert (found["given"], found["left"]) == (1, 9)
    assert call(server, "start")["names"] == ["Ala"]
    assert call(server, "sit", name=" ala ")["name"] == "Ala"
    number = call(server, "ask", name="Ala")["last"]
    assert not call(server, "take-back", name="Ola", number=number)["taken_back"]
    found = call(server, "take-back", name="Ala", number=number)
    assert found["taken_back"]
    assert found["question"]["answers"] == first["answers"]
    found = call(server, "take-back", name="Ala", number=number)  # pressed twice
    assert not found["taken_back"]
    assert (found["given"], found["last"]) == (0, None)


def test_skipped_prompts_are_not_asked(server: RankingServer) -> None:
    skipped: list[str] = []
    while (asked := call(server, "ask", name="Ala", skipped=skipped)["question"]) is not None:
        assert asked["key"] not in skipped
        skipped.append(asked["key"])
    assert len(skipped) == 10


@pytest.mark.parametrize(
    "given",
    [
        {"groups": [[0], [1], [2]]},
        {"groups": [[0], [1], [2], [3], [3]]},
        {"groups": [[0], [1], [2], ["3"]]},
        {"groups": [[0], [1], [2], [True]]},
        {"groups": "0123"},
        {"groups": None},
        {"key": "nobody"},
        {"key": ["x"]},
        {"shown": [0, 1, 2, 9]},
        {"shown": []},
        {"ticket": "x"},
        {"ticket": 7},
        {"name": None},
    ],
)
def test_what_no_page_of_ours_sends_is_refused_and_not_kept(server: RankingServer, given: dict[str, Any]) -> None:
    asked = call(server, "ask", name="Ala")["question"]
    right = {key: asked[key] for key in ("key", "ticket", "shown")} | {"name": "Ala", "groups": [[0], [1], [2], [3]]}
    assert call(server, "rank", **(right | given)) == {"status": 400, "error": "wrong"}
    assert server.desk.store.rankings() == []


def test_broken_requests_are_answered(server: RankingServer) -> None:
    send = {"Content_Type": "application/json"}
    for body in (b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"nul"):
        assert request(server, "POST", "/api/ask", body, **send)[0] == 400
    assert request(server, "POST", "/api/nothing", b"{}", **send)[0] == 400
    assert request(server, "GET", "/../../etc/passwd")[0] == 404
    assert request(server, "POST", "/api/ask", b"{}", Content_Length="99999999999", **send)[0] == 413
    assert request(server, "DELETE", "/")[0] == 501
    assert call(server, "ask", name="Ala")["status"] == 200


@pytest.mark.parametrize("name", ["", "x" * 500, "simulated:ada", "a\nb\x00", "\ud800"])
def test_a_name_that_will_not_do_is_told_in_the_persons_language(server: RankingServer, name: str) -> None:
    said = [call(server, "sit", name=name, language=language) for language in ("en", "pl")]
    assert [one["status"] for one in said] == [409, 409]
    assert said[0]["detail"].startswith(("the name", "a name"))
    assert said[1]["detail"].startswith("imię")


def test_a_store_that_cannot_be_written_is_told_and_the_server_goes_on(server: RankingServer, path: Path) -> None:
    asked = call(server, "ask", name="Ala")["question"]
    whole = path.read_bytes()
    path.write_bytes(b"x" * len(whole))
    given = {key: asked[key] for key in ("key", "ticket", "shown")}
    found = call(server, "rank", name="Ala", groups=[[0], [1], [2], [3]], language="pl", **given)
    assert (found["status"], found["error"]) == (409, "said")
    assert "nic nie zapisano" in found["detail"]
    path.write_bytes(whole)
    assert answer(server, "Ala", asked)["kept"]


def test_other_sites_cannot_rank_in_ones_name(server: RankingServer) -> None:
    body = json.dumps({"name": "Ala"}).encode()
    own = f"127.0.0.1:{server.server_port}"
    json_ = {"Content_Type": "application/json"}
    assert request(server, "POST", "/api/ask", body, Origin=f"http://{own}", **json_)[0] == 200
    assert request(server, "POST", "/api/ask", body, Origin="http://evil.example", **json_)[0] == 403
    assert request(server, "POST", "/api/ask", body, Content_Type="text/plain")[0] == 403
    assert request(server, "POST", "/api/ask", body, Host="evil.example", **json_)[0] == 403
    assert request(server, "GET", "/", Host="evil.example")[0] == 403
    _, response, page = request(server, "GET", "/")
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert b"<script type" in page


def test_who_comes_from_elsewhere_needs_the_key(path: Path) -> None:
    with serve(path, host="0.0.0.0") as server:
        assert server.key
        assert server.url.endswith(f"/?key={server.key}")
        body, json_ = json.dumps({"name": "Ala"}).encode(), {"Content_Type": "application/json"}
        assert request(server, "GET", "/")[0] == 200  # the page itself says nothing of the run
        assert request(server, "POST", "/api/ask", body, **json_)[0] == 403
        assert request(server, "POST", "/api/ask", body, X_Key="x", **json_)[0] == 403
        assert request(server, "POST", "/api/ask", body, X_Key=server.key, **json_)[0] == 200
        server.shutdown()


@pytest.mark.parametrize("port", [None, 70_000])
def test_a_port_that_cannot_be_had_is_named(server: RankingServer, path: Path, port: int | None) -> None:
    with pytest.raises(UserError, match=r"nothing can listen at 127\.0\.0\.1, port \d+: .*--port"):
        RankingServer(server.desk, "", port=port or server.server_port)


def test_both_languages_say_the_same_things() -> None:
    assert texts()["pl"].keys() == texts()["en"].keys()
    for key, english in texts()["en"].items():
        holes = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (english, texts()["pl"][key])]
        assert holes[0] == holes[1], key
