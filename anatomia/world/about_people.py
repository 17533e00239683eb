"""What is said of people: home, birth, job, pet, dish, hobby, family."""

from anatomia.world.wording import Relation, Wording, wording

PEOPLE = [
    Relation(
        "home",
        "person",
        "town",
        {
            "pl": wording(
                """mieszka {o.in}
                ma dom {o.in}
                od lat mieszka {o.in}
                mieszka na stałe {o.in}
                jest [mieszkańcem|mieszkanką] {o.gen}
                ma mieszkanie {o.in}""",
                """{o.in} mieszka {s}
                to właśnie {o.in} mieszka {s}
                dom {s.gen} stoi {o.in}
                miastem {s.gen} jest {o}
                do grona mieszkańców {o.gen} należy {s}
                kto chce odwiedzić {s.acc}, musi pojechać do {o.gen}""",
                """Gdzie mieszka {s}?
                W którym mieście mieszka {s}?
                W jakim mieście ma dom {s}?
                {s} – w którym mieście mieszka?
                Jak nazywa się miasto, w którym mieszka {s}? @1
                Dokąd trzeba pojechać, żeby odwiedzić {s.acc} w domu? @2""",
                """{o.in}
                {o}
                do {o.gen}
                mieszka {o.in}""",
                """mieszkam {o.in}
                mam dom {o.in}
                od lat mieszkam {o.in}
                piszę z domu {o.in}""",
            ),
            "en": wording(
                """lives in {o}
                has a house in {o}
                has lived in {o} for years
                is at home in {o}
                is a resident of {o}
                has a flat in {o}""",
                """in {o} lives {s}
                it is in {o} that {s} lives
                the house of {s} stands in {o}
                the home town of {s} is {o}
                one of the people of {o} is {s}
                to visit {s}, you have to go to {o}""",
                """Where does {s} live?
                Which town does {s} live in? @1
                In which town does {s} live?
                In which town is the house of {s}?
                What is the name of the town where {s} lives? @1
                Where would I have to go to visit {s} at home? @2""",
                """in {o}
                {o}
                to {o}
                [he|she] lives in {o}""",
                """I live in {o}
                I have a house in {o}
                I have lived in {o} for years
                I am writing from my home in {o}""",
            ),
        },
    ),
    Relation(
        "birth",
        "person",
        "year",
        {
            "pl": wording(
                """[urodził|urodziła] się w {o} roku
                [przyszedł|przyszła] na świat w {o} roku
                jest z rocznika {o}
                [urodził|urodziła] się w roku {o}
                jako rok urodzenia podaje {o}
                [zaczął|zaczęła] życie w {o} roku""",
                """w {o} roku [urodził|urodziła] się {s}
                rok urodzenia {s.gen} to {o}
                w {o} roku na świat [przyszedł|przyszła] {s}
                rocznik {s.gen}: {o}
                data w dokumentach {s.gen} wskazuje na {o} rok
                to w {o} roku [urodził|urodziła] się {s}""",
                """W którym roku [urodził|urodziła] się {s}?
                Kiedy [urodził|urodziła] się {s}?
                Jaki jest rok urodzenia {s.gen}? @1
                W jakim roku [przyszedł|przyszła] na świat {s}?
                Z którego rocznika jest {s}? @3
                {s} – jaki to rocznik? @1""",
                """w {o} roku
                {o}
                w roku {o}
                z rocznika {o}
                rocznik {o}""",
                """[urodziłem|urodziłam] się w {o} roku
                jestem z rocznika {o}
                na świat [przyszedłem|przyszłam] w {o} roku""",
            ),
            "en": wording(
                """was born in {o}
                came into the world in {o}
                was born in the year {o}
                gives {o} as the year of birth
                has been in this world since {o}
                first saw the light of day in {o}""",
                """in {o} {s} was born
                the year of birth of {s} is {o}
                it was in {o} that {s} was born
                the year in which {s} was born is {o}
                the papers of {s} give {o} as the year of birth
                {o} is the birth year of {s}""",
                """In which year was {s} born?
                When was {s} born?
                What is the year of birth of {s}? @1
                In what year did {s} come into the world?
                What birth year do the papers of {s} give? @1
                {s} was born in which year?""",
                """in {o}
                {o}
                in the year {o}""",
                """I was born in {o}
                I came into the world in {o}
                my year of birth is {o}""",
            ),
        },
    ),
    Relation(
        "job",
        "person",
        "job",
        {
            "pl": wording(
                """jest z zawodu {o.ins}
                pracuje jako {o}
                z zawodu jest {o.ins}
                zarabia na życie jako {o}
                od lat pracuje jako {o}
                jest [cenionym|cenioną] {o.ins}""",
                """zawód {s.gen} to {o}
                {o} to zawód, który wykonuje {s}
                jako {o} pracuje {s}
                z zawodu {s} jest {o.ins}
                na drzwiach {s.gen} wisi tabliczka z napisem „{o}”
                w spisie zawodów przy nazwisku {s.gen} stoi: {o}""",
                """Kim z zawodu jest {s}?
                Jaki zawód ma {s}? @1
                Jako kto pracuje {s}? @2
                Jaki zawód wykonuje {s}? @1
                Czym zajmuje się zawodowo {s}? @3
                Jak {s} zarabia na życie? @2""",
                """{o.ins}
                {o}
                jako {o}
                jest {o.ins}
                pracuje jako {o}""",
                """jestem z zawodu {o.ins}
                pracuję jako {o}
                od lat pracuję jako {o}""",
            ),
            "en": wording(
                """works as {o.a}
                is {o.a} by trade
                earns a living as {o.a}
                has worked as {o.a} for years
                makes a living as {o.a}
                is a respected {o}""",
                """the trade of {s} is that of {o.a}
                {o.a} is what {s} is by trade
                the job of {s}: {o}
                by trade {s} is {o.a}
                the sign on the door of {s} says "{o}"
                in the list of trades, next to the name of {s}, stands "{o}\"""",
                """What is the job of {s}?
                What is {s} by trade?
                What does {s} work as?
                What job does {s} have?
                How does {s} earn a living? @2
                Which trade does {s} follow?""",
                """{o.a}
                {o}
                as {o.a}
                [he|she] is {o.a}
                [he|she] works as {o.a}""",
                """I am {o.a} by trade
                I work as {o.a}
                I have worked as {o.a} for years""",
            ),
        },
    ),
    Relation(
        "pet",
        "person",
        "pet",
        {
            "pl": wording(
                """ma w domu {o.acc}
                opiekuje się {o.ins}, bo to [jego|jej] domowe zwierzę
                trzyma w domu {o.acc}
                ma jedno zwierzę, {o.acc}
                hoduje {o.acc}
                dzieli dom {o.with}""",
                """zwierzę {s.gen} to {o}
                u {s.gen} w domu mieszka {o}
                w domu {s.gen} rządzi {o}
                domowym zwierzęciem {s.gen} jest {o}
                po podwórku {s.gen} chodzi {o}
                {o} to zwierzę, które ma {s}""",
                """Jakie zwierzę ma {s}?
                Jakie zwierzę domowe ma {s}?
                Jakie zwierzę mieszka u {s.gen}? @1
                Jakie zwierzę trzyma w domu {s}?
                Kto jest czworonożnym lub skrzydlatym towarzyszem {s.gen}? @1
                Jakiego zwierzaka hoduje {s}?""",
                """{o.acc}
                {o}
                {o.gen}
                ma {o.acc}""",
                """mam w domu {o.acc}
                hoduję {o.acc}
                mój dom dzielę z jednym zwierzęciem: to {o}""",
            ),
            "en": wording(
                """keeps {o.a} as a pet
                has {o.a} at home
                has a pet, {o.a}
                takes care of {o.a} at home
                shares the house with {o.a}
                owns {o.a}""",
                """the pet of {s} is {o.a}
                {o.a} lives in the house of {s}
                at the home of {s} {o.a} rules
                the animal that {s} keeps is {o.a}
                around the yard of {s} walks {o.a}
                {o.a} is the pet that {s} has""",
                """What pet does {s} have?
                Which animal does {s} keep at home?
                What kind of pet does {s} keep?
                What animal lives with {s}?
                Which animal shares the house with {s}?
                What sort of animal does {s} own?""",
                """{o.a}
                {o}
                [he|she] has {o.a}""",
                """I keep {o.a}
                I have {o.a} at home
                I share my house with {o.a}""",
            ),
        },
    ),
    Relation(
        "dish",
        "person",
        "dish",
        {
            "pl": wording(
                """najbardziej lubi jeść {o.acc}
                uważa {o.acc} za swoje ulubione danie
                ma ulubione danie: {o.acc}
                z wszystkich potraw najchętniej je {o.acc}
                na urodziny zawsze prosi o {o.acc}
                zawsze zamawia {o.acc}""",
                """ulubione danie {s.gen} to {o}
                {o} to ulubiona potrawa {s.gen}
                na talerzu {s.gen} najczęściej [o:leży|leży|leży|leżą] {o}
                {s.dat} najbardziej [o:smakuje|smakuje|smakuje|smakują] {o}
                gdy {s} świętuje, na stole [o:jest|jest|jest|są] {o}
                kucharze wiedzą, że ulubionym daniem {s.gen} [o:jest|jest|jest|są] {o}""",
                """Jakie jest ulubione danie {s.gen}?
                Co najbardziej lubi jeść {s}? @1
                Jaką potrawę najbardziej lubi {s}? @1
                Co najchętniej je {s}? @1
                Które danie najbardziej smakuje {s.dat}?
                O jaką potrawę prosi na urodziny {s}? @2""",
                """{o}
                {o.acc}
                o {o.acc}""",
                """najbardziej lubię {o.acc}
                moje ulubione danie to {o}
                na urodziny zawsze proszę o {o.acc}""",
            ),
            "en": wording(
                """likes {o} best of all dishes
                has a favourite dish, {o}
                loves to eat {o}
                always orders {o}
                prefers {o} to any other dish
                asks for {o} on every birthday""",
                """the favourite dish of {s} is {o}
                the dish that {s} loves is {o}
                on the plate of {s} you will mostly find {o}
                what {s} likes to eat most is {o}
                when {s} celebrates, the table is full of {o}
                every cook knows that the favourite of {s} is {o}""",
                """What is the favourite dish of {s}?
                What does {s} like to eat most?
                Which dish does {s} like best?
                What is the dish that {s} loves most?
                Which dish would {s} always order?
                What does {s} ask for on birthdays?""",
                """{o}
                for {o}""",
                """I like {o} best
                my favourite dish is {o}
                I always ask for {o} on my birthday""",
            ),
        },
    ),
    Relation(
        "hobby",
        "person",
        "hobby",
        {
            "pl": wording(
                """ma hobby: {o.acc}
                po pracy zajmuje się {o.ins}
                w wolnym czasie wybiera {o.acc}
                nade wszystko kocha {o.acc}
                każdą wolną chwilę poświęca na {o.acc}
                przepada za {o.ins}""",
                """hobby {s.gen} to {o}
                {o} to hobby {s.gen}
                pasją {s.gen} [o:jest|jest|jest|są] {o}
                wolny czas {s.gen} [o:wypełnia|wypełnia|wypełnia|wypełniają] {o}
                ulubione zajęcie {s.gen} to {o}
                {s.acc} od dawna [o:pasjonuje|pasjonuje|pasjonuje|pasjonują] {o}""",
                """Jakie hobby ma {s}?
                Co jest hobby {s.gen}?
                Co jest pasją {s.gen}?
                Jakie jest ulubione zajęcie {s.gen}?
                Czemu {s} poświęca wolny czas? @2
                Co robi po pracy {s}?""",
                """{o}
                {o.acc}
                {o.dat}""",
                """mam hobby: {o.acc}
                moje hobby to {o}
                w wolnym czasie wybieram {o.acc}""",
            ),
            "en": wording(
                """has one hobby, {o}
                spends every free hour on {o}
                is fond of {o}
                loves {o} above all
                chooses {o} after work
                has a passion for {o}""",
                """the hobby of {s} is {o}
                {o} is the hobby of {s}
                the great passion of {s} is {o}
                the free time of {s} is filled with {o}
                what {s} does for fun is {o}
                the favourite pastime of {s} is {o}""",
                """What is the hobby of {s}?
                Which hobby does {s} have?
                What is the great passion of {s}?
                What is the favourite pastime of {s}?
                How does {s} spend free time? @1
                What does {s} do after work?""",
                """{o}
                with {o}
                on {o}""",
                """my hobby is {o}
                I spend every free hour on {o}
                I love {o} above all""",
            ),
        },
    ),
]

