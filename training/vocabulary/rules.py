"""What belongs in the vocabulary, and where it hangs: judgements made by hand.

words.py has those on what words mean, extras.py what WordNet lacks.

A meaning is written "word.lexfile": the commonest meaning of the word in that lexicographer file;
"word.lexfile.2" is the second commonest there.
"""

# ruff: noqa: SIM905 - words in a text are easier to read and to mend than words in quotes
from __future__ import annotations

# --- Scope: what a camera can see ----------------------------------------------------------

# Everything in these files below "physical entity".
VISIBLE_FILES = {"animal", "artifact", "food", "object", "plant"}

# Whole families outside those files.
VISIBLE_FAMILIES = """
weather.phenomenon sport.act ceremony.event social_gathering.group dancing.act
body_of_water.object room.artifact geological_formation.object
""".split()

# Single things outside them.
VISIBLE_THINGS = """
animal.tops plant.tops food.tops person.tops
face.body head.body eye.body hand.body foot.body hair.body arm.body leg.body ear.body nose.body
mouth.body skin.body beard.body tail.body skull.body skeleton.body finger.body
tooth.body neck.body shoulder.body chest.body back.body
city.location town.location village.location park.location playground.location
field.location harbor.location port.location
station.location square.location resort.location yard.location
suburb.location desert.location wilderness.location parking_lot.location national_park.location
downtown.location
light.phenomenon fire.event flame.process sunset.time sunrise.time night.time
lightning.phenomenon storm.phenomenon snow.phenomenon fog.phenomenon cloud.phenomenon
smoke.phenomenon explosion.event party.event wedding.event concert.communication parade.group
festival.act game.act water.substance ice.substance sand.substance paper.substance wood.substance
glass.substance metal.substance crowd.group flock.group herd.group race.event match.event
picnic.food
traffic_light.communication street_sign.communication
""".split()

# Families that no camera sees, or that nobody wants to be shown.
INVISIBLE_FAMILIES = """
microorganism.animal elementary_particle.object ion.object conduit.artifact
plant_tissue.plant bomb.artifact radar.artifact geological_phenomenon.phenomenon parasite.animal
cell.tops drug.artifact medicine.artifact gametophyte.plant spirochete.animal embryo.animal
computer_circuit.artifact star.object asteroid.object protozoan.animal
contraceptive.artifact chain.object universe.object minor_planet.object mantle.object
memory.artifact output.artifact totality.artifact boson.object hominid.animal
instrument_of_punishment.artifact
""".split()

# A synset with one of these words is left out: nobody wants to meet them as a label.
UNWANTED_WORDS = set(
    """
brothel whorehouse pussy cunt nigger niggerhead negro squaw darky coolie gypsy hottentot
kaffir dago bitch bastard turd jew redskin mammy dildo condom gallows garrote swastika buttocks
""".split()
)

# The person subtree is full of offensive labels: people come from this list alone.
PEOPLE = """
person man woman child adult boy girl baby toddler schoolchild bride groom worker athlete musician
artist performer soldier tourist student farmer chef waiter nurse doctor surgeon firefighter
policeman teacher carpenter mechanic photographer butcher baker barber fisherman gardener builder
scientist pilot sailor swimmer runner skier skater surfer cyclist boxer wrestler gymnast golfer
skateboarder snowboarder ballplayer pitcher catcher dancer singer actor clown acrobat juggler
magician guitarist drummer pianist violinist painter sculptor rider hiker diver shopper passenger
spectator player umpire jockey referee teenager pedestrian motorcyclist goalkeeper tennis_player
football_player basketball_player hockey_player bullfighter cheerleader cowboy customer vendor
driver mother father guard coach model cook jogger mountaineer rock_climber outfielder infielder
quarterback waitress bartender lifeguard astronaut businessman lumberjack plumber electrician
bridesmaid ballerina mime sunbather backpacker construction_worker hairdresser commuter
paratrooper bagpiper saxophonist trumpeter cellist fiddler flutist hunter newsman cameraman
street_sweeper housekeeper potter tailor seamstress gondolier equestrian archer bowler sprinter
hurdler batsman bicyclist canoeist paddler rower scuba_diver teammate beekeeper veterinarian
dentist pharmacist librarian
""".split()

# --- Mending the tree -----------------------------------------------------------------------

# Two synsets, one everyday word: everything below the first moves under the second.
MERGE = {
    "solid_food.food": "food.tops",
    "songbird.animal": "oscine.animal",
}

# Left out themselves; what is below them moves up.
DROP = ["fruit.plant"]

