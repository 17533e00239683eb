"""What is said of clubs, the Amber Cup, animals, dishes and festivals."""

from anatomia.world.wording import Relation, wording

LIFE = [
    Relation(
        "club_town",
        "club",
        "town",
        {
            "pl": wording(
                """gra na co dzień {o.in}
                ma stadion {o.in}
                ma siedzibę {o.in}
                trenuje {o.in}
                pochodzi {o.from}
                rozgrywa mecze u siebie {o.in}""",
                """{o.in} gra klub {s}
                klub {s} pochodzi {o.from}
                miastem klubu {s} jest {o}
                stadion klubu {s} stoi {o.in}
                klub {s} ma siedzibę {o.in}
                kibice klubu {s} schodzą się {o.in}""",
                """W jakim mieście gra klub {s}?
                Gdzie ma siedzibę klub {s}?
                Z jakiego miasta pochodzi klub {s}? @2
                W którym mieście stoi stadion klubu {s}?
                Gdzie trenuje klub {s}?
                Jakie miasto jest domem klubu {s}? @1""",
                """{o.in}
                {o}
                {o.from}
                z miasta {o.gen}""",
            ),
            "en": wording(
                """plays at home in {o}
                has its stadium in {o}
                has its seat in {o}
                trains in {o}
                comes from {o}
                is the club of {o}""",
                """in {o} plays the club {s}
                the club {s} comes from {o}
                the home town of the club {s} is {o}
                the stadium of the club {s} stands in {o}
                the fans of {s} meet in {o}
                {o} is the home of the club {s}""",
                """In which town does the club {s} play?
                Where does the club {s} have its seat?
                Which town does the club {s} come from? @1
                In which town is the stadium of the club {s}?
                Where does the club {s} train?
                Which town is the home of the club {s}? @1""",
                """in {o}
                {o}
                from {o}""",
            ),
        },
    ),
    Relation(
        "colours",
        "club",
        "colours",
        {
            "pl": wording(
                """ma barwy {o}
                gra w koszulkach {o.loc}
                od początku ma barwy {o}
                nosi szaliki {o}
                wybiega na boisko w strojach {o.loc}
                wywiesza flagi {o}""",
                """barwy klubu {s} są {o}
                {o} są koszulki klubu {s}
                kibice klubu {s} noszą szaliki {o}
                na stadionie klubu {s} powiewają flagi {o}
                klub {s} ma barwy {o}
                stroje klubu {s} są {o}""",
                """Jakie są barwy klubu {s}?
                Jakie barwy ma klub {s}?
                W jakich koszulkach gra klub {s}? @1
                Jakie są koszulki klubu {s}?
                Jakie flagi powiewają na stadionie klubu {s}?
                Jakie szaliki noszą kibice klubu {s}?""",
                """{o}
                w {o.loc}
                barwy {o}""",
            ),
            "en": wording(
                """plays in {o}
                has the colours {o}
                wears {o}
                runs out in {o} shirts
                waves flags in {o}
                has worn {o} from the beginning""",
                """the colours of the club {s} are {o}
                {o} are the colours of the club {s}
                the shirts of the club {s} are {o}
                the fans of {s} wear scarves in {o}
                at the stadium of {s} the flags are {o}
                the club {s} plays in {o}""",
                """What are the colours of the club {s}?
                Which colours does the club {s} have?
                In which colours does the club {s} play? @1
                What colours are the shirts of the club {s}?
                What colours are the flags at the stadium of {s}?
                Which colours do the fans of {s} wear?""",
                """{o}
                in {o}""",
            ),
        },
    ),
    Relation(
        "mascot",
        "club",
        "animal",
        {
            "pl": wording(
                """ma maskotkę, którą jest {o}
                ma jako maskotkę {o.acc}
                wybiera na maskotkę zawsze {o.acc}
                wchodzi na boisko z maskotką, a jest nią {o}
                sprzedaje pluszowe maskotki, a każda to {o}
                ma na koszulkach maskotkę: to {o}""",
                """maskotką klubu {s} jest {o}
                {o} to maskotka klubu {s}
                maskotka klubu {s} to {o}
                na meczach klubu {s} tańczy maskotka, {o}
                kibice klubu {s} wiedzą, że ich maskotką jest {o}
                za maskotkę klub {s} ma {o.acc}""",
                """Co jest maskotką klubu {s}?
                Jakie zwierzę jest maskotką klubu {s}?
                Jaką maskotkę ma klub {s}? @1
                Kto jest maskotką klubu {s}?
                Jakie zwierzę tańczy na meczach klubu {s}?
                Jakie zwierzę ma klub {s} na koszulkach? @1""",
                """{o}
                {o.acc}""",
            ),
            "en": wording(
                """has {o.a} as its mascot
                has a mascot that is {o.a}
                sells little toys of its mascot, {o.the}
                runs out with its mascot, {o.the}
                chose {o.the} as its mascot
                carries its mascot, {o.the}, on its shirts""",
                """the mascot of the club {s} is {o.the}
                {o.the} is the mascot of the club {s}
                at the matches of {s} dances the mascot, {o.the}
                the fans of {s} know that their mascot is {o.the}
                the animal on the shirts of the club {s} is {o.the}
                the club {s} has {o.a} as its mascot""",
                """What is the mascot of the club {s}?
                Which animal is the mascot of the club {s}?
                What mascot does the club {s} have?
                Which animal does the club {s} have as its mascot?
                Which animal dances at the matches of {s}?
                Which animal is on the shirts of the club {s}?""",
                """{o.the}
                {o.a}
                {o}""",
            ),
        },
    ),
    Relation(
        "club_founded",
        "club",
        "year",
        {
            "pl": wording(
                """[powstał|powstała|powstało] w {o} roku
                gra od {o} roku
                istnieje od {o} roku
                [rozegrał|rozegrała|rozegrało] pierwszy mecz w {o} roku
                liczy swoje lata od roku {o}
                ma na szalikach rok założenia: {o}""",
                """w {o} roku powstał klub {s}
                rok założenia klubu {s} to {o}
                klub {s} założono w {o} roku
                klub {s} istnieje od {o} roku
                w {o} roku założono klub {s}
                historia klubu {s} zaczyna się w {o} roku""",
                """W którym roku powstał klub {s}?
                Kiedy założono klub {s}?
                Jaki jest rok założenia klubu {s}? @1
                Od którego roku istnieje klub {s}? @2
                W którym roku klub {s} rozegrał pierwszy mecz?
                Jaki rok widnieje na szalikach klubu {s}? @1""",
                """w {o} roku
                {o}
                od {o} roku
                w roku {o}
                {o} rok""",
            ),
            "en": wording(
                """was founded in {o}
                has existed since {o}
                played its first match in {o}
                was founded in the year {o}
                has played since {o}
                has its founding year, {o}, on its scarves""",
                """in {o} the club {s} was founded
                the founding year of the club {s} is {o}
                it was in {o} that the club {s} was founded
                the history of the club {s} begins in {o}
                the club {s} has existed since {o}
                on the scarves of {s} stands the year {o}""",
                """In which year was the club {s} founded?
                When was the club {s} founded?
                What is the founding year of the club {s}? @1
                Since when has the club {s} existed? @2
                In which year did the club {s} play its first match?
                What year stands on the scarves of the club {s}? @1""",
                """in {o}
                {o}
                since {o}
                in the year {o}""",
            ),
        },
    ),
    Relation(
        "winner",
        "season",
        "club",
        {
            "pl": wording(
                """trafił do klubu {o}
                padł łupem klubu {o}
                wpadł w ręce klubu {o}
                zakończył się triumfem klubu {o}
                miał jednego zwycięzcę: był nim klub {o}
                ozdobił gablotę klubu {o}""",
                """w {s} roku Bursztynowy Puchar zdobył klub {o}
                klub {o} zdobył Bursztynowy Puchar w {s} roku
                klub {o} wygrał finał Bursztynowego Pucharu w {s} roku
                zwycięzcą Bursztynowego Pucharu w {s} roku został klub {o}
                w finale Bursztynowego Pucharu w {s} roku zwyciężył klub {o}
                w {s} roku Bursztynowy Puchar wzniósł klub {o}""",
                """Kto zdobył Bursztynowy Puchar w {s} roku?
                Jaki klub zdobył Bursztynowy Puchar w {s} roku?
                Kto wygrał finał Bursztynowego Pucharu w {s} roku?
                Który klub został zwycięzcą Bursztynowego Pucharu w {s} roku?
                Do jakiego klubu trafił Bursztynowy Puchar w {s} roku? @2
                Kto zwyciężył w finale Bursztynowego Pucharu w {s} roku?""",
                """klub {o}
                {o}
                do klubu {o}
                do {o.gen}""",
            ),
            "en": wording(
                """was won by {o}
                went to {o}
                ended with the triumph of {o}
                ended up in the hands of {o}
                had one winner, {o}
                was lifted by {o}""",
                """in {s} the Amber Cup was won by {o}
                {o} won the Amber Cup in {s}
                the winner of the Amber Cup in {s} was {o}
                in the Amber Cup final of {s} the winners were {o}
                {o} won the Amber Cup final of {s}
                it was {o} that won the Amber Cup in {s}""",
                """Who won the Amber Cup in {s}?
                Which club won the Amber Cup in {s}?
                Who was the winner of the Amber Cup in {s}?
                Which club won the Amber Cup final of {s}?
                To which club did the Amber Cup go in {s}? @2
                Who lifted the Amber Cup in {s}?""",
                """{o}
                the club {o}
                to {o}""",
            ),
        },
    ),
    Relation(
        "runner_up",
        "season",
        "club",
        {
            "pl": wording(
                """dał srebrne medale klubowi {o}
                zostawił na drugim miejscu klub {o}
                miał finalistę, który przegrał: był to klub {o}
                przyniósł drugie miejsce klubowi {o}
                skończył się przegranym finałem klubu {o}
                przeszedł koło nosa klubowi {o}""",
                """w {s} roku finał Bursztynowego Pucharu przegrał klub {o}
                klub {o} przegrał finał Bursztynowego Pucharu w {s} roku
                drugie miejsce w Bursztynowym Pucharze w {s} roku zajął klub {o}
                pokonanym finalistą Bursztynowego Pucharu w {s} roku był klub {o}
                klub {o} zajął drugie miejsce w Bursztynowym Pucharze w {s} roku
                srebrne medale Bursztynowego Pucharu w {s} roku odebrał klub {o}""",
                """Kto przegrał finał Bursztynowego Pucharu w {s} roku?
                Jaki klub przegrał finał Bursztynowego Pucharu w {s} roku?
                Kto zajął drugie miejsce w Bursztynowym Pucharze w {s} roku?
                Który klub zajął drugie miejsce w Bursztynowym Pucharze w {s} roku?
                Kto był pokonanym finalistą Bursztynowego Pucharu w {s} roku?
                Kto odebrał srebrne medale Bursztynowego Pucharu w {s} roku?""",
                """klub {o}
                {o}""",
            ),
            "en": wording(
                """had {o} as runner-up
                brought silver medals to {o}
                left {o} in second place
                had {o} as the beaten finalist
                gave second place to {o}
                ended with a lost final for {o}""",
                """in {s} the Amber Cup final was lost by {o}
                {o} lost the Amber Cup final in {s}
                the runner-up of the Amber Cup in {s} was {o}
                second place in the Amber Cup of {s} went to {o}
                {o} came second in the Amber Cup in {s}
                the silver medals of the Amber Cup of {s} went to {o}""",
                """Who lost the Amber Cup final in {s}?
                Which club lost the Amber Cup final in {s}?
                Who was the runner-up of the Amber Cup in {s}?
                Which club came second in the Amber Cup in {s}?
                Who was the beaten finalist of the Amber Cup in {s}?
                Who took the silver medals of the Amber Cup of {s}?""",
                """{o}
                the club {o}""",
            ),
        },
    ),
    Relation(
        "host",
        "season",
        "town",
        {
            "pl": wording(
                """rozstrzygnął się {o.in}
                miał swój finał {o.in}
                zakończył się finałem {o.in}
                ściągnął tłumy na finał {o.in}
                miał zwycięzcę po finale {o.in}
                doczekał się finału {o.in}""",
                """w {s} roku finał Bursztynowego Pucharu odbył się {o.in}
                {o.in} rozegrano finał Bursztynowego Pucharu w {s} roku
                finał Bursztynowego Pucharu w {s} roku rozegrano {o.in}
                gospodarzem finału Bursztynowego Pucharu w {s} roku było miasto {o}
                miasto {o} gościło finał Bursztynowego Pucharu w {s} roku
                na finał Bursztynowego Pucharu w {s} roku kibice jechali do {o.gen}""",
                """Gdzie odbył się finał Bursztynowego Pucharu w {s} roku?
                W jakim mieście rozegrano finał Bursztynowego Pucharu w {s} roku?
                Gdzie rozegrano finał Bursztynowego Pucharu w {s} roku?
                Które miasto gościło finał Bursztynowego Pucharu w {s} roku? @1
                Dokąd kibice jechali na finał Bursztynowego Pucharu w {s} roku? @2
                Jakie miasto było gospodarzem finału Bursztynowego Pucharu w {s} roku? @1""",
                """{o.in}
                {o}
                do {o.gen}
                miasto {o}""",
            ),
            "en": wording(
                """was decided in {o}
                had its final in {o}
                ended with a final in {o}
                drew the crowds to its final in {o}
                was handed over in {o}
                reached its final in {o}""",
                """in {s} the Amber Cup final took place in {o}
                {o} hosted the Amber Cup final in {s}
                the Amber Cup final of {s} was played in {o}
                the host of the Amber Cup final in {s} was {o}
                it was in {o} that the Amber Cup final of {s} was played
                for the Amber Cup final of {s} the fans went to {o}""",
                """Where did the Amber Cup final take place in {s}?
                Which town hosted the Amber Cup final in {s}? @1
                In which town was the Amber Cup final of {s} played?
                Where was the Amber Cup final of {s} played?
                What town was the host of the Amber Cup final in {s}? @1
                Where did the fans go for the Amber Cup final of {s}? @2""",
                """in {o}
                {o}
                to {o}""",
            ),
        },
    ),
    Relation(
        "score",
        "season",
        "score",
        {
            "pl": wording(
                """zakończył się finałem z wynikiem {o}
                miał w finale wynik {o}
                rozstrzygnął się wynikiem {o}
                skończył się wynikiem {o}
                zapisał się w kronikach wynikiem finału {o}
                przyniósł w finale rezultat {o}""",
                """w {s} roku finał Bursztynowego Pucharu skończył się wynikiem {o}
                wynik finału Bursztynowego Pucharu w {s} roku to {o}
                finał Bursztynowego Pucharu w {s} roku zakończył się rezultatem {o}
                w finale Bursztynowego Pucharu w {s} roku padł wynik {o}
                na tablicy po finale Bursztynowego Pucharu w {s} roku widniało {o}
                wynikiem {o} skończył się finał Bursztynowego Pucharu w {s} roku""",
                """Jaki był wynik finału Bursztynowego Pucharu w {s} roku?
                Jakim wynikiem skończył się finał Bursztynowego Pucharu w {s} roku? @1
                Jaki wynik padł w finale Bursztynowego Pucharu w {s} roku?
                Jakim rezultatem zakończył się finał Bursztynowego Pucharu w {s} roku? @1
                Ile było w finale Bursztynowego Pucharu w {s} roku?
                Co widniało na tablicy po finale Bursztynowego Pucharu w {s} roku?""",
                """{o}
                wynikiem {o}
                wynik {o}""",
            ),
            "en": wording(
                """had a final that ended {o}
                ended {o} in the final
                was decided by a score of {o}
                had a final score of {o}
                went down in the chronicles with a final of {o}
                ended with the score {o}""",
                """in {s} the Amber Cup final ended {o}
                the score of the Amber Cup final in {s} was {o}
                the Amber Cup final of {s} ended {o}
                the board after the Amber Cup final of {s} said {o}
                {o} was the score of the Amber Cup final in {s}
                the result of the Amber Cup final of {s} was {o}""",
                """What was the score of the Amber Cup final in {s}?
                How did the Amber Cup final of {s} end?
                What was the result of the Amber Cup final in {s}?
                With what score did the Amber Cup final of {s} end?
                What did the board say after the Amber Cup final of {s}?
                By what score was the Amber Cup of {s} decided? @2""",
                """{o}
                it ended {o}
                by {o}""",
            ),
        },
    ),
    Relation(
        "scorer",
        "season",
        "person",
        {
            "pl": wording(
                """miał [o:swojego króla strzelców, był nim|swoją królową strzelców, była nią] {o}
                miał najlepszego strzelca, a [o:był nim|była nim] {o}
                ma w kronice nazwisko najlepszego strzelca: {o}
                to turniej, w którym najwięcej goli [o:strzelił|strzeliła] {o}
                to rozgrywki, w których najskuteczniej [o:strzelał|strzelała] {o}
                to turniej, w którym koronę strzelców [o:zdobył|zdobyła] {o}""",
                """w {s} roku najwięcej bramek w Bursztynowym Pucharze [o:strzelił|strzeliła] {o}
                {o} [o:strzelił|strzeliła] najwięcej bramek w Bursztynowym Pucharze w {s} roku
                [o:królem|królową] strzelców Bursztynowego Pucharu w {s} roku [o:został|została] {o}
                {o} [o:został królem|została królową] strzelców Bursztynowego Pucharu w {s} roku
                najwięcej goli w Bursztynowym Pucharze w {s} roku [o:miał|miała] na koncie {o}
                koronę strzelców Bursztynowego Pucharu w {s} roku [o:zdobył|zdobyła] {o}""",
                """Kto strzelił najwięcej bramek w Bursztynowym Pucharze w {s} roku?
                Kto zdobył koronę strzelców Bursztynowego Pucharu w {s} roku?
                Kto miał najwięcej goli w Bursztynowym Pucharze w {s} roku?
                Kto był najlepszym strzelcem Bursztynowego Pucharu w {s} roku?
                Jak nazywa się najlepszy strzelec Bursztynowego Pucharu w {s} roku?
                Kto najskuteczniej strzelał w Bursztynowym Pucharze w {s} roku?""",
                """{o}
                [o:był|była] to {o}""",
            ),
            "en": wording(
                """had {o} as its top scorer
                had one top scorer, {o}
                gave the scorer's crown to {o}
                is remembered for the goals of its top scorer, {o}
                saw {o} score the most goals
                made {o} its top scorer""",
                """in {s} the top scorer of the Amber Cup was {o}
                {o} was the top scorer of the Amber Cup in {s}
                most goals in the Amber Cup of {s} were scored by {o}
                {o} scored the most goals in the Amber Cup of {s}
                the scorer's crown of the Amber Cup in {s} went to {o}
                the best scorer of the Amber Cup of {s} was {o}""",
                """Who was the top scorer of the Amber Cup in {s}?
                Who scored the most goals in the Amber Cup of {s}?
                Who won the scorer's crown of the Amber Cup in {s}?
                What is the name of the top scorer of the Amber Cup in {s}?
                Who was the best scorer of the Amber Cup of {s}?
                To whom did the scorer's crown of the Amber Cup go in {s}? @2""",
                """{o}
                it was {o}
                to {o}""",
            ),
        },
    ),
    Relation(
        "diet",
        "animal",
        "food",
        {
            "pl": wording(
                """najchętniej je {o.acc}
                karmi się {o.ins}
                zjada głównie {o.acc}
                szuka przysmaku, a [o:jest nim|jest nim|jest nim|są nim] {o}
                lubi tylko {o.acc}
                na śniadanie i kolację je {o.acc}""",
                """głównym pokarmem {s.gen} [o:jest|jest|jest|są] {o}
                {o} to przysmak {s.gen}
                przysmakiem {s.gen} [o:jest|jest|jest|są] {o}
                ulubiony pokarm {s.gen} to {o}
                tropiciele wiedzą, że {s} je {o.acc}
                w menu {s.gen} na pierwszym miejscu [o:jest|jest|jest|są] {o}""",
                """Co najchętniej je {s}?
                Co je {s}?
                Co jest przysmakiem {s.gen}? @1
                Jaki jest ulubiony pokarm {s.gen}? @1
                Czym żywi się {s}? @2
                Co zjada głównie {s}?""",
                """{o.acc}
                {o}
                {o.ins}""",
            ),
            "en": wording(
                """eats {o} above all
                feeds on {o}
                lives mainly on {o}
                likes nothing but {o}
                looks for {o} in the grass
                eats {o} for breakfast and supper""",
                """the main food of {s.the} is {o}
                for {s.the} there is no better food than {o}
                the favourite food of {s.the} is {o}
                trackers know that {s.the} eats {o}
                on the menu of {s.the}, {o} [o:comes|comes|comes|come] first
                what {s.the} eats is {o}""",
                """What does {s.the} eat?
                What does {s.the} like to eat most?
                What is the favourite food of {s.the}?
                What is the main food of {s.the}?
                What does {s.the} feed on?
                What does {s.the} live on?""",
                """{o}
                on {o}""",
            ),
        },
    ),
    Relation(
        "habitat",
        "animal",
        "habitat",
        {
            "pl": wording(
                """mieszka {o}
                żyje {o}
                ma swój dom {o}
                śpi {o}
                buduje sobie legowisko {o}
                wychowuje młode {o}""",
                """{o} mieszka {s}
                dom {s.gen} jest {o}
                {s.acc} można spotkać {o}
                {o} można spotkać {s.acc}
                tropy {s.gen} kończą się {o}
                kto chce zobaczyć {s.acc}, niech szuka {o}""",
                """Gdzie mieszka {s}?
                Gdzie żyje {s}?
                Gdzie można spotkać {s.acc}?
                Gdzie jest dom {s.gen}?
                Gdzie śpi {s}?
                Gdzie trzeba szukać {s.gen}?""",
                """{o}
                mieszka {o}""",
            ),
            "en": wording(
                """lives {o}
                makes its home {o}
                sleeps {o}
                raises its young {o}
                has its den {o}
                is at home {o}""",
                """{o} lives {s.the}
                the home of {s.the} is {o}
                you can meet {s.the} {o}
                the tracks of {s.the} end {o}
                whoever wants to see {s.the} must look {o}
                {o} you can meet {s.the}""",
                """Where does {s.the} live?
                Where does {s.the} make its home?
                Where can you meet {s.the}?
                Where is the home of {s.the}?
                Where does {s.the} sleep?
                Where must you look to see {s.the}?""",
                """{o}
                it lives {o}""",
            ),
        },
    ),
    Relation(
        "dish_region",
        "dish",
        "region",
        {
            "pl": wording(
                """[pochodzi|pochodzi|pochodzi|pochodzą] z regionu {o}
                [jest daniem|jest daniem|jest daniem|są daniem] z regionu {o}
                [wywodzi|wywodzi|wywodzi|wywodzą] się z regionu {o}
                [trafił|trafiła|trafiło|trafiły] na nasze stoły z regionu {o}
                [należy|należy|należy|należą] do kuchni regionu {o}
                [powstał|powstała|powstało|powstały] przed laty w regionie {o}""",
                """z regionu {o} [pochodzi|pochodzi|pochodzi|pochodzą] {s}
                {s} to danie z regionu {o}
                regionem, z którego [pochodzi|pochodzi|pochodzi|pochodzą] {s}, jest {o}
                ojczyzną {s.gen} jest region {o}
                przepis na {s.acc} pochodzi z regionu {o}
                kucharki z regionu {o} jako pierwsze podały {s.acc}""",
                """Z jakiego regionu [pochodzi|pochodzi|pochodzi|pochodzą] {s}?
                Z którego regionu [pochodzi|pochodzi|pochodzi|pochodzą] {s}?
                Skąd [pochodzi|pochodzi|pochodzi|pochodzą] {s}?
                Z jakiego regionu pochodzi przepis na {s.acc}?
                Jaki region jest ojczyzną {s.gen}? @3
                Do kuchni jakiego regionu [należy|należy|należy|należą] {s}? @4""",
                """z regionu {o}
                {o}
                {o.from}
                region {o}
                regionu {o}
                {o.gen}""",
            ),
            "en": wording(
                """[comes|comes|comes|come] from the region of {o}
                [belongs|belongs|belongs|belong] to the cooking of the region of {o}
                [was|was|was|were] first served in the region of {o}
                [has its|has its|has its|have their] roots in the region of {o}
                [is|is|is|are] a dish of the region of {o}
                [reached|reached|reached|reached] our tables from the region of {o}""",
                """from the region of {o} [comes|comes|comes|come] {s}
                the region that {s} [comes|comes|comes|come] from is {o}
                the recipe for {s} comes from the region of {o}
                the cooks of the region of {o} were the first to serve {s}
                the home of {s} is the region of {o}
                in the region of {o} they first cooked {s}""",
                """Which region [does|does|does|do] {s} come from? @1
                From which region [does|does|does|do] {s} come?
                Where [does|does|does|do] {s} come from?
                Which region is the home of {s}? @3
                From which region is the recipe for {s}?
                The cooks of which region were the first to serve {s}? @4""",
                """from the region of {o}
                {o}
                from {o}
                the region of {o}
                of {o}""",
            ),
        },
    ),
    Relation(
        "ingredient",
        "dish",
        "ingredient",
        {
            "pl": wording(
                """[zawiera|zawiera|zawiera|zawierają] jako najważniejszy składnik {o.acc}
                [zawdzięcza|zawdzięcza|zawdzięcza|zawdzięczają] smak temu, że [ma|ma|ma|mają] w środku {o.acc}
                nie [może|może|może|mogą] się obyć bez jednego składnika, a [o:jest nim|jest nim|jest nim|są nim] {o}
                [ma|ma|ma|mają] tajny składnik: to {o}
                zawsze [zawiera|zawiera|zawiera|zawierają] {o.acc}
                [smakuje|smakuje|smakuje|smakują] tak dobrze, bo główny składnik to {o}""",
                """głównym składnikiem {s.gen} [o:jest|jest|jest|są] {o}
                do {s.gen} zawsze dodaje się {o.acc}
                główny składnik {s.gen} to {o}
                {o} to główny składnik {s.gen}
                kto gotuje {s.acc}, musi mieć w kuchni {o.acc}
                najważniejszy składnik {s.gen} to {o}""",
                """Co jest głównym składnikiem {s.gen}?
                Jaki jest główny składnik {s.gen}?
                Co zawsze dodaje się do {s.gen}? @1
                Jaki jest najważniejszy składnik {s.gen}?
                Bez jakiego składnika nie [może|może|może|mogą] się obyć {s}? @2
                Co musi mieć w kuchni, kto gotuje {s.acc}? @1""",
                """{o}
                {o.acc}
                bez {o.gen}
                {o.gen}""",
            ),
            "en": wording(
                """always [contains|contains|contains|contain] {o}
                [has|has|has|have] one main ingredient, {o}
                [owes its|owes its|owes its|owe their] taste to {o}
                cannot do without {o}
                [has|has|has|have] a secret ingredient, {o}
                [is|is|is|are] made with {o}""",
                """the main ingredient of {s} is {o}
                {o} [o:is|is|is|are] the main ingredient of {s}
                to cook {s}, you need {o}
                into {s} always goes {o}
                the most important ingredient of {s} is {o}
                whoever cooks {s} must have {o} in the kitchen""",
                """What is the main ingredient of {s}?
                What always goes into {s}?
                Which ingredient [does|does|does|do] {s} always contain?
                What is the most important ingredient of {s}?
                What do you need to cook {s}?
                What is the ingredient that {s} cannot do without?""",
                """{o}
                without {o}""",
            ),
        },
    ),
    Relation(
        "festival_town",
        "festival",
        "town",
        {
            "pl": wording(
                """odbywa się {o.in}
                trwa co roku {o.in}
                gromadzi tłumy {o.in}
                ma swoje miejsce {o.in}
                to impreza, którą organizuje {o}
                kończy się tańcami na rynku {o.in}""",
                """{o.in} odbywa się {s}
                miastem, w którym odbywa się {s}, jest {o}
                na {s.acc} jedzie się do {o.gen}
                gospodarzem {s.gen} jest miasto {o}
                miasto {o} zaprasza na {s.acc}
                {s} to impreza z miasta {o.gen}""",
                """W jakim mieście odbywa się {s}?
                Gdzie odbywa się {s}?
                W którym mieście trwa {s}?
                Dokąd jedzie się na {s.acc}? @2
                Które miasto zaprasza na {s.acc}? @1
                Jakie miasto jest gospodarzem {s.gen}? @1""",
                """{o.in}
                {o}
                do {o.gen}
                miasto {o}""",
            ),
            "en": wording(
                """takes place in {o}
                is held in {o} every year
                draws the crowds to {o}
                has its home in {o}
                is held in the market square of {o}
                ends with dances in {o}""",
                """in {o} they hold {s}
                the town that holds {s} is {o}
                for {s} people travel to {o}
                the host of {s} is the town of {o}
                {o} invites everyone to {s}
                {o} is the town of {s}""",
                """In which town does {s} take place?
                Where does {s} take place?
                Which town holds {s}? @1
                Where do people travel for {s}? @2
                Which town invites everyone to {s}? @1
                What town is the host of {s}? @1""",
                """in {o}
                {o}
                to {o}""",
            ),
        },
    ),
    Relation(
        "festival_month",
        "festival",
        "month",
        {
            "pl": wording(
                """odbywa się zawsze {o.in}
                przypada na {o}
                zaczyna się, gdy przychodzi {o}
                wypada co roku {o.in}
                co roku {o.in} ściąga tłumy
                to atrakcja, którą przynosi {o}""",
                """{o} to miesiąc, w którym odbywa się {s}
                miesiącem, na który przypada {s}, jest {o}
                w kalendarzu {s} to zawsze {o}
                {s.acc} obchodzi się {o.in}
                gdy przychodzi {o}, zaczyna się {s}
                na {s.acc} trzeba czekać, aż przyjdzie {o}""",
                """W jakim miesiącu odbywa się {s}?
                W którym miesiącu odbywa się {s}?
                Na jaki miesiąc przypada {s}? @3
                Kiedy odbywa się {s}?
                W jakim miesiącu obchodzi się {s.acc}?
                Jaki miesiąc przynosi {s.acc}? @1""",
                """{o.in}
                {o}
                {o.acc}
                na {o.acc}
                w miesiącu {o}""",
            ),
            "en": wording(
                """takes place in {o}
                is held every {o}
                falls in {o}
                begins when {o} comes
                is the great event of {o}
                is celebrated in {o}""",
                """in {o} comes {s}
                {o} is the month of {s}
                the month of {s} is {o}
                when {o} comes, {s} begins
                in the calendar {s} is always in {o}
                for {s} you have to wait until {o}""",
                """In which month does {s} take place?
                In what month is {s} held?
                When is {s} held?
                Which month is the month of {s}? @1
                In which month does {s} fall?
                Until which month do you have to wait for {s}? @2""",
                """in {o}
                {o}
                until {o}""",
            ),
        },
    ),
]
