"""What the terminal says, in English and Polish."""

import os
from collections.abc import Mapping
from typing import Literal

from anatomia.sentences import sentence

Language = Literal["en", "pl"]
LANGUAGE = "ANATOMIA_LANGUAGE"  # stands above the locale

POLISH = {
    "unchanged": "bez zmian",
    "note": "uwaga",
    "error": "błąd",
    "; see anatomia --help": "; zobacz anatomia --help",
    "{time} left": "zostało {time}",
    "{number} tokens/s": "{number} tokenów/s",
    "{share} of the machine's limit": "{share} możliwości maszyny",
    "step {step}": "krok {step}",
    "What each stage achieved": "Co osiągnął każdy etap",
    "stage": "etap",
    "state": "stan",
    "time": "czas",
    "result": "wynik",
    "done": "gotowe",
    "outdated": "nieaktualne",
    "unfinished": "niedokończone",
    "absent": "brak",
    "loss": "strata",
    "bits per byte": "bity na bajt",
    "accuracy": "trafność",
    "reward": "nagroda",
    "score": "wynik",
    "kl": "KL",
    "Report": "Raport",
    "processor": "procesor",
    "cores": "rdzenie",
    "memory gb": "pamięć (GB)",
    "disk free gb": "wolne miejsce na dysku (GB)",
    "gpu": "karta graficzna",
    "float32 gflops": "float32 (Gflop/s)",
    "bfloat16 gflops": "bfloat16 (Gflop/s)",
    "device": "urządzenie",
    "dtype": "typ liczb",
    "threads": "wątki",
    "decoding": "dekodowanie",
    "training": "trening",
    "python": "Python",
    "cpu": "procesor",
    "native: our own kernel in C++": "native: własne jądro w C++",
    "fused: programs that torch compiles": "fused: programy, które kompiluje torch",
    "eager: torch as it is": "eager: torch taki, jaki jest",
    "What to type next": "Co wpisać dalej",
    "talk to the model": "rozmowa z modelem",
    "the same question to every stage's model": "to samo pytanie do modelu po każdym etapie",
    "rank its answers yourself": "własny ranking odpowiedzi modelu",
    "prompt": "polecenie",
    "/new begins a new dialogue, Ctrl-D ends": "/new zaczyna nową rozmowę, Ctrl-D kończy",
    "… the answer goes on: --max-new {number} cuts it; a larger number shows more": (
        "… odpowiedź jest dłuższa: ucina ją --max-new {number}, większe pokaże więcej"
    ),
    "all metrics": "wszystkie miary",
    "Rank at {url} (Ctrl-C ends)": "Oceniaj na stronie {url} (Ctrl-C kończy)",
    "person": "osoba",
    "rankings": "rankingi",
    "left": "zostało",
    "agreement": "zgodność",
    "reliability": "wiarygodność",
    "Rankings: {rankings}; prompts to rank: {prompts}.": "Rankingi: {rankings}; polecenia do oceny: {prompts}.",
    "Most would be learnt from the next ranking by {name}.": (
        "Najwięcej powiedziałby następny ranking tej osoby: {name}."
    ),
    "Agreement: mean Kendall tau with the others on prompts that they ranked too (how many).": (
        "Zgodność: średnie tau Kendalla z innymi na poleceniach, które też oceniali (na ilu)."
    ),
    "Reliability: how far rankings count, 1 as usual, 0 like chance.": (
        "Wiarygodność: jak bardzo liczą się rankingi, 1 jak zwykle, 0 jak przypadek."
    ),
    "How are you?": "Jak się masz?",
    "Stopped. The same command goes on from here.": "Przerwano. To samo polecenie ruszy dalej od tego miejsca.",
    "A process of this run was killed; those that are left go on from the last checkpoint: {count}.": (
        "Jeden z procesów przebiegu został zabity; pozostałe ruszają dalej od ostatniego punktu kontrolnego: {count}."
    ),
}

# What is counted on the way, "3/40 documents". Polish has the forms after "of": z 1 dokumentu, z 40 dokumentów.
UNITS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "documents": (("document", "documents"), ("dokumentu", "dokumentów")),
    "steps": (("step", "steps"), ("kroku", "kroków")),
    "prompts": (("prompt", "prompts"), ("polecenia", "poleceń")),
    "prompts scored": (("prompt scored", "prompts scored"), ("ocenionego polecenia", "ocenionych poleceń")),
    "passes": (("pass", "passes"), ("przebiegu", "przebiegów")),
}


class Messages:
    """Looks up what to say. A message that the table lacks is said in English."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, message: str, **values: object) -> str:
        said = POLISH.get(message, message) if self.language == "pl" else message
        return said.format(**values) if values else said

    def sentence(self, english: str, polish: str | None = None) -> str:
        """A whole sentence of an error or a note, whose Polish may come with it."""
        return (polish or sentence(english)) if self.language == "pl" else english

    def progress(self, done: float, total: float, unit: str) -> str:
        """How far something is: "3/40 documents". A unit the table lacks is said as it is."""
        english, polish = UNITS.get(unit, ((unit, unit), (unit, unit)))
        one, many = polish if self.language == "pl" else english
        return f"{self.number(round(done))}/{self.number(round(total))} {one if round(total) == 1 else many}"

    def number(self, value: object) -> str:
        """A number as it is written in the language: 12,345.6 or 12 345,6; four significant digits of a fraction."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
            text = f"{int(value):,}"
        elif abs(value) >= 1000:
            text = f"{value:,.0f}"
        else:
            text = f"{value:.4g}"
        return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",") if self.language == "pl" else text

    def share(self, value: float) -> str:
        """A share of one as a percentage."""
        return f"{self.number(round(100 * value, 1))}%"


def preferred_language(environment: Mapping[str, str] = os.environ) -> Language:
    """What `--language` said, else Polish where the user's locale is Polish, else English."""
    for name in (LANGUAGE, "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "pl" if environment[name].startswith("pl") else "en"
    return "en"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0:07, 12:31, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
