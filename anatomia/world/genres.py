"""All genres and how often each is written."""

from collections.abc import Callable
from itertools import accumulate

from anatomia.world import genres_daily as daily
from anatomia.world import genres_reference as reference
from anatomia.world import genres_story as stories
from anatomia.world.maker import Maker

WEIGHTS: list[tuple[str, int, Callable[[Maker], str]]] = [
    ("encyclopedia", 10, reference.encyclopedia),
    ("lecture", 9, reference.lecture),
    ("guide", 5, reference.guide),
    ("register", 4, reference.register),
    ("quiz", 9, reference.quiz),
    ("faq", 7, reference.faq),
    ("chronicle", 4, reference.chronicle),
    ("family", 4, reference.family),
    ("comparison", 5, reference.comparison),
    ("riddle", 3, reference.riddle),
    ("exercises", 2, reference.exercises),
    ("counting", 1, reference.counting),
    ("story", 5, stories.story),
    ("events", 5, stories.events),
    ("letter", 5, stories.letter),
    ("diary", 3, stories.diary),
    ("talk", 5, stories.talk),
    ("news", 3, stories.news),
    ("toast", 3, stories.toast),
    ("interview", 3, stories.interview),
    ("recipe", 3, daily.recipe),
    ("notice", 3, daily.notice),
    ("match_report", 4, daily.match_report),
    ("seasons", 3, daily.seasons),
    ("timetable", 2, daily.timetable),
    ("forecast", 3, daily.forecast),
    ("postcard", 3, daily.postcard),
    ("nature", 4, daily.nature),
    ("meeting", 3, daily.meeting),
]
GENRES = [(name, write) for name, _, write in WEIGHTS]
BOUNDS = list(accumulate(weight for _, weight, _ in WEIGHTS))
