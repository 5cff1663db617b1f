"""What people would call it: the vocabulary of the captions."""

from __future__ import annotations

# Words shared by several categories make text as ambiguous as people do.
NOUNS = """
person: man, woman, boy, girl, guy, lady, child
bicycle: bike, cycle
car: sedan, automobile, taxi
motorcycle: motorbike, bike, scooter
airplane: plane, jet, aircraft, airliner
bus: coach, double decker
train: locomotive, railway car
truck: pickup, van, lorry
boat: sailboat, ship, vessel
traffic light: stoplight, signal, street light
fire hydrant: hydrant, water pump
stop sign: sign, street sign, signal
parking meter: meter, coin meter
bench: seat, wooden seat
bird: sparrow, parrot, pigeon
cat: kitten, kitty, pet
dog: puppy, hound, pet
horse: pony, stallion, mare
sheep: lamb, ram
cow: bull, calf, cattle
elephant: big animal, calf
bear: grizzly, cub
zebra: striped animal, wild horse
giraffe: tall animal, calf
backpack: bag, rucksack
umbrella: parasol, sunshade
handbag: purse, bag
tie: necktie, bow tie
suitcase: luggage, bag, case, trunk
frisbee: disc, toy
skis: ski
snowboard: board
sports ball: ball, soccer ball
kite: toy, flyer, flying object
baseball bat: bat, club
baseball glove: mitt, glove
skateboard: board
surfboard: board
tennis racket: racquet, racket
bottle: flask, jar
wine glass: glass, goblet
cup: mug, glass
fork: utensil, silverware
knife: blade, utensil
spoon: utensil, ladle
bowl: dish, basin
banana: fruit, plantain
apple: fruit
sandwich: sub, toast, meal
orange: fruit, tangerine
broccoli: vegetable, greens
carrot: vegetable
hot dog: sausage, frankfurter
pizza: pie, dish, meal, slice
donut: pastry, doughnut, dessert
cake: dessert, pastry
chair: seat, stool
couch: sofa, seat
potted plant: plant, flower
bed: mattress, bunk
dining table: table, desk
toilet: commode, seat, bowl
tv: television, screen
laptop: computer, notebook
mouse: computer mouse
remote: controller, clicker
keyboard: keypad
cell phone: phone, mobile, smartphone, device
microwave: microwave oven
oven: stove, range
toaster: toaster oven
sink: basin, washbasin
refrigerator: fridge, freezer
book: novel, notebook
clock: timepiece, dial, watch
vase: jar, pot
scissors: shears, blade
teddy bear: stuffed animal, bear, toy
hair drier: blow dryer
toothbrush: brush
"""
HYPERNYMS = """
person: person, someone
vehicle: vehicle, machine
outdoor: thing, object
animal: animal, creature
accessory: item, thing
sports: item, object
kitchen: item, object
food: snack, piece of food
furniture: piece of furniture, object
electronic: device, gadget
appliance: appliance, machine
indoor: object, item
"""
ACTIONS = """
person: standing, walking, posing, waiting, looking at the camera
vehicle: parked, moving along, driving by, waiting, on display
outdoor: standing, on display, seen up close, casting a shadow
animal: standing, walking, eating, resting, looking at the camera
accessory: sitting, left behind, on display, lying around
sports: lying around, on display, seen up close, moving along
kitchen: sitting, lying around, waiting, seen up close
food: sitting, served fresh, waiting, seen up close
furniture: standing, sitting, seen up close, on display
electronic: sitting, lying around, on display, seen up close
appliance: standing, sitting, seen up close, waiting
indoor: sitting, on display, seen up close, casting a shadow
"""
DISTRACTORS = (
    "some trees", "a building", "a few people", "a wall", "a car", "a window",
    "the clouds", "a fence", "a sign", "a table", "a bag", "a dog", "mountains",
    "a bottle", "flowers", "a clock",
)  # fmt: skip
QUALITIES = (
    "close up", "blurry", "nice", "strange", "bright", "dark", "funny", "colorful",
    "black and white", "beautiful", "simple",
)  # fmt: skip
SIZES = ("big", "little", "large", "small", "tall", "old", "new", "lone")
NUMBERS = {2: ("two", "a pair of", "a couple of"), 3: ("three", "several", "some"),
           4: ("four", "several", "a few")}  # fmt: skip
CROWDS = ("a group of", "a crowd of", "many", "lots of")

IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "lady": "ladies",
    "child": "children", "someone": "people", "sheep": "sheep", "calf": "calves",
    "aircraft": "aircraft", "cattle": "cattle", "luggage": "luggage",
    "scissors": "scissors", "shears": "shears", "skis": "skis", "knife": "knives",
    "broccoli": "broccoli", "greens": "greens", "silverware": "silverware",
    "piece of food": "pieces of food", "piece of furniture": "pieces of furniture",
}  # fmt: skip


def table(text: str) -> dict[str, tuple[str, ...]]:
    """Read lines such as ``name: word, word`` into words by name."""
    rows = (line.partition(":") for line in text.strip().splitlines())
    return {
        name: tuple(word.strip() for word in words.split(","))
        for name, _, words in rows
    }


SYNONYMS = table(NOUNS)
GENERAL = table(HYPERNYMS)
DOING = table(ACTIONS)


def plural(noun: str) -> str:
    """Return the English plural, for instance ``"double deckers"``."""
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    head, _, last = noun.rpartition(" ")
    if last in IRREGULAR:
        return f"{head} {IRREGULAR[last]}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def article(words: str) -> str:
    """Return the words with ``a`` or ``an`` before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
