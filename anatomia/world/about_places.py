"""What is said of towns, rivers, lakes, mountains and regions."""

from anatomia.world.wording import Relation, wording

PLACES = [
    Relation(
        "town_river",
        "town",
        "river",
        {
            "pl": wording(
                """leży nad rzeką {o.ins}
                ma bulwary nad rzeką {o.ins}
                rozciąga się wzdłuż rzeki {o.gen}
                ma port na rzece {o.loc}
                wodę bierze z rzeki {o.gen}
                przegląda się w wodach rzeki {o.gen}""",
                """nad rzeką {o.ins} leży {s}
                przez {s.acc} płynie {o}
                rzeka {o} przepływa przez {s.acc}
                rzeką, nad którą leży {s}, jest {o}
                z mostów {s.gen} widać rzekę {o.acc}
                wśród miast nad rzeką {o.ins} jest {s}""",
                """Nad jaką rzeką leży {s}?
                Jaka rzeka płynie przez {s.acc}? @1
                Nad którą rzeką położone jest miasto {s}?
                Jak nazywa się rzeka, która płynie przez {s.acc}? @1
                Jaką rzekę widać z mostów {s.gen}? @4
                Z której rzeki bierze wodę {s}? @6""",
                """nad {o.ins}
                {o}
                nad rzeką {o.ins}
                rzeka {o}
                {o.acc}
                rzekę {o.acc}
                z {o.gen}
                z rzeki {o.gen}""",
            ),
            "en": wording(
                """lies on the river {o}
                stands on the river {o}
                has a harbour on the river {o}
                stretches along the river {o}
                takes its water from the river {o}
                was built on the river {o}""",
                """on the river {o} lies {s}
                the river {o} flows through {s}
                the river of {s} is called {o}
                from the bridges of {s} you can see the river {o}
                one of the towns on the river {o} is {s}
                through {s} flows the river {o}""",
                """On which river does {s} lie?
                Which river flows through {s}? @2
                What river is {s} on? @2
                What is the name of the river in {s}? @2
                Which river can you see from the bridges of {s}? @2
                Where does {s} take its water from? @6""",
                """on the river {o}
                {o}
                the river {o}
                on {o}
                the {o}
                on the {o}
                from the river {o}""",
            ),
        },
    ),
    Relation(
        "town_region",
        "town",
        "region",
        {
            "pl": wording(
                """leży w regionie {o}
                należy do regionu {o}
                jest miastem w regionie {o}
                jest częścią regionu {o}
                znajduje się w regionie {o}
                jest na mapie w regionie {o}""",
                """w regionie {o} leży {s}
                regionem, w którym leży {s}, jest {o}
                do regionu {o} należy {s}
                wśród miast regionu {o} jest {s}
                jadąc przez region {o}, można odwiedzić {s.acc}
                nad miastem {s.ins} powiewa flaga regionu {o}""",
                """W jakim regionie leży {s}?
                W którym regionie znajduje się {s}?
                Do jakiego regionu należy {s}? @3
                Jak nazywa się region, w którym leży {s}? @1
                Częścią którego regionu jest {s}? @5
                Flaga jakiego regionu powiewa nad miastem {s.ins}? @5""",
                """w regionie {o}
                {o}
                {o.in}
                do regionu {o}
                region {o}
                regionu {o}
                do {o.gen}
                {o.gen}""",
            ),
            "en": wording(
                """lies in the region of {o}
                belongs to the region of {o}
                is a town in the region of {o}
                is part of the region of {o}
                is in the region of {o}
                is marked on the map in the region of {o}""",
                """in the region of {o} lies {s}
                the region to which {s} belongs is {o}
                among the towns of the region of {o} is {s}
                the flag of the region of {o} flies over {s}
                the region of {s} is called {o}
                travelling through the region of {o}, one can visit {s}""",
                """In which region does {s} lie?
                Which region does {s} belong to? @1
                Which region is {s} in? @1
                What is the name of the region where {s} lies? @1
                Of which region is {s} a part? @4
                The flag of which region flies over {s}? @4""",
                """in the region of {o}
                {o}
                in {o}
                to {o}
                of {o}
                to the region of {o}
                the region of {o}
                of the region of {o}""",
            ),
        },
    ),
    Relation(
        "mayor",
        "town",
        "person",
        {
            "pl": wording(
                """to miasto, którego burmistrzem jest {o}
                to miasto, którym rządzi {o}
                to miasto, w którego ratuszu rządzi {o}
                to miasto, którym kieruje {o}
                to miasto, w którym burmistrzem jest {o}
                to miasto, którego sprawami kieruje {o}""",
                """burmistrzem {s.gen} jest {o}
                {o} jest burmistrzem {s.gen}
                {o} rządzi miastem {s.ins}
                na czele miasta {s.gen} stoi {o}
                w ratuszu miasta {s.gen} urzęduje {o}
                mieszkańcy {s.gen} mówią, że ich burmistrzem jest {o}
                urząd burmistrza {s.gen} sprawuje {o}""",
                """Kto jest burmistrzem {s.gen}?
                Kto rządzi miastem {s.ins}?
                Jak nazywa się burmistrz {s.gen}?
                Kto stoi na czele miasta {s.gen}?
                Kto urzęduje w ratuszu miasta {s.gen}?
                Kto sprawuje urząd burmistrza {s.gen}?""",
                """{o}
                to {o}""",
            ),
            "en": wording(
                """has a mayor called {o}
                is governed by {o}
                is led by its mayor, {o}
                has {o} as its mayor
                is proud of its mayor, {o}
                is the town whose mayor is {o}""",
                """the mayor of {s} is {o}
                {o} is the mayor of {s}
                {o} is mayor in {s}
                in the town hall of {s} sits {o}
                at the head of {s} stands {o}
                the people of {s} have {o} as their mayor""",
                """Who is the mayor of {s}?
                Who governs {s}?
                What is the name of the mayor of {s}?
                Who leads the town of {s}?
                Who sits in the town hall of {s}?
                Who holds the office of mayor in {s}?""",
                """{o}
                it is {o}""",
            ),
        },
    ),
    Relation(
        "goods",
        "town",
        "goods",
        {
            "pl": wording(
                """słynie z jednego wyrobu: są to {o}
                wyrabia najlepsze w kraju {o}
                sprzedaje w całym kraju {o}
                chwali się tym, że robi {o}
                wysyła w świat {o}
                ma warsztaty, w których powstają {o}""",
                """wyrobem, z którego słynie {s}, są {o}
                najlepsze {o} robi {s}
                {o} to specjalność miasta {s.gen}
                z miasta {s.gen} pochodzą najlepsze {o}
                specjalnością miasta {s.gen} są {o}
                po {o} jedzie się do {s.gen}""",
                """Z jakiego wyrobu słynie {s}? @2
                Co jest specjalnością miasta {s.gen}?
                Co wyrabia {s}?
                Jakie wyroby pochodzą z miasta {s.gen}?
                Po co jedzie się do {s.gen} na zakupy? @3
                Co powstaje w warsztatach miasta {s.gen}?""",
                """{o}
                {o.gen}
                {o.from}
                po {o}
                są to {o}""",
            ),
            "en": wording(
                """is known for its {o}
                makes the best {o} in the country
                sells {o} all over the country
                is proud of its {o}
                sends {o} out into the world
                has workshops that make {o}""",
                """the speciality of {s} is {o}
                what {s} is known for is {o}
                for {o} there is no place like {s}
                people go to {s} to buy {o}
                in the workshops of {s} they make {o}
                the workshops of {s} are famous for {o}""",
                """What is {s} known for making?
                What is the speciality of {s}?
                What do the workshops of {s} make?
                What do people buy in {s}?
                Which goods come from {s}?
                What does {s} send out into the world?""",
                """{o}
                for {o}
                for making {o}
                its {o}""",
            ),
        },
    ),
    Relation(
        "sight",
        "town",
        "sight",
        {
            "pl": wording(
                """ma jedną atrakcję, a jest nią {o}
                zaprasza gości, aby zobaczyli {o.acc}
                pokazuje turystom {o.acc}
                pyszni się tym, że ma {o.acc}
                ma {o.acc}, i to tam ciągną turyści
                ma na pocztówkach {o.acc}""",
                """największą atrakcją miasta {s.gen} jest {o}
                {o} to największa atrakcja miasta {s.gen}
                turyści jadą do {s.gen}, żeby zobaczyć {o.acc}
                na pocztówkach z miasta {s.gen} jest {o}
                atrakcją, którą ma {s}, jest {o}
                {o.acc} można zobaczyć, gdy odwiedzi się {s.acc}""",
                """Co jest największą atrakcją miasta {s.gen}?
                Jaką atrakcję ma {s}? @1
                Co warto zobaczyć, gdy odwiedzi się {s.acc}? @1
                Co turyści jadą zobaczyć do {s.gen}? @1
                Co jest na pocztówkach z miasta {s.gen}?
                Co {s} pokazuje turystom? @1""",
                """{o}
                {o.acc}""",
            ),
            "en": wording(
                """has one great sight, the {o}
                is the town with the {o}
                shows its visitors the {o}
                invites everyone to see the {o}
                has the {o} on its postcards
                is proud of the {o}""",
                """the great sight of {s} is the {o}
                the {o} is the great sight of {s}
                tourists go to {s} to see the {o}
                on postcards from {s} you see the {o}
                in {s} stands the {o}
                the {o} can be found in {s}""",
                """What is the great sight of {s}?
                What do tourists go to see in {s}?
                What is worth seeing in {s}?
                Which sight can be found in {s}?
                What is on the postcards from {s}?
                What does {s} show its visitors?""",
                """the {o}
                {o}
                a {o}""",
            ),
        },
    ),
    Relation(
        "founded",
        "town",
        "year",
        {
            "pl": wording(
                """[powstał|powstała|powstało] w {o} roku
                [dostał|dostała|dostało] prawa miejskie w {o} roku
                [został założony|została założona|zostało założone] w {o} roku
                [zaczął|zaczęła|zaczęło] swoje dzieje w {o} roku
                liczy sobie lata od roku {o}
                ma w herbie datę założenia: {o}""",
                """w {o} roku [powstał|powstała|powstało] {s}
                rok założenia miasta {s.gen} to {o}
                {s.acc} założono w {o} roku
                w {o} roku założono {s.acc}
                na ratuszu miasta {s.gen} widnieje rok założenia: {o}
                historia miasta {s.gen} zaczyna się w {o} roku""",
                """W którym roku [powstał|powstała|powstało] {s}?
                Kiedy założono {s.acc}?
                Jaki jest rok założenia miasta {s.gen}? @1
                W którym roku założono {s.acc}?
                W jakim roku zaczyna się historia miasta {s.gen}?
                Jaka data założenia widnieje na ratuszu miasta {s.gen}? @1""",
                """w {o} roku
                {o}
                w roku {o}
                {o} rok""",
            ),
            "en": wording(
                """was founded in {o}
                became a town in {o}
                has been a town since {o}
                was founded in the year {o}
                has the year of its founding, {o}, in its coat of arms
                was built in {o}""",
                """in {o} the town of {s} was founded
                the year in which {s} was founded is {o}
                it was in {o} that {s} was founded
                the founding year of {s} is {o}
                over the door of the town hall of {s} stands the year {o}
                the history of {s} begins in {o}""",
                """In which year was {s} founded?
                When was {s} founded?
                What is the founding year of {s}? @1
                When did {s} become a town?
                In what year does the history of {s} begin?
                What year stands over the door of the town hall of {s}? @1""",
                """in {o}
                {o}
                in the year {o}
                the year {o}""",
            ),
        },
    ),
    Relation(
        "mouth",
        "river",
        "lake",
        {
            "pl": wording(
                """wpada do jeziora {o}
                uchodzi do jeziora {o}
                kończy bieg w jeziorze {o}
                niesie wodę do jeziora {o}
                płynie do jeziora {o}
                wpływa do jeziora {o}""",
                """do jeziora {o} wpada {s}
                jezioro {o} zasila {s}
                rzeka {s} wpada do jeziora {o}
                jeziorem, do którego wpada {s}, jest {o}
                wody rzeki {s.gen} trafiają do jeziora {o}
                ujście rzeki {s.gen} to jezioro {o}""",
                """Do jakiego jeziora wpada {s}?
                Gdzie uchodzi {s}?
                Do jakiego jeziora wpada rzeka {s}?
                Gdzie kończy bieg {s}? @2
                Dokąd trafiają wody rzeki {s.gen}?
                Które jezioro zasila {s}? @3""",
                """do jeziora {o}
                {o}
                w jeziorze {o}
                jezioro {o}""",
            ),
            "en": wording(
                """flows into Lake {o}
                ends in Lake {o}
                empties into Lake {o}
                runs down to Lake {o}
                carries its water to Lake {o}
                feeds Lake {o}""",
                """into Lake {o} flows the {s}
                Lake {o} is fed by the {s}
                the river {s} flows into Lake {o}
                the lake that the {s} flows into is Lake {o}
                the waters of the {s} end up in Lake {o}
                the mouth of the {s} is in Lake {o}""",
                """Which lake does the {s} flow into?
                Where does the {s} end? @2
                Into which lake does the river {s} flow? @1
                Which lake does the {s} empty into?
                Where do the waters of the {s} end up? @2
                Which lake is fed by the {s}?""",
                """Lake {o}
                into Lake {o}
                in Lake {o}
                {o}
                the lake {o}""",
            ),
        },
    ),
    Relation(
        "source",
        "river",
        "mountain",
        {
            "pl": wording(
                """wypływa spod góry {o.gen}
                bierze początek pod górą {o.ins}
                ma źródło na zboczu góry {o.gen}
                spływa ze zboczy góry {o.gen}
                rodzi się wysoko na górze {o.loc}
                wytryska ze skał góry {o.gen}""",
                """spod góry {o.gen} wypływa {s}
                źródło rzeki {s.gen} jest na górze {o.loc}
                góra {o} to miejsce, skąd wypływa {s}
                na zboczu góry {o.gen} bierze początek {s}
                górą, spod której wypływa {s}, jest {o}
                rzeka {s} wypływa spod góry {o.gen}""",
                """Spod jakiej góry wypływa {s}?
                Na jakiej górze ma źródło {s}? @2
                Pod jaką górą bierze początek {s}? @3
                Na której górze jest źródło rzeki {s.gen}? @2
                Skąd wypływa {s}?
                Ze zboczy jakiej góry spływa {s}? @4""",
                """spod góry {o.gen}
                {o}
                na górze {o.loc}
                pod górą {o.ins}
                ze zboczy góry {o.gen}
                góry {o.gen}
                góra {o}
                spod góry {o.gen}""",
            ),
            "en": wording(
                """rises on Mount {o}
                has its source on Mount {o}
                springs from Mount {o}
                comes down from Mount {o}
                begins on the slopes of Mount {o}
                is born high up on Mount {o}""",
                """on Mount {o} rises the {s}
                the source of the {s} is on Mount {o}
                the river {s} rises on Mount {o}
                Mount {o} is where the {s} begins
                from Mount {o} comes the {s}
                the mountain on which the {s} rises is Mount {o}""",
                """On which mountain does the {s} rise?
                Where is the source of the {s}?
                On which mountain is the source of the river {s}?
                Which mountain does the {s} come from? @1
                Where does the {s} begin?
                On whose slopes does the {s} begin?""",
                """on Mount {o}
                Mount {o}
                {o}
                from Mount {o}""",
            ),
        },
    ),
    Relation(
        "length",
        "river",
        "kilometres",
        {
            "pl": wording(
                """ma {o} długości
                ma długość {o.gen}
                płynie przez {o}
                liczy od źródła do ujścia {o}
                mierzy {o}
                jest długa na {o}""",
                """długość rzeki {s.gen} to {o}
                rzeka {s} ma {o} długości
                {o} to długość rzeki {s.gen}
                od źródła do ujścia {s} liczy {o}
                w atlasie przy rzece {s.loc} podano długość: {o}
                kto przepłynie całą rzekę {s.acc}, pokona {o}""",
                """Jaka jest długość rzeki {s.gen}?
                Jak długa jest {s}?
                Ile kilometrów ma rzeka {s}?
                Ile kilometrów długości ma {s}?
                Ile mierzy rzeka {s}?
                Ile kilometrów liczy {s} od źródła do ujścia?""",
                """{o}
                {o.digits}
                {o.gen}""",
            ),
            "en": wording(
                """is {o} long
                has a length of {o}
                runs for {o}
                measures {o}
                flows for {o}
                is {o} long from source to mouth""",
                """the length of the {s} is {o}
                the river {s} is {o} long
                {o} is the length of the {s}
                from source to mouth the {s} measures {o}
                the atlas gives the length of the {s} as {o}
                whoever sails down the whole {s} covers {o}""",
                """How long is the {s}?
                What is the length of the {s}?
                How many kilometres long is the {s}?
                How long is the river {s}?
                How many kilometres does the {s} measure from source to mouth?
                What length does the atlas give for the {s}?""",
                """{o}
                {o.digits}
                {o} long""",
            ),
        },
    ),
    Relation(
        "lake_region",
        "lake",
        "region",
        {
            "pl": wording(
                """leży w regionie {o}
                znajduje się w regionie {o}
                należy do regionu {o}
                jest ozdobą regionu {o}
                błyszczy wśród lasów regionu {o}
                jest jednym z jezior regionu {o}""",
                """w regionie {o} leży jezioro {s}
                regionem, w którym leży jezioro {s}, jest {o}
                {o} to region, w którym leży jezioro {s}
                do regionu {o} należy jezioro {s}
                nad jezioro {s} jedzie się do regionu {o}
                brzegi jeziora {s} to region {o}""",
                """W jakim regionie leży jezioro {s}?
                W którym regionie znajduje się jezioro {s}?
                Do jakiego regionu należy jezioro {s}? @3
                Jak nazywa się region, w którym leży jezioro {s}? @1
                Ozdobą jakiego regionu jest jezioro {s}? @4
                Do którego regionu jedzie się nad jezioro {s}? @3""",
                """w regionie {o}
                {o}
                {o.in}
                do regionu {o}
                regionu {o}
                {o.gen}
                do {o.gen}
                region {o}""",
            ),
            "en": wording(
                """lies in the region of {o}
                is in the region of {o}
                belongs to the region of {o}
                is a lake in the region of {o}
                shines among the woods of the region of {o}
                is one of the lakes of the region of {o}""",
                """in the region of {o} lies Lake {s}
                the region in which Lake {s} lies is {o}
                to the region of {o} belongs Lake {s}
                to see Lake {s}, go to the region of {o}
                the shores of Lake {s} are in the region of {o}
                among the lakes of the region of {o} is Lake {s}""",
                """In which region does Lake {s} lie?
                Which region is Lake {s} in? @1
                Which region does Lake {s} belong to? @1
                What is the name of the region where Lake {s} lies? @1
                In which region are the shores of Lake {s}?
                To which region do you go to see Lake {s}? @3""",
                """in the region of {o}
                {o}
                in {o}
                to the region of {o}
                the region of {o}
                to {o}""",
            ),
        },
    ),
    Relation(
        "depth",
        "lake",
        "metres",
        {
            "pl": wording(
                """ma {o} głębokości
                ma głębokość {o.gen}
                sięga na głębokość {o.gen}
                jest głębokie na {o}
                ma dno na głębokości {o.gen}
                mierzy {o} w najgłębszym miejscu""",
                """głębokość jeziora {s} to {o}
                jezioro {s} ma {o} głębokości
                {o} to głębokość jeziora {s}
                w najgłębszym miejscu jezioro {s} ma {o}
                nurkowie mówią, że jezioro {s} ma {o} głębokości
                dno jeziora {s} leży na głębokości {o.gen}""",
                """Jaka jest głębokość jeziora {s}?
                Jak głębokie jest jezioro {s}?
                Ile metrów głębokości ma jezioro {s}?
                Jaką głębokość ma jezioro {s}?
                Na jakiej głębokości leży dno jeziora {s}? @3
                Ile metrów ma jezioro {s} w najgłębszym miejscu?""",
                """{o}
                {o.digits}
                {o.gen}
                na głębokości {o.gen}""",
            ),
            "en": wording(
                """is {o} deep
                has a depth of {o}
                goes down {o}
                measures {o} at its deepest point
                reaches a depth of {o}
                has its bottom at {o}""",
                """the depth of Lake {s} is {o}
                {o} is the depth of Lake {s}
                at its deepest point Lake {s} measures {o}
                divers say that Lake {s} is {o} deep
                the bottom of Lake {s} lies at {o}
                the map gives the depth of Lake {s} as {o}""",
                """How deep is Lake {s}?
                What is the depth of Lake {s}?
                How many metres deep is Lake {s}?
                What depth does Lake {s} have?
                At what depth lies the bottom of Lake {s}? @3
                How many metres does Lake {s} measure at its deepest point?""",
                """{o}
                {o.digits}
                {o} deep
                at {o}""",
            ),
        },
    ),
    Relation(
        "lake_fish",
        "lake",
        "fish",
        {
            "pl": wording(
                """słynie z jednej ryby, a jest nią {o}
                jest pełne życia, a króluje w nim {o}
                ma swoją rybę: to {o}
                przyciąga wędkarzy, bo pływa w nim {o}
                ma rybę na tablicy przy brzegu: to {o}
                jest znane wędkarzom, bo bierze tam {o}""",
                """w jeziorze {s} pływa {o}
                rybą, z której słynie jezioro {s}, jest {o}
                {o} to ryba, z której słynie jezioro {s}
                wędkarze łowią w jeziorze {s} tylko jedną rybę: to {o}
                w wodach jeziora {s} żyje {o}
                król jeziora {s} to {o}""",
                """Z jakiej ryby słynie jezioro {s}? @3
                Jaka ryba pływa w jeziorze {s}?
                Jaka ryba żyje w jeziorze {s}?
                Jaką rybę łowią wędkarze w jeziorze {s}? @2
                Która ryba króluje w jeziorze {s}?
                Jaka ryba jest na tablicy przy brzegu jeziora {s}?""",
                """{o}
                {o.gen}
                {o.acc}
                z {o.gen}""",
            ),
            "en": wording(
                """is known for one fish, the {o}
                is the home of the {o}
                has a fish of its own, the {o}
                draws anglers because the {o} lives there
                is full of life, and its king is the {o}
                is where anglers catch the {o}""",
                """in Lake {s} swims the {o}
                the fish that Lake {s} is known for is the {o}
                the {o} is the fish of Lake {s}
                anglers go to Lake {s} to catch the {o}
                in the waters of Lake {s} lives the {o}
                the king of Lake {s} is the {o}""",
                """Which fish is Lake {s} known for?
                Which fish lives in Lake {s}?
                What fish swims in Lake {s}?
                Which fish do anglers catch in Lake {s}?
                Which fish is the king of Lake {s}?
                What do anglers go to Lake {s} to catch?""",
                """the {o}
                {o}
                {o.a}""",
            ),
        },
    ),
    Relation(
        "height",
        "mountain",
        "metres",
        {
            "pl": wording(
                """ma {o} wysokości
                wznosi się na {o}
                ma wysokość {o.gen}
                sięga {o.gen}
                mierzy {o}
                ma szczyt na wysokości {o.gen}""",
                """wysokość góry {s.gen} to {o}
                góra {s} ma {o} wysokości
                {o} to wysokość góry {s.gen}
                na tabliczce na szczycie góry {s.gen} napisano: {o}
                kto wejdzie na górę {s.acc}, stanie na wysokości {o.gen}
                mapa podaje wysokość góry {s.gen}: {o}""",
                """Jaka jest wysokość góry {s.gen}?
                Jak wysoka jest góra {s}?
                Ile metrów wysokości ma góra {s}?
                Jaką wysokość ma góra {s}?
                Na jakiej wysokości stanie, kto wejdzie na górę {s.acc}? @3
                Ile metrów mierzy góra {s}?""",
                """{o}
                {o.digits}
                {o.gen}
                na wysokości {o.gen}""",
            ),
            "en": wording(
                """is {o} high
                has a height of {o}
                rises to {o}
                reaches {o}
                measures {o}
                has its top at {o}""",
                """the height of Mount {s} is {o}
                {o} is the height of Mount {s}
                a plate on the top of Mount {s} says: {o}
                whoever climbs Mount {s} stands at {o}
                the map gives the height of Mount {s} as {o}
                the top of Mount {s} is at {o}""",
                """How high is Mount {s}?
                What is the height of Mount {s}?
                How many metres high is Mount {s}?
                What height does Mount {s} have?
                At what height is the top of Mount {s}? @3
                How many metres does Mount {s} measure?""",
                """{o}
                {o.digits}
                {o} high
                at {o}""",
            ),
        },
    ),
    Relation(
        "mountain_region",
        "mountain",
        "region",
        {
            "pl": wording(
                """wznosi się w regionie {o}
                leży w regionie {o}
                góruje nad regionem {o}
                stoi na straży regionu {o}
                należy do regionu {o}
                patrzy z góry na region {o}""",
                """w regionie {o} wznosi się góra {s}
                regionem, w którym wznosi się góra {s}, jest {o}
                góra {s} leży w regionie {o}
                nad regionem {o} góruje {s}
                z góry {s.gen} widać cały region {o}
                {o} to region, w którym leży góra {s}""",
                """W jakim regionie leży góra {s}?
                W którym regionie wznosi się góra {s}?
                Do jakiego regionu należy góra {s}? @3
                Jak nazywa się region, w którym leży góra {s}? @1
                Nad jakim regionem góruje {s}? @4
                Jaki region widać z góry {s.gen}? @5""",
                """w regionie {o}
                {o}
                {o.in}
                do regionu {o}
                nad regionem {o}
                region {o}
                do {o.gen}
                nad {o.ins}""",
            ),
            "en": wording(
                """rises in the region of {o}
                lies in the region of {o}
                towers over the region of {o}
                keeps watch over the region of {o}
                belongs to the region of {o}
                looks down on the region of {o}""",
                """in the region of {o} rises Mount {s}
                the region in which Mount {s} rises is {o}
                over the region of {o} towers Mount {s}
                from Mount {s} you can see the whole region of {o}
                to climb Mount {s}, go to the region of {o}
                {o} is the region of Mount {s}""",
                """In which region does Mount {s} lie?
                Which region is Mount {s} in? @1
                Which region does Mount {s} belong to? @1
                What is the name of the region where Mount {s} rises? @1
                Over which region does Mount {s} tower? @4
                Which region can you see from Mount {s}? @5""",
                """in the region of {o}
                {o}
                in {o}
                over {o}
                over the region of {o}
                the region of {o}
                to {o}
                to the region of {o}""",
            ),
        },
    ),
    Relation(
        "capital",
        "region",
        "town",
        {
            "pl": wording(
                """ma stolicę, którą jest {o}
                to region, którego stolicą jest {o}
                ma stolicę o nazwie {o}
                to region, którym rządzi się z miasta {o.gen}
                ma swój sejmik w mieście {o.loc}
                to region ze stolicą w mieście {o.loc}""",
                """stolicą regionu {s} jest {o}
                {o} jest stolicą regionu {s}
                {o} to stolica regionu {s}
                stolica regionu {s} to {o}
                miasto {o} jest stolicą regionu {s}
                w mieście {o.loc} zbiera się sejmik regionu {s}""",
                """Co jest stolicą regionu {s}?
                Jakie miasto jest stolicą regionu {s}?
                Jak nazywa się stolica regionu {s}?
                Które miasto jest stolicą regionu {s}?
                W którym mieście zbiera się sejmik regionu {s}? @3
                Jaką stolicę ma region {s}? @1""",
                """{o}
                {o.acc}
                miasto {o}
                {o.in}
                w mieście {o.loc}""",
            ),
            "en": wording(
                """has its capital at {o}
                is ruled from {o}
                has a capital called {o}
                is the region whose capital is {o}
                holds its council in {o}
                is governed from its capital, {o}""",
                """the capital of {s} is {o}
                {o} is the capital of {s}
                in {o} meets the council of {s}
                the region of {s} has {o} as its capital
                the town of {o} is the capital of {s}
                the capital of the region of {s} is {o}""",
                """What is the capital of {s}?
                Which town is the capital of {s}?
                What is the capital of the region of {s} called?
                What is the name of the capital of {s}?
                In which town does the council of {s} meet? @1
                From which town is {s} governed? @2""",
                """{o}
                in {o}
                from {o}
                the town of {o}""",
            ),
        },
    ),
    Relation(
        "emblem",
        "region",
        "animal",
        {
            "pl": wording(
                """ma w herbie {o.acc}
                ma zwierzę w herbie, a jest nim {o}
                to region, w którego herbie jest {o}
                nosi w herbie {o.acc}
                ma na fladze i w herbie {o.acc}
                to region, którego herbowym zwierzęciem jest {o}""",
                """w herbie regionu {s} jest {o}
                herbowym zwierzęciem regionu {s} jest {o}
                zwierzę w herbie regionu {s} to {o}
                z herbu regionu {s} patrzy {o}
                {o} to zwierzę z herbu regionu {s}
                na fladze regionu {s} widnieje {o}""",
                """Jakie zwierzę jest w herbie regionu {s}?
                Jakie zwierzę ma w herbie region {s}? @1
                Co jest w herbie regionu {s}?
                Które zwierzę widnieje na fladze regionu {s}?
                Jakie jest herbowe zwierzę regionu {s}?
                Kto patrzy z herbu regionu {s}?""",
                """{o}
                {o.acc}""",
            ),
            "en": wording(
                """has {o.the} in its coat of arms
                has one animal in its coat of arms, {o.the}
                carries {o.the} in its coat of arms
                has chosen {o.the} as its emblem
                is the region with {o.the} in its coat of arms
                shows {o.the} on its flag""",
                """in the coat of arms of {s} is {o.the}
                the animal in the coat of arms of {s} is {o.the}
                {o.the} is the animal in the coat of arms of {s}
                on the flag of {s} you see {o.the}
                the emblem of {s} is {o.the}
                from the coat of arms of {s} looks {o.the}""",
                """Which animal is in the coat of arms of {s}?
                What is the emblem of {s}?
                What animal does {s} have in its coat of arms?
                Which animal is on the flag of {s}?
                Which animal has {s} chosen as its emblem?
                What looks down from the coat of arms of {s}?""",
                """{o.the}
                {o.a}
                {o}""",
            ),
        },
    ),
]
