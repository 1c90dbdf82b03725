/**
 * The classifier's vocabulary: words that tell of a field of knowledge or of a way of asking, written by hand so that
 * they hold for subjects no training row ever had. `word` is that word, `stem*` is every word that begins so (stems
 * are of 4 to 8 letters). A word may stand in several fields.
 */
export const FIELDS = {
  math: `equation* polynom* integer* fraction* triang* circle* radius diamet* perimet* circumf* hypoten* prime primes divis* multipl*
    remainde* matrix matrice* vector* integral derivat* logarit* cosine sine tangent probabil* sequence arithmet* geometr* algebra*
    theorem prove proof graph slope parabol* quadrat* factor factors factori* squared cube cubed digit digits sqrt frac compute simplif*
    rational irration* subset permutat* combinat* modulo coefficien* coordina* parallel* perpendi* angle angles degrees polygon* ratio
    percent percenta* average median sum product quotient total subtract* isomorph* abelian homomorp* topolog* differen* converge* cos sin tan log ln`,
  physics: `velocity accelera* momentum gravit* newton newtons joule* kinetic friction voltage resist* capacit* induct* magnet* electric*
    charge charged current circuit* frequenc* wavelen* photon* electron* proton* neutron* nucleus nuclear quantum thermod* entropy
    pressure temperat* density mass force torque pendulum lens refract* orbit* planet* star stars galaxy telesco* luminos* amplitud*
    oscilla* relativi* hamilton* schrodi* boson* spin meters kilogram* amperes transist* diode* semicond* impedanc* watt watts`,
  chemistry: `molecul* atom atoms atomic chemical* reaction* reagent* acid acids acidic bases ionic ions isotope* oxidat* oxide* reduct* catalys*
    solution solvent* solute* molar mole moles titrat* equilibr* enthalpy benzene methyl* ethyl* alcohol* aldehyd* ketone* organic carbon
    hydrogen oxygen nitrogen sodium chlorid* sulfur* polymer* compound* bond bonds bonding orbital* electroneg* isomer* stereoc* spectrum nmr ppm
    aqueous precipit* synthes* heated treated yields product chirality enantio*`,
  life: `cell cells gene genes genetic* genome* protein* enzyme* bacteri* virus viruses viral infect* antibod* immune tissue* organ organs
    species evolut* mutation* chromoso* mitosis meiosis membran* hormon* neuron* muscle* blood heart lung lungs liver kidney* patient* disease*
    symptom* diagnos* treatmen* clinical* syndrome cancer tumor* drug drugs dose vitamin* diet nutri* aging elderly dementia
    plasma receptor* metabol* anatom* artery vein veins surgery surgical pathogen* vaccin* hiv dna rna mrna allele* phenotyp* plant plants photosyn*
    nerve nerves cranial catheter* nurse nursing`,
  law: `court courts statute* plaintif* defendan* jurisdic* contract* liabil* tort negligen* constitut* amendmen* treaty treaties convention
    sovereig* criminal felony homicide property deed easement evidence hearsay testimon* witness* prosecut* attorney* lawyer* appeal
    supreme judge jury verdict lawsuit sued damages breach legal illegal law laws lawful jurispru* statehoo*`,
  money: `market* price prices pricing demand supply elastic* monopol* oligopol* inflation deflation unemploy* monetary fiscal gdp tax taxes
    interest invest* stock stocks bond bonds portfolio equity asset assets liabilit* revenue* profit* cost costs marginal utility accountin*
    audit auditor* balance ledger deprecia* dividend* currency exchange bank banks consumer* firm firms curve surplus tariff* bankrupt*
    income budget deficit regressi* estimator* autocorr* heterosk* ols variance statist*`,
  history: `century centurie* empire* emperor* king queen war wars revolut* treaty colonial coloni* dynasty* slavery slave slaves civil soviet
    roman greek ottoman medieval ancient reform* nation* nationali* indepen* congress parliam* presiden* election* party republic* democra*
    federal government* senate treaties passage excerpt following refers information peasant* nobil* church pope conquest settlers`,
  thought: `moral* ethic* philosop* kant kantian utilitar* aristotl* plato hume virtue* justice duty duties rights argument* premise* conclusi* fallacy
    fallaci* logic logical* valid invalid sound metaphys* epistemo* belief beliefs religio* god gods buddh* hindu* islam* jewish judaism christ*
    quran bible theolog* soul scripture sikh* confuci* taoism daoism wrong standards predicate proposit* quantifi* truth`,
  mind: `psycholo* cognit* behavior* behaviou* therapy therapis* anxiety depress* personal* memory learning motivat* emotion* percept* freud piaget
    develop* attitud* social* sociolog* culture cultural gender sexual* stereoty* conformi* organiza* manage* leadersh* media public relations brand*
    advertis* customer* employee* campaign* stakehol*`,
  computing: `function functions python javascri* typescri* java code program program* algorith* array arrays list lists string strings tuple* dictionar*
    loop loops recursi* variable* integer boolean class method* return returns sort sorted sql query database* server* client api json html css
    regex compile* debug* stack queue hash binary bits bytes memory kernel linux network* encrypt* decrypt* protocol* malware exploit* buffer
    classifi* neural train* gradient* overfit* kernel tensor* lambda async dataset* script function* implemen* refactor* unit tests`,
  everyday: `house home kitchen bathroom bed room street store shop shopping car drive driving friend friends mother father brother sister wife husband
    child children kid kids baby dog dogs cat cats food eat eating drink dinner lunch breakfast play playing game games school teacher
    walk walking run running sleep wear clothes water cold hot rain snow summer winter happy sad angry tired hungry money someone somebody person
    people man woman boy girl party movie music book books phone table chair door window garden tree trees yard`,
  trivia: `song songs sing sings singer sang album episode* season movie film show played plays player actor actress band wrote written won win winner
    born died located capital country city river team league nfl nba mlb fifa olympic* world cup game super bowl netflix tv series voice role character*
    released founded invented first last name named oldest largest tallest highest`,
  reading: `passage article context paragrap* text story author accordin* mention* writer document* excerpt plot dialogue* based above below given read`,
  hedge: `if suppose assume assuming given let unless would could might should hypothe* imagine provided`,
  negation: `not no never none nothing neither nor except least without cannot false incorrect unlikely isn aren doesn don didn won wouldn couldn`,
  because: `because therefore thus hence since so explain why reason reasons reasoni* justify* step steps derive* deduce* conclude* infer* imply* implies
    evaluate* analyze* analyse* compare* contrast* critique*`,
  question: `what which who whom whose when where why how`,
  quantity: `many much number amount count minimum maximum least most greatest smallest total exactly nearest approxim* rounded`,
  self: `i my me mine we our us`,
  craft: `concurre* thread threads threaded multithr* lock locks deadlock* race distribut* consensu* lineariz* scalab* architec* refactor* migrat*
    fault tolerant tolerance throughp* latency streamin* incremen* schedule* allocator compiler parser interpre* optimiz* optimis* complexi*
    transact* replicat* partitio* shard sharded sharding backpres* idempote* invarian* amortize* lockfree wait raft paxos vectoriz* simd gpu
    cryptogr* lifetime lifetimes monad* coroutin* generics generic`,
  create: `write compose create generate draft poem story essay letter email blog haiku lyrics slogan tagline brainsto* invent* imagine`,
} as const;

export type Field = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as readonly Field[];
