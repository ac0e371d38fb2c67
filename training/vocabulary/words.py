"""Which word means what in a photo, judged by hand from how often captions say each.

A meaning is written as in rules.py: "word.lexfile" or "word.lexfile.rank", or "x:name" for one of
`EXTRA`. Spaces are written "_".
"""

# ruff: noqa: SIM905 - words in a text are easier to read and to mend than words in quotes
from __future__ import annotations


def _words(text: str) -> set[str]:
    return {word.replace("_", " ") for word in text.split()}


def _pairs(text: str) -> dict[str, str]:
    pairs = (pair.split("=") for pair in text.split())
    return {word.replace("_", " "): meaning for word, meaning in pairs}


# What a word means in a photo, where WordNet's counts say otherwise, or where the word is for
# something outside the files that count as visible. What stands here is in the vocabulary. A word
# need not be WordNet's for its meaning: then it is a synonym and never the name.
MEANS = _pairs(
    """
    plant=plant.tops fish=fish.animal chicken=chicken.animal turkey=turkey.animal apple=apple.food
    pepper=pepper.food.2 bear=bear.animal swallow=swallow.animal swift=swift.animal
    watch=watch.artifact screw=screw.artifact swing=swing.artifact beef=beef.food
    book=book.artifact egg=egg.food adult=adult.person toilet=crapper.artifact orange=orange.food
    mouse=mouse.animal bat=bat.artifact.3 crane=crane.artifact seal=seal.animal coral=coral.animal
    drone=drone.artifact cypress=cypress.plant.2 menu=menu.communication gym=gym.artifact
    gymnasium=gym.artifact peacock=peacock.animal.2 hog=hog.animal.2 pig=hog.animal.2
    shell=shell.animal.2 bass=bass.animal jaguar=jaguar.animal trunk=trunk.animal
    tree_trunk=trunk.plant wing=wing.animal kiwi=kiwi.food panda=giant_panda.animal
    lab=labrador_retriever.animal labrador=labrador_retriever.animal bunny=rabbit.animal
    pine=pine.plant gull=gull.animal jellyfish=jellyfish.animal.2 kitty=kitten.animal
    cow=cow.animal seagull=gull.animal star_fish=starfish.animal jelly_fish=jellyfish.animal.2
    gold_fish=goldfish.animal rose_bush=rose.plant sea_gull=gull.animal bull=bull.animal
    doggy=dog.animal doggie=dog.animal

    cake=cake.food.2 chocolate=chocolate.food.2 corn=corn.food chip=chip.food slice=slice.food
    roll=roll.food drink=beverage.food soda=soda.food pop=soda.food soda_pop=soda.food
    hot_dog=hotdog.food hotdog=hotdog.food lollipop=lollipop.food.2 cup_cake=cupcake.food
    cheese_cake=cheesecake.food iced_tea=ice_tea.food brussels_sprouts=brussels_sprouts.food
    greens=greens.food preserves=preserves.food chestnut=chestnut.food fries=french_fries.food
    icing=frosting.food burger=hamburger.food sub=sub.food veggie=vegetable.food
    donut=doughnut.food mushroom=mushroom.food bean=bean.food pea=pea.food nut=nut.plant
    lemon=lemon.food pear=pear.food cherry=cherry.food fig=fig.food squash=squash.food
    mint=mint.food.2 sandwich=sandwich.food hay=hay.food toast=toast.food pancake=pancake.food
    liquor=liquor.food yogurt=yogurt.food yoghurt=yogurt.food

    plate=plate.artifact.4 gear=gear.artifact.4 screen=screen.artifact.3 post=post.artifact.2
    van=van.artifact.3 net=net.artifact.4 grill=barbecue.artifact barbecue=barbecue.artifact
    carriage=carriage.artifact.2 hose=hose.artifact.3 trailer=trailer.artifact
    ribbon=ribbon.artifact.2 mall=mall.artifact.2 card=card.communication.2 pad=pad.artifact.2
    crown=crown.artifact.2 cape=cape.artifact record=record.artifact snowball=snowball.artifact
    walker=walker.artifact.2 sidecar=sidecar.artifact domino=domino.artifact.3
    dome=dome.artifact.2 diamond=diamond.possession nail=nail.artifact
    notebook=notebook.communication sponge=sponge.substance bumper=bumper.artifact.2
    cleat=cleat.artifact terrace=terrace.artifact trough=trough.artifact.2 glass=glass.artifact
    bow=bow.artifact organ=organ.artifact.2 palm=palm.plant palm_tree=palm.plant cap=cap.artifact
    racket=racket.artifact pen=pen.artifact bank=bank.artifact.2 bar=bar.artifact fan=fan.artifact
    ring=ring.artifact.3 pool=pool.artifact deck=deck.artifact.3 hood=hood.artifact.5
    carpet=carpet.artifact tank=tank.artifact light=light.artifact wheel=wheel.artifact
    hammer=hammer.artifact.2 horn=horn.artifact drill=drill.artifact triangle=triangle.artifact.2
    iron=iron.artifact.3 clip=clip.artifact.2 cushion=cushion.artifact.3 spade=spade.artifact.2
    washer=washer.artifact.2 key=key.artifact drum=drum.artifact skate=skate.artifact
    monitor=monitor.artifact.4 kite=kite.artifact lighter=lighter.artifact bulb=bulb.artifact
    letter=letter.communication stamp=stamp.communication.3 envelope=envelope.artifact
    saw=saw.artifact bolt=bolt.artifact.4 file=file.artifact.2 tap=faucet.artifact
    hydrant=fireplug.artifact pick=pick.artifact.4 jack=jack.artifact.6 spring=spring.artifact
    scale=scale.artifact cab=cab.artifact.3 taxi=cab.artifact.3 locker=locker.artifact
    sign=sign.artifact signboard=sign.artifact signage=sign.artifact bike=bicycle.artifact
    phone=telephone.artifact cell_phone=cellphone.artifact mobile=cellphone.artifact
    image=picture.artifact pic=photograph.artifact photo=photograph.artifact pole=pole.artifact
    stick=stick.plant shorts=shorts.artifact pants=trouser.artifact trousers=trouser.artifact
    jeans=jean.artifact denim=denim.artifact.2 tv=television_receiver.artifact
    television=television_receiver.artifact tv_set=television_receiver.artifact
    backpack=backpack.artifact t-shirt=jersey.artifact tee_shirt=jersey.artifact
    tshirt=jersey.artifact t_shirt=jersey.artifact slide=slide.artifact.2 cross=cross.artifact.2
    can=can.artifact base=base.artifact.3 seat=seat.artifact block=block.artifact
    home_plate=home_plate.artifact baggage=luggage.artifact bikini=bikini.artifact
    disc=disk.artifact disk=disk.artifact case=case.artifact pipe=pipe.artifact.2
    float=float.artifact cigarette=cigarette.artifact goal=goal.artifact
    mitt=baseball_glove.artifact glove=glove.artifact.2 bucket=bucket.artifact
    pail=bucket.artifact goggles=goggles.artifact headphone=headphone.artifact
    earphone=headphone.artifact chain=chain.artifact handle=handle.artifact
    graffiti=graffiti.artifact art=art.artifact artwork=art.artifact poster=poster.communication
    sticker=sticker.communication semi=semi.artifact semi_truck=semi.artifact
    newspaper=newspaper.artifact suv=suv.artifact fridge=refrigerator.artifact
    advertisement=advertisement.communication ad=advertisement.communication
    silhouette=silhouette.artifact tug=tugboat.artifact stroller=stroller.artifact
    reflection=reflection.artifact scissors=scissors.artifact scooter=scooter.artifact.3
    dock=dock.artifact.4 sheet=sheet.artifact cabin=cabin.artifact.2 diner=diner.artifact.2
    castle=castle.artifact.2 braid=braid.body plane=airplane.artifact race_car=racer.artifact
    racing_car=racer.artifact remote=remote_control.artifact board=board.artifact
    cot=cot.artifact.3 instrument=musical_instrument.artifact desktop=desktop_computer.artifact
    spigot=faucet.artifact tram=streetcar.artifact trolley=streetcar.artifact
    paddle=paddle.artifact.4 tube=tube.artifact hard_hat=hard_hat.artifact bunk=bunk_bed.artifact
    sash=sash.artifact.2 camp=campsite.location campground=campsite.location wagon=wagon.artifact
    cart=cart.artifact runway=runway.artifact.4 money=money.possession coin=coin.possession
    ticket=ticket.communication medal=medal.communication logo=logo.communication
    magazine=magazine.artifact tarp=tarpaulin.artifact straw=straw.artifact
    speaker=loudspeaker.artifact planter=flowerpot.artifact flower_pot=flowerpot.artifact
    cartoon=cartoon.communication camper=camper.artifact garbage=garbage.substance
    trash=trash.substance rubbish=trash.substance log=log.substance weed=weed.plant
    bush=shrub.plant necktie=tie.artifact sofa=sofa.artifact couch=sofa.artifact
    settee=sofa.artifact mail=mail.communication makeup=makeup.artifact skeleton=skeleton.body
    stoplight=traffic_light.communication red_light=traffic_light.communication
    traffic_signal=traffic_light.communication street_light=streetlight.artifact
    lamp_post=lamppost.artifact automobile=car.artifact racquet=racket.artifact
    tennis_racquet=tennis_racket.artifact aeroplane=airplane.artifact eyeglasses=glasses.artifact
    motor_bike=motorcycle.artifact motorbike=motorcycle.artifact surf_board=surfboard.artifact
    skate_board=skateboard.artifact snow_board=snowboard.artifact air_plane=airplane.artifact
    neck_tie=tie.artifact tooth_brush=toothbrush.artifact high_chair=highchair.artifact
    number_plate=license_plate.artifact wrist_watch=wristwatch.artifact
    house_boat=houseboat.artifact speed_boat=speedboat.artifact motor_boat=motorboat.artifact
    tea_pot=teapot.artifact tea_kettle=teakettle.artifact tea_cup=teacup.artifact
    bath_tub=bathtub.artifact book_case=bookcase.artifact book_store=bookshop.artifact
    barber_shop=barbershop.artifact mail_box=mailbox.artifact letter_box=mailbox.artifact
    sun_glasses=sunglasses.artifact wheel_chair=wheelchair.artifact
    wheel_barrow=wheelbarrow.artifact hair_brush=hairbrush.artifact tool_box=toolbox.artifact
    doll_house=dollhouse.artifact bird_house=birdhouse.artifact
    hot_air_balloon=hot-air_balloon.artifact wind_mill=windmill.artifact dog_leash=leash.artifact
    arm_chair=armchair.artifact garbage_bag=bin_liner.artifact trash_bag=bin_liner.artifact
    book_shelf=bookshelf.artifact lap_top=laptop.artifact swim_trunks=swimming_trunks.artifact
    flip_flop=flip-flop.artifact wine_glass=wineglass.artifact sail_boat=sailboat.artifact
    balloon=balloon.artifact.2 motorboat=motorboat.artifact baby_stroller=stroller.artifact
    pram=stroller.artifact rearview_mirror=rearview_mirror.artifact frisbee=frisbee.artifact
    rug=rug.artifact lift=elevator.artifact elevator=elevator.artifact lorry=truck.artifact
    trash_bin=ashcan.artifact trash_can=ashcan.artifact rubbish_bin=ashcan.artifact
    torch=torch.artifact pyjamas=pajama.artifact pajamas=pajama.artifact whisk=whisk.artifact
    thermos=thermos.artifact sneakers=sneaker.artifact trainers=sneaker.artifact
    jumper=sweater.artifact cable_car=cable_car.artifact wire=wire.artifact
    batting_cage=batting_cage.artifact uniform=uniform.artifact train=train.artifact
    crib=crib.artifact cooker=stove.artifact

    court=court.artifact.2 lawn=lawn.location zoo=zoo.artifact pasture=pasture.location
    school=school.artifact square=square.location plaza=square.location meadow=meadow.location
    market=marketplace.artifact marketplace=marketplace.artifact shop=shop.artifact
    store=shop.artifact restroom=restroom.artifact subway=subway.artifact metro=subway.artifact
    underground=subway.artifact bus_stop=bus_stop.location countryside=countryside.location
    rural_area=countryside.location gallery=gallery.artifact.2 stairs=stairs.artifact
    steps=stairs.artifact neighborhood=neighborhood.location.2
    neighbourhood=neighborhood.location.2 parking_space=parking_space.location
    arena=arena.artifact home=house.artifact crosswalk=crosswalk.artifact
    staircase=staircase.artifact stairway=staircase.artifact step=step.artifact
    bleachers=bleachers.artifact waterfront=waterfront.location track=track.artifact
    train_track=railroad.artifact.2 railroad=railroad.artifact.2 railway=railroad.artifact.2
    alleyway=alley.artifact trail=trail.artifact salon=salon.artifact.2
    side_walk=sidewalk.artifact enclosure=enclosure.artifact barrier=barrier.artifact
    well=well.artifact tarmac=tarmac.artifact car_park=parking_lot.location
    petrol_station=gas_station.artifact theatre=theater.artifact garden=garden.artifact
    village=village.location farm=farm.artifact closet=closet.artifact booth=booth.artifact.2
    stall=stall.artifact.3 kiosk=booth.artifact.2

    wave=wave.event ground=ground.object land=ground.object sun=sun.object moon=moon.object
    forest=forest.object woods=forest.object rainbow=rainbow.object bubble=bubble.object
    foam=foam.object surf=surf.event coast=seashore.object shadow=shadow.state sunset=sunset.time
    sunrise=sunrise.time winter=winter.time summer=summer.time vegetation=vegetation.group
    autumn=fall.time dusk=dusk.time twilight=dusk.time peak=peak.location.2
    landscape=landscape.location steam=steam.substance sunlight=sunlight.phenomenon
    sunshine=sunlight.phenomenon clearing=clearing.location hole=hole.object.2
    snow=snow.phenomenon horizon=horizon.location jungle=jungle.location

    dirt=dirt.substance soil=dirt.substance mud=mud.substance concrete=concrete.substance
    cement=cement.substance.2 plastic=plastic.substance leather=leather.substance
    gravel=gravel.substance stainless_steel=stainless_steel.substance gold=gold.substance
    steel=steel.substance rubber=rubber.substance clay=clay.substance asphalt=asphalt.substance
    cardboard=cardboard.substance

    tongue=tongue.body stomach=stomach.body.2 belly=stomach.body.2 thumb=thumb.body lip=lip.body
    cheek=cheek.body lap=lap.body knee=knee.body body=body.body elbow=elbow.body ankle=ankle.body
    chin=chin.body forehead=forehead.body hip=hip.body fist=fist.body toe=toe.body
    wrist=wrist.body mustache=mustache.body moustache=mustache.body eyebrow=eyebrow.body
    fingernail=fingernail.body bone=bone.body muscle=muscle.body.2 ponytail=ponytail.body
    tooth=tooth.body waist=waist.body shin=shin.body heel=heel.body

    game=game.act jump=jumping.act run=running.act.2 running=running.act.2 walking=walk.act
    walk=walk.act eating=eating.act drinking=drinking.act stunt=stunt.act trick=stunt.act
    climbing=climbing.event climb=climbing.event surfing=surfing.act
    skateboarding=skateboarding.act snowboarding=snowboarding.act swim=swimming.act
    sleeping=sleeping.act.2 sleep=sleeping.act.2 cooking=cooking.act hiking=hiking.act
    hike=hiking.act reading=reading.cognition grazing=grazing.act kneeling=kneeling.act
    fighting=fighting.act fight=fighting.act feeding=feeding.act.2 brushing=brushing.act
    competition=contest.event contest=contest.event hug=hug.act hugging=hug.act kiss=kiss.act
    kissing=kiss.act smoking=smoking.act sailing=sailing.act.2 writing=writing.act.2
    wading=wading.act shopping=shopping.act gathering=social_gathering.group
    christmas=christmas.time carnival=carnival.act.3 fair=carnival.act.3 funfair=carnival.act.3
    cleaning=cleaning.act singing=singing.act digging=digging.act waiting=waiting.act
    conversation=conversation.communication smile=smile.communication smiling=smile.communication
    jogging=jogging.act jog=jogging.act camping=camping.act circus=circus.act
    exercise=exercise.act workout=exercise.act bowling=bowling.act cycling=cycling.act
    baking=baking.act fencing=fencing.act juggling=juggling.act rodeo=rodeo.act race=race.event.2
    match=match.event traffic=traffic.group dance=dancing.act driving=driving.act.2
    pitching=pitching.act kicking=kick.act throwing=throw.act throw=throw.act
    playing=playing.act.2 typing=typewriting.communication performance=performance.communication
    video_game=video_game.act tennis_match=tennis.act talking=conversation.communication
    wrestle=wrestling.act leap=jumping.act leaping=jumping.act chess=chess.act
    roller_skating=roller_skating.act gardening=gardening.act hunting=hunting.act
    martial_art=martial_art.act karate=martial_art.act marathon=marathon.event
    sightseeing=sightseeing.act laughing=laugh.communication laugh=laugh.communication
    barbeque=barbecue.artifact puzzle=puzzle.artifact

    young_man=man.person young_woman=woman.person young_lady=woman.person guy=man.person
    gentleman=man.person male=man.person lady=woman.person female=woman.person kid=child.person
    someone=person.tops human=person.tops individual=person.tops people=person.tops
    human_being=person.tops infant=baby.person player=player.person batter=batter.person
    racer=racer.person cop=policeman.person police=policeman.person officer=policeman.person
    police_officer=policeman.person onlooker=spectator.person bystander=spectator.person
    mom=mother.person mum=mother.person dad=father.person santa=santa_claus.person
    santa_claus=santa_claus.person climber=climber.person.3 fireman=firefighter.person
    goalie=goalkeeper.person goalkeeper=goalkeeper.person teen=teenager.person
    hitter=batter.person runner=runner.person.5 clown=clown.person.2 cook=cook.person
    coach=coach.person model=model.person driver=driver.person guard=guard.person
    snow_boarder=snowboarder.person skate_boarder=skateboarder.person bike_rider=cyclist.person
    snow_skier=skier.person surfboarder=surfer.person motorcycle_rider=motorcyclist.person
    footballer=football_player.person mountain_climber=mountaineer.person audience=audience.group
    crowd=crowd.group family=family.group.2 team=team.group band=band.group.2 couple=couple.group
    army=army.group orchestra=orchestra.group choir=choir.group herd=herd.group
    flock=flock.group.2
    """
)

