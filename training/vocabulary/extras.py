"""What people photograph and WordNet 3.0 has no meaning for."""

from __future__ import annotations

from typing import NamedTuple


class Extra(NamedTuple):
    """A thing that WordNet has no meaning for. Its parent is a meaning, or the name of a root."""

    name: str
    parent: str
    synonyms: tuple[str, ...] = ()


# A line each: name, parent, synonyms. A parent is written as in rules.py.
_EXTRAS = """
skate park: place: skatepark, skateboard park
stop sign: sign.artifact
traffic sign: sign.artifact: road sign
smartphone: cellphone.artifact: smart phone, iphone
selfie: photograph.artifact
tablet computer: computer.artifact: ipad, tablet
double-decker bus: bus.artifact: double decker, double-decker, double decker bus
city bus: bus.artifact: transit bus
tour bus: bus.artifact
food truck: truck.artifact
fighter jet: fighter.artifact
city street: street.artifact
dirt road: road.artifact
brick wall: wall.artifact
rock wall: wall.artifact: climbing wall
water park: place: waterpark
construction site: place: building site
obstacle course: place
parking garage: structure: multi-storey car park
half pipe: ramp.artifact: half-pipe, halfpipe
skateboard ramp: ramp.artifact: skate ramp
water slide: slide.artifact.2: waterslide
swing set: object
tire swing: swing.artifact
bounce house: toy.artifact: bouncy castle
toy car: toy.artifact
stuffed animal: toy.artifact: soft toy, plush toy, stuffed toy
rubber duck: toy.artifact
dog toy: toy.artifact: chew toy
game controller: device.artifact: controller, video game controller, game remote, gamepad
game console: device.artifact: video game console
video camera: camera.artifact
picnic table: table.artifact.2
computer desk: desk.artifact
nightstand: table.artifact.2: bedside table, night table, night stand
kitchen counter: counter.artifact: countertop, counter top
bathroom sink: sink.artifact
ceiling fan: fan.artifact
light switch: device.artifact
power outlet: device.artifact
smoke detector: device.artifact: smoke alarm
high heel: shoe.artifact: high heels, high-heeled shoe
hoodie: sweatshirt.artifact: hooded sweatshirt
jersey: shirt.artifact: sports jersey
leather jacket: jacket.artifact
baseball uniform: uniform.artifact
snow pants: trouser.artifact: ski pants
boogie board: board.artifact: bodyboard
paddleboard: board.artifact: paddle board
jet ski: vehicle.artifact: jetski
zip line: object: zipline, zip wire
tennis net: net.artifact.4
soccer goal: goal.artifact
soccer field: place: football pitch
chain-link fence: fence.artifact: chain link fence
wire fence: fence.artifact
light pole: pole.artifact
traffic cone: object: pylon
ice cream cone: ice_cream.food: ice-cream cone
sheet cake: cake.food.2
fruit stand: stall.artifact.3
face paint: makeup.artifact
sand castle: object: sandcastle
beach umbrella: umbrella.artifact
bird cage: cage.artifact: birdcage
bar of soap: soap.artifact
whiteboard: object
memory card: device.artifact
city skyline: structure: skyline, cityscape
rock formation: nature
train car: vehicle.artifact: railroad car, railway carriage
train engine: locomotive.artifact
group of people: person
soccer player: player.person
rugby player: player.person
skydiver: person
birthday party: party.event: birthday
soccer game: game.act: soccer match
skateboard trick: stunt.act
back flip: stunt.act: backflip
skydiving: sport.act
kitesurfing: sport.act: kiteboarding, kite surfing
windsurfing: sport.act: wind surfing
wakeboarding: sport.act
paddleboarding: sport.act: paddle boarding
kayaking: sport.act
canoeing: sport.act
paragliding: sport.act
water skiing: sport.act: waterskiing
kite flying: event: flying kites
sunbathing: event
brushing teeth: event: tooth brushing
dog show: event
yoga: event
bean bag: chair.artifact: beanbag
office chair: chair.artifact: desk chair
bar stool: stool.artifact: barstool
hiking boot: boot.artifact
rain boot: boot.artifact: wellington boot
desk lamp: lamp.artifact.2
christmas lights: decoration.artifact: fairy lights
car wash: building.artifact
paper airplane: toy.artifact: paper plane
space suit: clothing.artifact: spacesuit
snow shovel: shovel.artifact
snow plow: vehicle.artifact: snowplow, snowplough
toy gun: toy.artifact
coffee pot: pot.artifact
champagne glass: glass.artifact
ice bucket: bucket.artifact
rice cooker: kitchen_appliance.artifact
slow cooker: kitchen_appliance.artifact
wine rack: rack.artifact
shower head: plumbing_fixture.artifact: showerhead
toilet brush: brush.artifact
nail clipper: tool.artifact: nail clippers
flash drive: device.artifact: memory stick, usb stick
satellite dish: device.artifact
art museum: museum.artifact
toy store: shop.artifact: toy shop
pet store: shop.artifact: pet shop
flower shop: shop.artifact: florist
pit bull: dog.animal: pitbull
fried chicken: dish.food
carrot cake: cake.food.2
dragon fruit: edible_fruit.food: dragonfruit
baby bottle: bottle.artifact
bird bath: object: birdbath
palm leaf: leaf.plant: palm frond
maple leaf: leaf.plant
pine cone: plant.tops: pinecone
cherry blossom: flower.plant.2
leaf blower: tool.artifact
drum set: drum.artifact: drum kit
measuring spoon: spoon.artifact
"""


def _extras() -> dict[str, Extra]:
    found = {}
    for line in _EXTRAS.strip().splitlines():
        name, parent, *more = line.split(": ")
        synonyms = tuple(word for words in more for word in words.split(", "))
        found[f"x:{name}"] = Extra(name, parent, synonyms)
    return found


EXTRA = _extras()
