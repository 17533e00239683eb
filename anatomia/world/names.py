"""Tables of invented proper names with every declined form.

Rows are six cases (nominative / genitive / dative / accusative / instrumental / locative) @ gender; first names have
the vocative as a seventh form. In English texts the nominative stands undeclined.
"""

FIRST_FEMININE = [
    "Anna/Anny/Annie/Annę/Anną/Annie/Anno",
    "Barbara/Barbary/Barbarze/Barbarę/Barbarą/Barbarze/Barbaro",
    "Cecylia/Cecylii/Cecylii/Cecylię/Cecylią/Cecylii/Cecylio",
    "Danuta/Danuty/Danucie/Danutę/Danutą/Danucie/Danuto",
    "Elżbieta/Elżbiety/Elżbiecie/Elżbietę/Elżbietą/Elżbiecie/Elżbieto",
    "Felicja/Felicji/Felicji/Felicję/Felicją/Felicji/Felicjo",
    "Grażyna/Grażyny/Grażynie/Grażynę/Grażyną/Grażynie/Grażyno",
    "Halina/Haliny/Halinie/Halinę/Haliną/Halinie/Halino",
    "Iwona/Iwony/Iwonie/Iwonę/Iwoną/Iwonie/Iwono",
    "Jadwiga/Jadwigi/Jadwidze/Jadwigę/Jadwigą/Jadwidze/Jadwigo",
    "Kinga/Kingi/Kindze/Kingę/Kingą/Kindze/Kingo",
    "Lucyna/Lucyny/Lucynie/Lucynę/Lucyną/Lucynie/Lucyno",
    "Magdalena/Magdaleny/Magdalenie/Magdalenę/Magdaleną/Magdalenie/Magdaleno",
    "Natalia/Natalii/Natalii/Natalię/Natalią/Natalii/Natalio",
    "Olga/Olgi/Oldze/Olgę/Olgą/Oldze/Olgo",
    "Paulina/Pauliny/Paulinie/Paulinę/Pauliną/Paulinie/Paulino",
    "Renata/Renaty/Renacie/Renatę/Renatą/Renacie/Renato",
    "Stefania/Stefanii/Stefanii/Stefanię/Stefanią/Stefanii/Stefanio",
    "Teresa/Teresy/Teresie/Teresę/Teresą/Teresie/Tereso",
    "Urszula/Urszuli/Urszuli/Urszulę/Urszulą/Urszuli/Urszulo",
    "Wanda/Wandy/Wandzie/Wandę/Wandą/Wandzie/Wando",
    "Zofia/Zofii/Zofii/Zofię/Zofią/Zofii/Zofio",
    "Bronisława/Bronisławy/Bronisławie/Bronisławę/Bronisławą/Bronisławie/Bronisławo",
    "Łucja/Łucji/Łucji/Łucję/Łucją/Łucji/Łucjo",
]
FIRST_MASCULINE = [
    "Adam/Adama/Adamowi/Adama/Adamem/Adamie/Adamie",
    "Bartosz/Bartosza/Bartoszowi/Bartosza/Bartoszem/Bartoszu/Bartoszu",
    "Cezary/Cezarego/Cezaremu/Cezarego/Cezarym/Cezarym/Cezary",
    "Dariusz/Dariusza/Dariuszowi/Dariusza/Dariuszem/Dariuszu/Dariuszu",
    "Edward/Edwarda/Edwardowi/Edwarda/Edwardem/Edwardzie/Edwardzie",
    "Filip/Filipa/Filipowi/Filipa/Filipem/Filipie/Filipie",
    "Grzegorz/Grzegorza/Grzegorzowi/Grzegorza/Grzegorzem/Grzegorzu/Grzegorzu",
    "Henryk/Henryka/Henrykowi/Henryka/Henrykiem/Henryku/Henryku",
    "Ignacy/Ignacego/Ignacemu/Ignacego/Ignacym/Ignacym/Ignacy",
    "Jakub/Jakuba/Jakubowi/Jakuba/Jakubem/Jakubie/Jakubie",
    "Konrad/Konrada/Konradowi/Konrada/Konradem/Konradzie/Konradzie",
    "Leon/Leona/Leonowi/Leona/Leonem/Leonie/Leonie",
    "Marcin/Marcina/Marcinowi/Marcina/Marcinem/Marcinie/Marcinie",
    "Norbert/Norberta/Norbertowi/Norberta/Norbertem/Norbercie/Norbercie",
    "Oskar/Oskara/Oskarowi/Oskara/Oskarem/Oskarze/Oskarze",
    "Piotr/Piotra/Piotrowi/Piotra/Piotrem/Piotrze/Piotrze",
    "Robert/Roberta/Robertowi/Roberta/Robertem/Robercie/Robercie",
    "Szymon/Szymona/Szymonowi/Szymona/Szymonem/Szymonie/Szymonie",
    "Tomasz/Tomasza/Tomaszowi/Tomasza/Tomaszem/Tomaszu/Tomaszu",
    "Wiktor/Wiktora/Wiktorowi/Wiktora/Wiktorem/Wiktorze/Wiktorze",
    "Zygmunt/Zygmunta/Zygmuntowi/Zygmunta/Zygmuntem/Zygmuncie/Zygmuncie",
    "Błażej/Błażeja/Błażejowi/Błażeja/Błażejem/Błażeju/Błażeju",
    "Kazimierz/Kazimierza/Kazimierzowi/Kazimierza/Kazimierzem/Kazimierzu/Kazimierzu",
    "Maciej/Macieja/Maciejowi/Macieja/Maciejem/Macieju/Macieju",
]
# Stems of surnames of the adjectival paradigm (-ski/-ska, -cki/-cka, -dzki/-dzka).
SURNAMES = [
    *("Brzozowsk", "Kowalsk", "Wierzbick", "Olszewsk", "Zawadzk", "Malinowsk", "Jaworsk", "Grabowsk", "Sikorsk"),
    *("Lipińsk", "Dąbrowsk", "Rudnick", "Sadowsk", "Górsk", "Kalińsk", "Zielińsk", "Pawlick"),
    *("Borowsk", "Sosnowsk", "Makowsk", "Chmielewsk", "Orłowsk", "Krasick", "Wysock"),
]
TOWNS = [
    "Borowina/Borowiny/Borowinie/Borowinę/Borowiną/Borowinie @f",
    "Kalinówka/Kalinówki/Kalinówce/Kalinówkę/Kalinówką/Kalinówce @f",
    "Wierzbnica/Wierzbnicy/Wierzbnicy/Wierzbnicę/Wierzbnicą/Wierzbnicy @f",
    "Złotawa/Złotawy/Złotawie/Złotawę/Złotawą/Złotawie @f",
    "Szklarnica/Szklarnicy/Szklarnicy/Szklarnicę/Szklarnicą/Szklarnicy @f",
    "Łąkówka/Łąkówki/Łąkówce/Łąkówkę/Łąkówką/Łąkówce @f",
    "Olszyn/Olszyna/Olszynowi/Olszyn/Olszynem/Olszynie @m",
    "Lipowiec/Lipowca/Lipowcowi/Lipowiec/Lipowcem/Lipowcu @m",
    "Starogród/Starogrodu/Starogrodowi/Starogród/Starogrodem/Starogrodzie @m",
    "Skalin/Skalina/Skalinowi/Skalin/Skalinem/Skalinie @m",
    "Modrzewiec/Modrzewca/Modrzewcowi/Modrzewiec/Modrzewcem/Modrzewcu @m",
    "Zdrojów/Zdrojowa/Zdrojowowi/Zdrojów/Zdrojowem/Zdrojowie @m",
    "Makowo/Makowa/Makowu/Makowo/Makowem/Makowie @n",
    "Wrzosowo/Wrzosowa/Wrzosowu/Wrzosowo/Wrzosowem/Wrzosowie @n",
    "Grabinowo/Grabinowa/Grabinowu/Grabinowo/Grabinowem/Grabinowie @n",
    "Żurawino/Żurawina/Żurawinu/Żurawino/Żurawinem/Żurawinie @n",
    "Ptaszkowo/Ptaszkowa/Ptaszkowu/Ptaszkowo/Ptaszkowem/Ptaszkowie @n",
    "Cisowo/Cisowa/Cisowu/Cisowo/Cisowem/Cisowie @n",
]
RIVERS = [
    "Srebrnica/Srebrnicy/Srebrnicy/Srebrnicę/Srebrnicą/Srebrnicy @f",
    "Bystrawka/Bystrawki/Bystrawce/Bystrawkę/Bystrawką/Bystrawce @f",
    "Olszawa/Olszawy/Olszawie/Olszawę/Olszawą/Olszawie @f",
    "Jasionka/Jasionki/Jasionce/Jasionkę/Jasionką/Jasionce @f",
    "Mrucza/Mruczy/Mruczy/Mruczę/Mruczą/Mruczy @f",
    "Lśnianka/Lśnianki/Lśniance/Lśniankę/Lśnianką/Lśniance @f",
    "Zawiłka/Zawiłki/Zawiłce/Zawiłkę/Zawiłką/Zawiłce @f",
    "Torfina/Torfiny/Torfinie/Torfinę/Torfiną/Torfinie @f",
]
# Lakes keep their name undeclined after the declined word "jezioro".
LAKES = ["Zaduma", "Głębia", "Perkoz", "Lusterko", "Topielec", "Mgławica", "Sitowie", "Księżyc"]
MOUNTAINS = [
    "Kruczyca/Kruczycy/Kruczycy/Kruczycę/Kruczycą/Kruczycy @f",
    "Łysina/Łysiny/Łysinie/Łysinę/Łysiną/Łysinie @f",
    "Sowianka/Sowianki/Sowiance/Sowiankę/Sowianką/Sowiance @f",
    "Wichrowa/Wichrowej/Wichrowej/Wichrową/Wichrową/Wichrowej @f",
    "Baranek/Baranka/Barankowi/Baranek/Barankiem/Baranku @m",
    "Grzmot/Grzmotu/Grzmotowi/Grzmot/Grzmotem/Grzmocie @m",
    "Kamyk/Kamyka/Kamykowi/Kamyk/Kamykiem/Kamyku @m",
    "Śnieżyk/Śnieżyka/Śnieżykowi/Śnieżyk/Śnieżykiem/Śnieżyku @m",
]
REGIONS = [
    "Podborze/Podborza/Podborzu/Podborze/Podborzem/Podborzu @n",
    "Jasnolesie/Jasnolesia/Jasnolesiu/Jasnolesie/Jasnolesiem/Jasnolesiu @n",
    "Zawierzbie/Zawierzbia/Zawierzbiu/Zawierzbie/Zawierzbiem/Zawierzbiu @n",
    "Mgławia/Mgławii/Mgławii/Mgławię/Mgławią/Mgławii @f",
    "Kamionka/Kamionki/Kamionce/Kamionkę/Kamionką/Kamionce @f",
    "Torfowisko/Torfowiska/Torfowisku/Torfowisko/Torfowiskiem/Torfowisku @n",
]
CLUBS = [
    "Iskra/Iskry/Iskrze/Iskrę/Iskrą/Iskrze @f",
    "Kometa/Komety/Komecie/Kometę/Kometą/Komecie @f",
    "Zorza/Zorzy/Zorzy/Zorzę/Zorzą/Zorzy @f",
    "Lawina/Lawiny/Lawinie/Lawinę/Lawiną/Lawinie @f",
    "Kotwica/Kotwicy/Kotwicy/Kotwicę/Kotwicą/Kotwicy @f",
    "Tarcza/Tarczy/Tarczy/Tarczę/Tarczą/Tarczy @f",
    "Wicher/Wichru/Wichrowi/Wicher/Wichrem/Wichrze @m",
    "Piorun/Pioruna/Piorunowi/Piorun/Piorunem/Piorunie @m",
    "Topór/Topora/Toporowi/Topór/Toporem/Toporze @m",
    "Płomień/Płomienia/Płomieniowi/Płomień/Płomieniem/Płomieniu @m",
    "Ogniwo/Ogniwa/Ogniwu/Ogniwo/Ogniwem/Ogniwie @n",
    "Echo/Echa/Echu/Echo/Echem/Echu @n",
]
# Festivals: Polish forms, then the English name after "=".
FESTIVALS = [
    "Święto Miodu/Święta Miodu/Świętu Miodu/Święto Miodu/Świętem Miodu/Święcie Miodu @n = the Honey Festival",
    "Święto Latawca/Święta Latawca/Świętu Latawca/Święto Latawca/Świętem Latawca/Święcie Latawca @n"
    " = the Kite Festival",
    "Święto Dyni/Święta Dyni/Świętu Dyni/Święto Dyni/Świętem Dyni/Święcie Dyni @n = the Pumpkin Festival",
    "Noc Lampionów/Nocy Lampionów/Nocy Lampionów/Noc Lampionów/Nocą Lampionów/Nocy Lampionów @f"
    " = the Night of Lanterns",
    "Noc Skrzypków/Nocy Skrzypków/Nocy Skrzypków/Noc Skrzypków/Nocą Skrzypków/Nocy Skrzypków @f"
    " = the Night of Fiddlers",
    "Dzień Łodzi/Dnia Łodzi/Dniowi Łodzi/Dzień Łodzi/Dniem Łodzi/Dniu Łodzi @m = the Day of Boats",
    "Dzień Zegarów/Dnia Zegarów/Dniowi Zegarów/Dzień Zegarów/Dniem Zegarów/Dniu Zegarów @m = the Day of Clocks",
    "Jarmark Garnków/Jarmarku Garnków/Jarmarkowi Garnków/Jarmark Garnków/Jarmarkiem Garnków/Jarmarku Garnków @m"
    " = the Fair of Pots",
    "Jarmark Wełny/Jarmarku Wełny/Jarmarkowi Wełny/Jarmark Wełny/Jarmarkiem Wełny/Jarmarku Wełny @m = the Wool Fair",
    "Parada Kapeluszy/Parady Kapeluszy/Paradzie Kapeluszy/Paradę Kapeluszy/Paradą Kapeluszy/Paradzie Kapeluszy @f"
    " = the Parade of Hats",
]