# What people photograph and would otherwise be too rare a phrase.
THINGS = """
dish_towel.artifact tea_towel.artifact tote_bag.artifact punching_bag.artifact
wedding_dress.artifact golf_cart.artifact merry-go-round.artifact windshield_wiper.artifact
life_preserver.artifact snowman.artifact ping-pong_table.artifact ping-pong_ball.artifact
billiard_ball.artifact bowling_pin.artifact dartboard.artifact chessboard.artifact board_game.act
jigsaw_puzzle.artifact rocking_horse.artifact bottle_opener.artifact salt_shaker.artifact
paper_cup.artifact wok.artifact pressure_cooker.artifact toaster_oven.artifact clothespin.artifact
coat_hanger.artifact coatrack.artifact toilet_paper.substance dental_floss.artifact
curling_iron.artifact pencil_sharpener.artifact tape_measure.artifact amusement_park.location
botanical_garden.artifact cornfield.location wheat_field.location rain_forest.group
great_dane.animal saint_bernard.animal sweet_potato.food chili.food passion_fruit.food
first-aid_kit.artifact fishbowl.artifact horse_race.event garden_hose.artifact
watering_can.artifact hedge_trimmer.artifact christmas_tree.artifact fire_extinguisher.artifact
fire_escape.artifact brass_band.group marching_band.group post_office.group high_school.group
bok_choy.food chocolate_chip_cookie.food rice_paddy.location sewing_machine.artifact
hot-air_balloon.artifact
""".split()