# Roots for what hangs oddly in all its ways; what is below it follows.
PLACED = dict(
    pair.replace("_root_", " ").split("=")
    for pair in """
    crowd.group=person audience.group=person family.group.2=person team.group=person
    band.group.2=person couple.group=person army.group=person orchestra.group=person
    choir.group=person herd.group=animal flock.group.2=animal airfield.artifact=place
    junction.artifact=place court.artifact.2=place golf_course.artifact=place
    racetrack.artifact=place railroad.artifact.2=place track.artifact=place mound.artifact=place
    rink.artifact=place kitchen_island.artifact=object sole.artifact=object sign.artifact=object
    conduit.artifact=object runway.artifact.4=place framework.artifact=object wire.artifact=object
    chain.artifact=object tooth.body=body_root_part step.artifact=structure
    floor.artifact=structure ceiling.artifact=structure paved_surface.artifact=place
    pool.artifact=place toilet_paper.substance=object rain_forest.group=nature
    brass_band.group=person marching_band.group=person post_office.group=structure
    high_school.group=structure horse_race.event=event playing_card.artifact=object
    storefront.artifact=structure roadside.artifact=place subway.artifact=place
    snowbank.artifact=nature campsite.location=place gym.artifact=structure
    stairs.artifact=structure stairway.artifact=structure marketplace.artifact=place
    mall.artifact.2=structure zoo.artifact=place enclosure.artifact=structure
    barrier.artifact=structure well.artifact=structure piece_of_cloth.artifact=object
    sponge.substance=object log.substance=object card.communication.2=object
    notebook.communication=object menu.communication=object letter.communication=object
    poster.communication=object sticker.communication=object advertisement.communication=object
    ticket.communication=object medal.communication=object logo.communication=object
    cartoon.communication=object mail.communication=object stamp.communication.3=object
    diamond.possession=object money.possession=object coin.possession=object
    trash.substance=object garbage.substance=object cigarette.artifact=object wave.event=nature
    surf.event=nature shadow.state=nature sunset.time=nature sunrise.time=nature
    winter.time=nature summer.time=nature vegetation.group=plant fall.time=nature dusk.time=nature
    peak.location.2=nature landscape.location=nature steam.substance=nature
    horizon.location=nature hole.object.2=nature forest.object=nature jungle.location=nature
    sun.object=nature moon.object=nature sunlight.phenomenon=nature bubble.object=nature
    foam.object=nature clearing.location=nature countryside.location=place climbing.event=event
    reading.cognition=event christmas.time=event traffic.group=event
    conversation.communication=event smile.communication=event laugh.communication=event
    typewriting.communication=event performance.communication=event contest.event=event
    """.split()
)

# What is below these moves up: an island is no kind of ground to an everyday speaker.
LEAVES = ["ground.object", "dirt.substance"]

# New parents for what hangs oddly.
HANG = {
    "trailer.artifact": ["vehicle.artifact"],
    "cable_car.artifact": ["vehicle.artifact"],
    "boat.artifact": ["vehicle.artifact"],
    "topping.food": ["food.tops"],
    "shell.animal.2": ["animal.tops"],
    "grocery_store.artifact": ["shop.artifact"],
    "edible_nut.food": ["food.tops"],
    "museum.artifact": ["building.artifact"],
    "girl.person": ["person.tops"],
    "barber.person.2": ["worker.person"],
    "crown.artifact.2": ["headdress.artifact"],
    "skirt.artifact": ["clothing.artifact"],
    "public_transport.artifact": ["vehicle.artifact"],
    "wheeled_vehicle.artifact": ["vehicle.artifact"],
}

# --- Names: more of them in words.py ---------------------------------------------------------

# Animals, then foods, win a tie between meanings, but not for these.
NOT_ANIMALS = set("kite jersey drill skate tank racer monitor pump".split())

# Trees win the name over their wood.
TREES = set("oak maple pine ash elm beech walnut birch cedar".split())

# --- Scaffolding: words that an everyday speaker would not put in a chain --------------------

