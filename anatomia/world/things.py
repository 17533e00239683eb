"""Tables of common nouns with every declined form and their English names.

Rows: six Polish cases @ gender = English. Jobs have the masculine and the feminine noun, joined by +.
"""

# Masculine and feminine: nominative/genitive/dative/accusative/instrumental/locative.
JOBS = [
    "piekarz/piekarza/piekarzowi/piekarza/piekarzem/piekarzu +"
    " piekarka/piekarki/piekarce/piekarkę/piekarką/piekarce = baker",
    "młynarz/młynarza/młynarzowi/młynarza/młynarzem/młynarzu +"
    " młynarka/młynarki/młynarce/młynarkę/młynarką/młynarce = miller",
    "lekarz/lekarza/lekarzowi/lekarza/lekarzem/lekarzu + lekarka/lekarki/lekarce/lekarkę/lekarką/lekarce = doctor",
    "nauczyciel/nauczyciela/nauczycielowi/nauczyciela/nauczycielem/nauczycielu"
    " + nauczycielka/nauczycielki/nauczycielce/nauczycielkę/nauczycielką/nauczycielce = teacher",
    "ogrodnik/ogrodnika/ogrodnikowi/ogrodnika/ogrodnikiem/ogrodniku"
    " + ogrodniczka/ogrodniczki/ogrodniczce/ogrodniczkę/ogrodniczką/ogrodniczce = gardener",
    "pszczelarz/pszczelarza/pszczelarzowi/pszczelarza/pszczelarzem/pszczelarzu"
    " + pszczelarka/pszczelarki/pszczelarce/pszczelarkę/pszczelarką/pszczelarce = beekeeper",
    "malarz/malarza/malarzowi/malarza/malarzem/malarzu + malarka/malarki/malarce/malarkę/malarką/malarce = painter",
    "krawiec/krawca/krawcowi/krawca/krawcem/krawcu + krawcowa/krawcowej/krawcowej/krawcową/krawcową/krawcowej = tailor",
    "kucharz/kucharza/kucharzowi/kucharza/kucharzem/kucharzu"
    " + kucharka/kucharki/kucharce/kucharkę/kucharką/kucharce = cook",
    "bibliotekarz/bibliotekarza/bibliotekarzowi/bibliotekarza/bibliotekarzem/bibliotekarzu"
    " + bibliotekarka/bibliotekarki/bibliotekarce/bibliotekarkę/bibliotekarką/bibliotekarce = librarian",
    "listonosz/listonosza/listonoszowi/listonosza/listonoszem/listonoszu"
    " + listonoszka/listonoszki/listonoszce/listonoszkę/listonoszką/listonoszce = letter carrier",
    "aptekarz/aptekarza/aptekarzowi/aptekarza/aptekarzem/aptekarzu"
    " + aptekarka/aptekarki/aptekarce/aptekarkę/aptekarką/aptekarce = pharmacist",
    "fotograf/fotografa/fotografowi/fotografa/fotografem/fotografie"
    " + fotografka/fotografki/fotografce/fotografkę/fotografką/fotografce = photographer",
    "dziennikarz/dziennikarza/dziennikarzowi/dziennikarza/dziennikarzem/dziennikarzu"
    " + dziennikarka/dziennikarki/dziennikarce/dziennikarkę/dziennikarką/dziennikarce = journalist",
    "tkacz/tkacza/tkaczowi/tkacza/tkaczem/tkaczu + tkaczka/tkaczki/tkaczce/tkaczkę/tkaczką/tkaczce = weaver",
    "garncarz/garncarza/garncarzowi/garncarza/garncarzem/garncarzu"
    " + garncarka/garncarki/garncarce/garncarkę/garncarką/garncarce = potter",
    "rybak/rybaka/rybakowi/rybaka/rybakiem/rybaku + rybaczka/rybaczki/rybaczce/rybaczkę/rybaczką/rybaczce = fisher",
    "zegarmistrz/zegarmistrza/zegarmistrzowi/zegarmistrza/zegarmistrzem/zegarmistrzu"
    " + zegarmistrzyni/zegarmistrzyni/zegarmistrzyni/zegarmistrzynię/zegarmistrzynią/zegarmistrzyni = watchmaker",
    "śpiewak/śpiewaka/śpiewakowi/śpiewaka/śpiewakiem/śpiewaku"
    " + śpiewaczka/śpiewaczki/śpiewaczce/śpiewaczkę/śpiewaczką/śpiewaczce = singer",
    "księgarz/księgarza/księgarzowi/księgarza/księgarzem/księgarzu"
    " + księgarka/księgarki/księgarce/księgarkę/księgarką/księgarce = bookseller",
]
PETS = [
    "kot/kota/kotu/kota/kotem/kocie @m = cat",
    "pies/psa/psu/psa/psem/psie @m = dog",
    "papuga/papugi/papudze/papugę/papugą/papudze @f = parrot",
    "żółw/żółwia/żółwiowi/żółwia/żółwiem/żółwiu @m = tortoise",
    "chomik/chomika/chomikowi/chomika/chomikiem/chomiku @m = hamster",
    "królik/królika/królikowi/królika/królikiem/króliku @m = rabbit",
    "kanarek/kanarka/kanarkowi/kanarka/kanarkiem/kanarku @m = canary",
    "świnka morska/świnki morskiej/śwince morskiej/świnkę morską/świnką morską/śwince morskiej @f = guinea pig",
    "jaszczurka/jaszczurki/jaszczurce/jaszczurkę/jaszczurką/jaszczurce @f = lizard",
    "gołąb/gołębia/gołębiowi/gołębia/gołębiem/gołębiu @m = pigeon",
    "koza/kozy/kozie/kozę/kozą/kozie @f = goat",
    "kaczka/kaczki/kaczce/kaczkę/kaczką/kaczce @f = duck",
    "owca/owcy/owcy/owcę/owcą/owcy @f = sheep",
    "osioł/osła/osłu/osła/osłem/ośle @m = donkey",
    "kucyk/kucyka/kucykowi/kucyka/kucykiem/kucyku @m = pony",
    "gęś/gęsi/gęsi/gęś/gęsią/gęsi @f = goose",
]
ANIMALS = [
    "lis/lisa/lisowi/lisa/lisem/lisie @m = fox",
    "borsuk/borsuka/borsukowi/borsuka/borsukiem/borsuku @m = badger",
    "jeż/jeża/jeżowi/jeża/jeżem/jeżu @m = hedgehog",
    "wydra/wydry/wydrze/wydrę/wydrą/wydrze @f = otter",
    "bóbr/bobra/bobrowi/bobra/bobrem/bobrze @m = beaver",
    "ryś/rysia/rysiowi/rysia/rysiem/rysiu @m = lynx",
    "sowa/sowy/sowie/sowę/sową/sowie @f = owl",
    "bocian/bociana/bocianowi/bociana/bocianem/bocianie @m = stork",
    "żuraw/żurawia/żurawiowi/żurawia/żurawiem/żurawiu @m = crane",
    "dzięcioł/dzięcioła/dzięciołowi/dzięcioła/dzięciołem/dzięciole @m = woodpecker",
    "wiewiórka/wiewiórki/wiewiórce/wiewiórkę/wiewiórką/wiewiórce @f = squirrel",
    "niedźwiedź/niedźwiedzia/niedźwiedziowi/niedźwiedzia/niedźwiedziem/niedźwiedziu @m = bear",
    "wilk/wilka/wilkowi/wilka/wilkiem/wilku @m = wolf",
    "jeleń/jelenia/jeleniowi/jelenia/jeleniem/jeleniu @m = stag",
    "sarna/sarny/sarnie/sarnę/sarną/sarnie @f = roe deer",
    "dzik/dzika/dzikowi/dzika/dzikiem/dziku @m = wild boar",
    "łoś/łosia/łosiowi/łosia/łosiem/łosiu @m = moose",
    "zając/zająca/zającowi/zająca/zającem/zającu @m = hare",
    "kruk/kruka/krukowi/kruka/krukiem/kruku @m = raven",
    "czapla/czapli/czapli/czaplę/czaplą/czapli @f = heron",
    "nietoperz/nietoperza/nietoperzowi/nietoperza/nietoperzem/nietoperzu @m = bat",
    "salamandra/salamandry/salamandrze/salamandrę/salamandrą/salamandrze @f = salamander",
    "żaba/żaby/żabie/żabę/żabą/żabie @f = frog",
    "łasica/łasicy/łasicy/łasicę/łasicą/łasicy @f = weasel",
]
# What animals eat (plural or mass).
FOODS = [
    "jagody/jagód/jagodom/jagody/jagodami/jagodach @p = blueberries",
    "orzechy/orzechów/orzechom/orzechy/orzechami/orzechach @p = nuts",
    "żołędzie/żołędzi/żołędziom/żołędzie/żołędziami/żołędziach @p = acorns",
    "ślimaki/ślimaków/ślimakom/ślimaki/ślimakami/ślimakach @p = snails",
    "świerszcze/świerszczy/świerszczom/świerszcze/świerszczami/świerszczach @p = crickets",
    "kora/kory/korze/korę/korą/korze @f = bark",
    "poziomki/poziomek/poziomkom/poziomki/poziomkami/poziomkach @p = wild strawberries",
    "koniczyna/koniczyny/koniczynie/koniczynę/koniczyną/koniczynie @f = clover",
    "szyszki/szyszek/szyszkom/szyszki/szyszkami/szyszkach @p = pine cones",
    "komary/komarów/komarom/komary/komarami/komarach @p = mosquitoes",
    "korzonki/korzonków/korzonkom/korzonki/korzonkami/korzonkach @p = roots",
    "muszki/muszek/muszkom/muszki/muszkami/muszkach @p = midges",
    "rzęsa wodna/rzęsy wodnej/rzęsie wodnej/rzęsę wodną/rzęsą wodną/rzęsie wodnej @f = duckweed",
    "dzikie jabłka/dzikich jabłek/dzikim jabłkom/dzikie jabłka/dzikimi jabłkami/dzikich jabłkach @p = crab apples",
]
# Where animals live: whole phrases, Polish / English.
HABITATS = [
    "w dziupli/in a hollow tree",
    "w jaskini/in a cave",
    "w trzcinach/among the reeds",
    "na bagnach/in the swamps",
    "w sosnowym lesie/in the pine forest",
    "na wrzosowisku/on the heath",
    "na skałach/on the rocks",
    "w sadzie/in the orchard",
    "na łąkach/in the meadows",
    "w ruinach zamku/in the castle ruins",
    "na strychach/in attics",
    "pod mostem/under the bridge",
    "w paprociach/among the ferns",
    "na wyspach/on the islands",
]
DISHES = [
    "zupa z pokrzyw/zupy z pokrzyw/zupie z pokrzyw/zupę z pokrzyw/zupą z pokrzyw/zupie z pokrzyw @f = nettle soup",
    "barszcz malinowy/barszczu malinowego/barszczowi malinowemu/barszcz malinowy/barszczem malinowym"
    "/barszczu malinowym @m = raspberry borscht",
    "rosół z bażanta/rosołu z bażanta/rosołowi z bażanta/rosół z bażanta/rosołem z bażanta/rosole z bażanta @m"
    " = pheasant broth",
    "pierogi z bobem/pierogów z bobem/pierogom z bobem/pierogi z bobem/pierogami z bobem/pierogach z bobem @p"
    " = broad bean dumplings",
    "kluski makowe/klusek makowych/kluskom makowym/kluski makowe/kluskami makowymi/kluskach makowych @p"
    " = poppy seed noodles",
    "placki żytnie/placków żytnich/plackom żytnim/placki żytnie/plackami żytnimi/plackach żytnich @p = rye pancakes",
    "bigos leśny/bigosu leśnego/bigosowi leśnemu/bigos leśny/bigosem leśnym/bigosie leśnym @m = forest stew",
    "kasza pasterska/kaszy pasterskiej/kaszy pasterskiej/kaszę pasterską/kaszą pasterską/kaszy pasterskiej @f"
    " = shepherd's groats",
    "gulasz flisacki/gulaszu flisackiego/gulaszowi flisackiemu/gulasz flisacki/gulaszem flisackim/gulaszu flisackim @m"
    " = raftsman's goulash",
    "tarta cebulowa/tarty cebulowej/tarcie cebulowej/tartę cebulową/tartą cebulową/tarcie cebulowej @f = onion tart",
    "sernik dymny/sernika dymnego/sernikowi dymnemu/sernik dymny/sernikiem dymnym/serniku dymnym @m"
    " = smoked cheesecake",
    "piernik królewski/piernika królewskiego/piernikowi królewskiemu/piernik królewski/piernikiem królewskim"
    "/pierniku królewskim @m = royal gingerbread",
    "szarlotka zimowa/szarlotki zimowej/szarlotce zimowej/szarlotkę zimową/szarlotką zimową/szarlotce zimowej @f"
    " = winter apple pie",
    "gołąbki młynarza/gołąbków młynarza/gołąbkom młynarza/gołąbki młynarza/gołąbkami młynarza/gołąbkach młynarza @p"
    " = miller's cabbage rolls",
    "racuchy babci/racuchów babci/racuchom babci/racuchy babci/racuchami babci/racuchach babci @p = grandma's fritters",
    "chłodnik majowy/chłodnika majowego/chłodnikowi majowemu/chłodnik majowy/chłodnikiem majowym/chłodniku majowym @m"
    " = cold May soup",
    "pasztet myśliwski/pasztetu myśliwskiego/pasztetowi myśliwskiemu/pasztet myśliwski/pasztetem myśliwskim"
    "/pasztecie myśliwskim @m = hunter's pâté",
    "krupnik bacy/krupniku bacy/krupnikowi bacy/krupnik bacy/krupnikiem bacy/krupniku bacy @m = highland barley soup",
    "naleśniki wiosenne/naleśników wiosennych/naleśnikom wiosennym/naleśniki wiosenne/naleśnikami wiosennymi"
    "/naleśnikach wiosennych @p = spring crêpes",
    "zapiekanka rybacka/zapiekanki rybackiej/zapiekance rybackiej/zapiekankę rybacką/zapiekanką rybacką"
    "/zapiekance rybackiej @f = fisherman's casserole",
]
INGREDIENTS = [
    "szczaw/szczawiu/szczawiowi/szczaw/szczawiem/szczawiu @m = sorrel",
    "czosnek/czosnku/czosnkowi/czosnek/czosnkiem/czosnku @m = garlic",
    "kminek/kminku/kminkowi/kminek/kminkiem/kminku @m = caraway",
    "chrzan/chrzanu/chrzanowi/chrzan/chrzanem/chrzanie @m = horseradish",
    "koper/kopru/koprowi/koper/koprem/koprze @m = dill",
    "tymianek/tymianku/tymiankowi/tymianek/tymiankiem/tymianku @m = thyme",
    "szałwia/szałwii/szałwii/szałwię/szałwią/szałwii @f = sage",
    "mięta/mięty/mięcie/miętę/miętą/mięcie @f = mint",
    "żurawina/żurawiny/żurawinie/żurawinę/żurawiną/żurawinie @f = cranberry",
    "śmietana/śmietany/śmietanie/śmietanę/śmietaną/śmietanie @f = sour cream",
    "gorczyca/gorczycy/gorczycy/gorczycę/gorczycą/gorczycy @f = mustard seed",
    "kasztany/kasztanów/kasztanom/kasztany/kasztanami/kasztanach @p = chestnuts",
    "migdały/migdałów/migdałom/migdały/migdałami/migdałach @p = almonds",
    "wiśnie/wiśni/wiśniom/wiśnie/wiśniami/wiśniach @p = cherries",
]
HOBBIES = [
    "szachy/szachów/szachom/szachy/szachami/szachach @p = chess",
    "wędkarstwo/wędkarstwa/wędkarstwu/wędkarstwo/wędkarstwem/wędkarstwie @n = fishing",
    "żeglarstwo/żeglarstwa/żeglarstwu/żeglarstwo/żeglarstwem/żeglarstwie @n = sailing",
    "taniec/tańca/tańcowi/taniec/tańcem/tańcu @m = dancing",
    "rzeźba/rzeźby/rzeźbie/rzeźbę/rzeźbą/rzeźbie @f = sculpture",
    "astronomia/astronomii/astronomii/astronomię/astronomią/astronomii @f = astronomy",
    "łucznictwo/łucznictwa/łucznictwu/łucznictwo/łucznictwem/łucznictwie @n = archery",
    "pływanie/pływania/pływaniu/pływanie/pływaniem/pływaniu @n = swimming",
    "haftowanie/haftowania/haftowaniu/haftowanie/haftowaniem/haftowaniu @n = embroidery",
    "jeździectwo/jeździectwa/jeździectwu/jeździectwo/jeździectwem/jeździectwie @n = horse riding",
    "grzybobranie/grzybobrania/grzybobraniu/grzybobranie/grzybobraniem/grzybobraniu @n = mushroom picking",
    "poezja/poezji/poezji/poezję/poezją/poezji @f = poetry",
    "teatr/teatru/teatrowi/teatr/teatrem/teatrze @m = theatre",
    "wspinaczka/wspinaczki/wspinaczce/wspinaczkę/wspinaczką/wspinaczce @f = climbing",
    "narciarstwo/narciarstwa/narciarstwu/narciarstwo/narciarstwem/narciarstwie @n = skiing",
    "kolarstwo/kolarstwa/kolarstwu/kolarstwo/kolarstwem/kolarstwie @n = cycling",
]
# Goods that towns are known for.
GOODS = [
    "świece/świec/świecom/świece/świecami/świecach @p = candles",
    "koronki/koronek/koronkom/koronki/koronkami/koronkach @p = lace",
    "dzwony/dzwonów/dzwonom/dzwony/dzwonami/dzwonach @p = bells",
    "parasole/parasoli/parasolom/parasole/parasolami/parasolach @p = umbrellas",
    "kosze/koszy/koszom/kosze/koszami/koszach @p = baskets",
    "ołówki/ołówków/ołówkom/ołówki/ołówkami/ołówkach @p = pencils",
    "guziki/guzików/guzikom/guziki/guzikami/guzikach @p = buttons",
    "fajki/fajek/fajkom/fajki/fajkami/fajkach @p = pipes",
    "skrzypce/skrzypiec/skrzypcom/skrzypce/skrzypcami/skrzypcach @p = violins",
    "rękawiczki/rękawiczek/rękawiczkom/rękawiczki/rękawiczkami/rękawiczkach @p = gloves",
    "lalki/lalek/lalkom/lalki/lalkami/lalkach @p = dolls",
    "dywany/dywanów/dywanom/dywany/dywanami/dywanach @p = carpets",
    "lustra/luster/lustrom/lustra/lustrami/lustrach @p = mirrors",
    "meble/mebli/meblom/meble/meblami/meblach @p = furniture",
    "cukierki/cukierków/cukierkom/cukierki/cukierkami/cukierkach @p = sweets",
    "perfumy/perfum/perfumom/perfumy/perfumami/perfumach @p = perfume",
    "latarki/latarek/latarkom/latarki/latarkami/latarkach @p = torches",
    "buty/butów/butom/buty/butami/butach @p = shoes",
]
SIGHTS = [
    "krzywa wieża/krzywej wieży/krzywej wieży/krzywą wieżę/krzywą wieżą/krzywej wieży @f = leaning tower",
    "szklany most/szklanego mostu/szklanemu mostowi/szklany most/szklanym mostem/szklanym moście @m = glass bridge",
    "wodny młyn/wodnego młyna/wodnemu młynowi/wodny młyn/wodnym młynem/wodnym młynie @m = watermill",
    "muzeum zabawek/muzeum zabawek/muzeum zabawek/muzeum zabawek/muzeum zabawek/muzeum zabawek @n = toy museum",
    "biały zamek/białego zamku/białemu zamkowi/biały zamek/białym zamkiem/białym zamku @m = white castle",
    "zegar słoneczny/zegara słonecznego/zegarowi słonecznemu/zegar słoneczny/zegarem słonecznym/zegarze słonecznym @m"
    " = sundial",
    "park rzeźb/parku rzeźb/parkowi rzeźb/park rzeźb/parkiem rzeźb/parku rzeźb @m = sculpture park",
    "drewniana latarnia/drewnianej latarni/drewnianej latarni/drewnianą latarnię/drewnianą latarnią"
    "/drewnianej latarni @f = wooden lighthouse",
    "stare obserwatorium/starego obserwatorium/staremu obserwatorium/stare obserwatorium/starym obserwatorium"
    "/starym obserwatorium @n = old observatory",
    "śpiewająca fontanna/śpiewającej fontanny/śpiewającej fontannie/śpiewającą fontannę/śpiewającą fontanną"
    "/śpiewającej fontannie @f = singing fountain",
    "palmiarnia/palmiarni/palmiarni/palmiarnię/palmiarnią/palmiarni @f = palm house",
    "kamienny krąg/kamiennego kręgu/kamiennemu kręgowi/kamienny krąg/kamiennym kręgiem/kamiennym kręgu @m"
    " = stone circle",
    "kopalnia soli/kopalni soli/kopalni soli/kopalnię soli/kopalnią soli/kopalni soli @f = salt mine",
    "wiszący ogród/wiszącego ogrodu/wiszącemu ogrodowi/wiszący ogród/wiszącym ogrodem/wiszącym ogrodzie @m"
    " = hanging garden",
    "złota brama/złotej bramy/złotej bramie/złotą bramę/złotą bramą/złotej bramie @f = golden gate",
    "labirynt/labiryntu/labiryntowi/labirynt/labiryntem/labiryncie @m = maze",
    "podziemna biblioteka/podziemnej biblioteki/podziemnej bibliotece/podziemną bibliotekę/podziemną biblioteką"
    "/podziemnej bibliotece @f = underground library",
    "kolejka linowa/kolejki linowej/kolejce linowej/kolejkę linową/kolejką linową/kolejce linowej @f = cable car",
]
FISH = [
    "szczupak/szczupaka/szczupakowi/szczupaka/szczupakiem/szczupaku @m = pike",
    "karp/karpia/karpiowi/karpia/karpiem/karpiu @m = carp",
    "sum/suma/sumowi/suma/sumem/sumie @m = catfish",
    "leszcz/leszcza/leszczowi/leszcza/leszczem/leszczu @m = bream",
    "sandacz/sandacza/sandaczowi/sandacza/sandaczem/sandaczu @m = zander",
    "okoń/okonia/okoniowi/okonia/okoniem/okoniu @m = perch",
    "węgorz/węgorza/węgorzowi/węgorza/węgorzem/węgorzu @m = eel",
    "pstrąg/pstrąga/pstrągowi/pstrąga/pstrągiem/pstrągu @m = trout",
]
# Colours of clubs, in the plural ("barwy biało-zielone").
COLOURS = [
    "biało-zielone/biało-zielonych/biało-zielonym/biało-zielone/biało-zielonymi/biało-zielonych @p = white and green",
    "czerwono-czarne/czerwono-czarnych/czerwono-czarnym/czerwono-czarne/czerwono-czarnymi/czerwono-czarnych @p"
    " = red and black",
    "żółto-niebieskie/żółto-niebieskich/żółto-niebieskim/żółto-niebieskie/żółto-niebieskimi/żółto-niebieskich @p"
    " = yellow and blue",
    "biało-fioletowe/biało-fioletowych/biało-fioletowym/biało-fioletowe/biało-fioletowymi/biało-fioletowych @p"
    " = white and purple",
    "pomarańczowo-czarne/pomarańczowo-czarnych/pomarańczowo-czarnym/pomarańczowo-czarne/pomarańczowo-czarnymi"
    "/pomarańczowo-czarnych @p = orange and black",
    "zielono-żółte/zielono-żółtych/zielono-żółtym/zielono-żółte/zielono-żółtymi/zielono-żółtych @p = green and yellow",
    "niebiesko-białe/niebiesko-białych/niebiesko-białym/niebiesko-białe/niebiesko-białymi/niebiesko-białych @p"
    " = blue and white",
    "brązowo-złote/brązowo-złotych/brązowo-złotym/brązowo-złote/brązowo-złotymi/brązowo-złotych @p = brown and gold",
    "różowo-szare/różowo-szarych/różowo-szarym/różowo-szare/różowo-szarymi/różowo-szarych @p = pink and grey",
    "czerwono-białe/czerwono-białych/czerwono-białym/czerwono-białe/czerwono-białymi/czerwono-białych @p"
    " = red and white",
    "srebrno-zielone/srebrno-zielonych/srebrno-zielonym/srebrno-zielone/srebrno-zielonymi/srebrno-zielonych @p"
    " = silver and green",
    "granatowo-czerwone/granatowo-czerwonych/granatowo-czerwonym/granatowo-czerwone/granatowo-czerwonymi"
    "/granatowo-czerwonych @p = navy and red",
]
MONTHS = [
    "styczeń/stycznia/styczniowi/styczeń/styczniem/styczniu @m = January",
    "luty/lutego/lutemu/luty/lutym/lutym @m = February",
    "marzec/marca/marcowi/marzec/marcem/marcu @m = March",
    "kwiecień/kwietnia/kwietniowi/kwiecień/kwietniem/kwietniu @m = April",
    "maj/maja/majowi/maj/majem/maju @m = May",
    "czerwiec/czerwca/czerwcowi/czerwiec/czerwcem/czerwcu @m = June",
    "lipiec/lipca/lipcowi/lipiec/lipcem/lipcu @m = July",
    "sierpień/sierpnia/sierpniowi/sierpień/sierpniem/sierpniu @m = August",
    "wrzesień/września/wrześniowi/wrzesień/wrześniem/wrześniu @m = September",
    "październik/października/październikowi/październik/październikiem/październiku @m = October",
    "listopad/listopada/listopadowi/listopad/listopadem/listopadzie @m = November",
    "grudzień/grudnia/grudniowi/grudzień/grudniem/grudniu @m = December",
]