MEANS |= {meaning.partition(".")[0].replace("_", " "): meaning for meaning in THINGS}

# Names for meanings that have only learned ones, or that share theirs with another.
NAMES = {
    "oscine.animal": "songbird",
    "edible_fruit.food": "fruit",
    "produce.food": "produce",
    "polar_bear.animal": "polar bear",
    "teddy.artifact": "teddy bear",
    "crapper.artifact": "toilet",
    "bicycle.artifact": "bicycle",
    "cellphone.artifact": "mobile phone",
    "television_receiver.artifact": "television",
    "traffic_light.communication": "traffic light",
    "doughnut.food": "doughnut",
    "beverage.food": "beverage",
    "hotdog.food": "hot dog",
    "airplane.artifact": "airplane",
    "jersey.artifact": "t-shirt",
    "jean.artifact": "jeans",
    "trouser.artifact": "pants",
    "headphone.artifact": "headphones",
    "mouse.artifact": "computer mouse",
    "bat.animal": "bat animal",
    "crane.animal": "crane bird",
    "kiwi.animal": "kiwi bird",
    "pitcher.artifact": "water pitcher",
    "trunk.plant": "tree trunk",
    "trunk.artifact.2": "car trunk",
    "wing.artifact": "airplane wing",
    "bank.object": "riverbank",
    "palm.body": "palm of the hand",
    "railroad.artifact.2": "railroad track",
    "telephone.artifact": "telephone",
    "photograph.artifact": "photograph",
    "policeman.person": "police officer",
    "firefighter.person": "firefighter",
    "walk.act": "walking",
    "hug.act": "hugging",
    "kiss.act": "kissing",
    "throw.act": "throwing",
    "kick.act": "kicking",
    "smile.communication": "smiling",
    "laugh.communication": "laughing",
    "wineglass.artifact": "wine glass",
    "santa_claus.person": "santa claus",
    "tie.artifact": "tie",
    "climbing.event": "climbing",
    "stroller.artifact": "stroller",
    "cab.artifact.3": "taxi",
    "ashcan.artifact": "trash can",
    "fireplug.artifact": "fire hydrant",
    "dancing.act": "dancing",
    "hiking.act": "hiking",
    "wrestling.act": "wrestling",
    "fighting.act": "fighting",
    "juggling.act": "juggling",
    "running.act.2": "running",
    "elevator.artifact": "elevator",
    "fall.time": "autumn",
    "apartment.artifact": "apartment",
    "teacher.person": "teacher",
    "waiter.person": "waiter",
    "hog.animal.2": "pig",
    "streetcar.artifact": "tram",
    "sink.artifact": "sink",
    "commuter_train.artifact": "commuter train",
    "diner.artifact.2": "diner",
    "contest.event": "contest",
    "pajama.artifact": "pajamas",
    "seesaw.artifact": "seesaw",
    "skull.body": "skull",
}