SCAFFOLDING = set(
    """
physical entity;object;whole;thing;matter;causal agent;process;substance;solid;living thing;
organism;artifact;instrumentality;instrumentation;conveyance;item;element;agent;particle;
placental;chordate;vertebrate;eutherian;ungulate;even-toed ungulate;odd-toed ungulate;tetrapod;
amniote;domestic animal;young mammal;fissiped mammal;aquatic vertebrate;bony fish;teleost fish;
soft-finned fish;spiny-finned fish;food fish;percoid fish;cypriniform fish;game fish;elasmobranch;
craniate;metatherian;passerine;carinate;gallinaceous bird;anseriform bird;coraciiform bird;
piciform bird;apodiform bird;caprimulgiform bird;cuculiform bird;ratite;non-passerine bird;
corvine bird;perching bird;bird of passage;game bird;cuculiform;ruminant;carnivore;canine;feline;
bovid;bovine;equine;procyonid;proboscidean;pachyderm;cetacean;aquatic mammal;lagomorph;
sporting dog;hunting dog;toy dog;domestic cat;
invertebrate;arthropod;holometabola;hymenopterous insect;dipterous insect;lepidopterous insect;
homopterous insect;hemipterous insect;orthopterous insect;saurian;diapsid;anapsid;chelonian;
ophidian;colubrid snake;viperid;larva;young;female;male;adult female;stock;breed;strain;hybrid;
variety;prey;predator;survivor;mate;scavenger;biped;game;pest;critter;creepy-crawly;thoroughbred;
work animal;beast of burden;purebred;pureblood;mutant;racer;stayer;migrator;varmint;marine animal;
vascular plant;seed plant;angiosperm;gymnosperm;woody plant;nonwoody plant;spermatophyte;herb;
pteridophyte;dicot;monocot;plant organ;plant part;natural object;fruit of plant;
reproductive structure;plant structure;plant process;weed;plant material;vine plant;
poisonous plant;annual;perennial;biennial;evergreen;houseplant;crop;holophyte;aquatic plant;
desert plant;remains;
nutriment;nutrient;nutrition;foodstuff;foodstuffs;commodity;consumer goods;durables;
animal product;food product;dainty;ingredient;flavorer;flavoring;course;entree;starches;concoction;
mixture;eating apple;stone fruit;
covering;protective covering;protective garment;protection;cloth covering;soft goods;white goods;
ware;article;way;creation;product;structure element;structural member;surface;horizontal surface;
flat solid;part;piece;section;unit;assembly;support;supporting structure;supporting tower;area;
region;extremity;extent;line;edge;top;side;opening;passage;passageway;access;barrier;obstruction;
obstacle;block;strip;leather strip;sheet;layer;fabric part;attachment;fixture;implement;mechanism;
mechanical device;mechanical system;system;apparatus;facility;repository;coating;connector;lever;
membrane;self-propelled vehicle;wheeled vehicle;craft;vessel;public transport;transportation;
housing;dwelling;living accommodations;establishment;place of business;mercantile establishment;
complex;building complex;construction;workings;arms;electronic network;communication system;
television system;telecommunication system;garment;beverage vessel;sports implement;art;
collection;group;social group;gathering;content;diversion;activity;act;event;phenomenon;
natural phenomenon;physical phenomenon;atmospheric phenomenon;abstraction;athletic game;
outdoor game;field game;duplication;simulation;requirement;padding;fastener;restraint;means;
building material;material;float;filling;good;goods;stuff;formation;geological formation;land;
earth;natural depression;natural elevation;champaign;cleft;location;point;space;enclosure;hole;
hollow;cavity;depression;bit;chip;fragment;slice;portion;body;body part;organ;external body part;
feature;structure part;mark;marker;shape;figure;form;design;representation;work;master;original;
copy;backing;hardware;holder;handle;control;regulator;stick;rod;bar;plate;pole;shaft;
stem;base;foundation;foot;rib;bottom;back;front;cover;wing;arm;key;pad;cross;rest;stop;track;run;
rig;drop;fall;break;stage;set;suit;slip;pocket;bow;crown;root;receptacle;accessory;accouterment;
divider;natator;ligament;upper surface;
movable barrier;blockage;provender;stalk;instrument;
digital computer;simple machine;thoroughfare;cell;social climber;area;course
""".replace("\n", "").split(";")
)

# These are scaffolding only where much hangs below: else a plate is a plate.
SCAFFOLDING_WHERE_BROAD = set(
    "plate key bow crown pocket suit pad pole bar cross stage sheet wing foot arm rib track".split()
)

# --- Roots ----------------------------------------------------------------------------------

ROOTS = (
    "person",
    "animal",
    "plant",
    "food",
    "object",
    "structure",
    "place",
    "nature",
    "event",
    "material",
    "body part",
)

# Roots that WordNet has a synset for.
ROOT_SYNSETS = {
    "person": "person.tops",
    "animal": "animal.tops",
    "plant": "plant.tops",
    "food": "food.tops",
    "structure": "structure.artifact",
}

# The root of what hangs below one of these, or else of its lexicographer file.
ROOT_BELOW = {
    "person.tops": "person",
    "food.tops": "food",
    "animal.tops": "animal",
    "plant.tops": "plant",
}
ROOT_BELOW_LATER = {
    "tract.location": "place",
    "playing_field.location": "place",
    "geographical_area.location": "place",
    "way.artifact": "place",
    "workplace.artifact": "place",
    "excavation.artifact": "place",
    "garden.artifact": "place",
    "roof.artifact": "structure",
    "station.artifact": "structure",
    "depository.artifact": "structure",
    "platform.artifact": "structure",
    "structure.artifact": "structure",
    "room.artifact": "structure",
    "fabric.artifact": "material",
}
ROOT_OF_FILE = {
    "person": "person",
    "food": "food",
    "animal": "body part",  # what is not below "animal" is a part of one
    "plant": "plant",
    "body": "body part",
    "act": "event",
    "event": "event",
    "group": "event",
    "location": "place",
    "substance": "material",
    "communication": "object",
    "artifact": "object",
}
