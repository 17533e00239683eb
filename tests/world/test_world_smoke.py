"""A thin check that the world works from end to end; the other tests go into its parts."""

from anatomia.world import SimulatedRankers, World


def test_world_makes_texts_dialogues_and_rankings() -> None:
    world = World(1)
    assert 700 <= len(world.facts) <= 1000
    assert all(document.text for document in world.documents(0, 0, 50))
    for dialogue in world.dialogues(0, 500):
        if dialogue.meta["question_id"]:
            assert world.judge(dialogue.meta["question_id"], dialogue.turns[-1].content, True).exact
    prompt = world.prompts("held_out", 0, 1)[0]
    question = world.question(prompt.meta["question_id"])
    rankings = SimulatedRankers(world, 3, 0).rank(prompt, [question.full, "Hm."], [True, True], "p")
    assert [ranking.groups[0] for ranking in rankings] == [(0,)] * 3