# Never a name or a synonym: mostly said of colours, sizes, deeds and the like, or of another thing.
NO_NAMES = _words(
    """
    john blue gray grey black white brown green red silver pink purple tan large_white small_white
    giant shallow flip facing boarding steep vintage eats foreground round spray cutting hanging
    landing downhill flight grinding fake patch transit heading turning old_fashioned at_home
    yellow_jacket dive feed bent knit charm traverse upright rubbing stopping casting flashing
    cooling coloring roller fell steer tier wash link load bearing sparring batting men's carrier
    shaving prop junk sling stoop viewer tuck queen nude joint nipple portable rust knight puff
    slop ford derby dug flare mac ornamental punt spar zombie black_body black_box red_bat
    white_cake professional_baseball professional_tennis copper royal teal maroon delicious
    tiger_cat twin elder uphill metallic classic miniature shot chips air expanse crust cutout
    black_flag plush liner gap crack stopping print overcast shade doe lush lit buss wit hi sat
    fed led white_sheep bathing whit whist mote haw para vas bowls hands arms eyes windows wings
    waters legs things stripes seats papers cows shoes boob_tube goggle_box idiot_box old_woman
    old_man miss missy fille shaver nipper tike tyke fry nestling small_fry tiddler babe crossing
    passing sheila fuzz pushover pushing wheeler pusher sitting stand flat flood stack nap trainer
    sprinkle mini floppy vertical loading chat butt bunt decker polaroid trim quad novelty warming
    dodger charity blast compartment white_room crapper chink honky-tonk big_tree go-cart subject
    depicted_object trafficker pill_pusher pill_roller sawbones fire-eater sodbuster face_fungus
    john_barleycorn coffin_nail black_tie tag feeder weave divider video lumber hustler strip
    strike straight fast pitch set show trade turn try use way
    """
)