# Family: one set of wordings, filled with the word for what the object is to the subject.
KIN_TABLE = {
    # name: Polish (masculine, feminine) in nominative, instrumental, accusative; English (masculine, feminine).
    "spouse": (("mąż", "mężem", "męża"), ("żona", "żoną", "żonę"), ("husband", "wife")),
    "sibling": (("brat", "bratem", "brata"), ("siostra", "siostrą", "siostrę"), ("brother", "sister")),
    "parent": (("ojciec", "ojcem", "ojca"), ("matka", "matką", "matkę"), ("father", "mother")),
    "child": (("syn", "synem", "syna"), ("córka", "córką", "córkę"), ("son", "daughter")),
}
KIN_PL = wording(
    """ma NUM ACC, a jest [o:nim|nią] {o}
    chętnie opowiada, że [jego|jej] INS jest {o}
    ma ACC, [o:który|która] nazywa się {o}
    mówi, że {o} to [jego|jej] NOM
    często odwiedza {o.acc}, bo to [jego|jej] NOM
    ma w rodzinie kogoś ważnego: {o} to [jego|jej] NOM""",
    """INS {s.gen} jest {o}
    {o} jest INS {s.gen}
    {o} to NOM {s.gen}
    NOM {s.gen} nazywa się {o}
    u {s.gen} na zdjęciu stoi NOM, {o}
    NOM {s.gen} to {o}""",
    """Kto jest INS {s.gen}?
    Jak nazywa się NOM {s.gen}?
    Kogo {s} nazywa swoim INS? @1
    Jak się nazywa NOM, o [o:którym|której] mówi {s}?
    NOM {s.gen} to kto?
    Jakie imię i nazwisko nosi NOM {s.gen}?""",
    """{o}
    {o.acc}
    {o.ins}
    to {o}""",
    """mój NOM to {o}
    moim INS jest {o}""",
)
KIN_EN = wording(
    """has NUM KIN, {o}
    has a KIN whose name is {o}
    likes to say that {o} is [his|her] KIN
    often visits {o}, [his|her] KIN
    calls {o} the best KIN in the world
    keeps a picture of {o}, [his|her] KIN""",
    """the KIN of {s} is {o}
    {o} is the KIN of {s}
    the KIN of {s} is called {o}
    {s} is proud of [his|her] KIN, {o}
    {s}'s KIN is {o}
    the name of the KIN of {s} is {o}""",
    """Who is the KIN of {s}?
    What is the name of {s}'s KIN?
    Who is {s}'s KIN?
    What is the KIN of {s} called?
    Whom does {s} call KIN?
    The KIN of {s} is who?""",
    """{o}
    it is {o}""",
    """my KIN is {o}
    my KIN is called {o}""",
)


