"""The small made-up bilingual world that the embedded default trains on, and its simulated rankers."""

from anatomia.world.facts import Fact
from anatomia.world.judge import Verdict
from anatomia.world.questions import Question
from anatomia.world.rankers import SimulatedRankers
from anatomia.world.world import World

__all__ = ["Fact", "Question", "SimulatedRankers", "Verdict", "World"]