# Not counted in captions: no nouns there, or a phrase that is no thing by itself ("the street"
# is Wall Street to WordNet).
NO_NOUNS = _words(
    """
    are has was does can his hers its this that these those with from into onto over under and for
    off out while who what where there then than they them their one two three four five six seven
    eight nine ten behind above inside outside down some not all any more most many much very both
    each every another other own same such only just being doing getting going having like but
    ours past via per near would will may might must should the_street the_hill the_city
    on_the_road red_fire young_man young_woman young_lady young_girl little_girl old_man old_woman
    black_man black_woman white_man white_woman black_cat white_horse little_dog black_and_tan
    baby_sitting light_brown looking_at talking_to laying_on right_hand left_hand old_lady
    little_sister old_world yellow_jacket riding_horse white_house blue_wall big_stick white_sheep
    red_flag black_flag blue_flag blue_jet old_style good_time white_paper dark_blue dog_bite
    red_bat white_cake piece_of_cake running_away falling_off looking_for
    """
)

# Plurals that are words of their own.
PLURALS = _words(
    """
    shorts glasses scissors jeans pants goggles sunglasses trousers stairs clothes overalls
    binoculars tights pajamas pyjamas leggings slacks tongs pliers headphones suspenders fries
    briefs trunks dungarees bleachers gymnastics woods tennis species christmas eyeglasses sprouts
    electronics molasses spectacles shears clippers barracks surroundings dominoes checkers chess
    billiards aerobics gallows bellows mathematics
    """
)