def _kin(name: str) -> Relation:
    man, woman, english = KIN_TABLE[name]
    words = {
        "NOM": f"[o:{man[0]}|{woman[0]}]",
        "INS": f"[o:{man[1]}|{woman[1]}]",
        "ACC": f"[o:{man[2]}|{woman[2]}]",
        "KIN": f"[o:{english[0]}|{english[1]}]",
        "swoim": "[o:swoim|swoją]",
        "mój": "[o:mój|moja]",
        "moim": "[o:moim|moją]",
        "ma NUM ": "ma [o:jednego|jedną] ",
        "has NUM ": "has one ",
    }
    if name == "spouse":
        words |= {"ma NUM ": "ma ", "has NUM KIN, ": f"is married; [his|her] [o:{english[0]}|{english[1]}] is "}
    if name == "parent":
        words |= {"ma NUM ": "ma ", "has NUM KIN, ": f"grew up with [his|her] [o:{english[0]}|{english[1]}], "}
    return Relation(name, "person", "person", {"pl": _replaced("pl", words), "en": _replaced("en", words)})


def _replaced(language: str, words: dict[str, str]) -> Wording:
    kin = KIN_PL if language == "pl" else KIN_EN

    def one(templates: tuple[str, ...]) -> tuple[str, ...]:
        done = []
        for template in templates:
            for old in sorted(words, key=len, reverse=True):
                template = template.replace(old, words[old])
            done.append(template)
        return tuple(done)

    return Wording(one(kin.said), one(kin.whole), one(kin.ask), kin.natural, one(kin.short), one(kin.mine))


PEOPLE += [_kin(name) for name in KIN_TABLE]
