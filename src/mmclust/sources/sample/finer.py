"""Finer captions: colours, patterns, numbers and places are named, and true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.sources.sample.captions import pick
from mmclust.sources.sample.words import article, plural, table

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    import numpy as np

    from mmclust.sources.sample.scene import Group, Scene

NUMBER = 5  # captions of a picture
TRIES = 40
# What the writer of a caption cares to mention.
COLOUR, PATTERN, SECOND, PLACE, BOTH = 0.93, 0.85, 0.7, 0.9, 0.9
NOUNS = table("""
person: person, man
car: car
motorcycle: motorcycle, motorbike
airplane: airplane, plane
bus: bus
train: train
truck: truck
boat: boat, sailboat
fire hydrant: fire hydrant, hydrant
bench: bench
bird: bird
cat: cat
dog: dog
horse: horse
sheep: sheep
cow: cow
elephant: elephant
bear: bear
backpack: backpack
umbrella: umbrella, parasol
handbag: handbag, purse
suitcase: suitcase
frisbee: frisbee
snowboard: snowboard
kite: kite
surfboard: surfboard
bottle: bottle
cup: cup, mug
bowl: bowl
apple: apple
chair: chair
couch: couch, sofa
bed: bed
toilet: toilet
refrigerator: refrigerator, fridge
book: book
vase: vase
teddy bear: teddy bear
mouse: computer mouse
keyboard: keyboard
""")
PHRASES = table("""
street: on a street, on the road, on the road in a city
field: in a green field, on the green grass, in a green meadow
savanna: on the dry savanna, on dry ground, on the dry plain
beach: on a sandy beach, on the pale sand, on the sand by the sea
water: on the blue water, in the blue water, on a blue lake
snow: in the white snow, on a snowy slope, on the snow in winter
sky: high in the blue sky, up in the blue sky, in the blue air under the clouds
table: on a wooden table, on a table, on the wooden table
room: in a living room, in a room, inside a room
bathroom: in a bathroom, in a small bathroom, inside a pale bathroom
""")
PATTERNS = {
    "stripes": ("striped", "with stripes"), "bands": ("banded", "with bands"),
    "spots": ("spotted", "with spots"), "speckles": ("speckled", "with speckles"),
}  # fmt: skip
NUMBERS = {2: ("two", "two", "a pair of"), 3: ("three",), 4: ("four",)}
ALONE = ("{a} {place}", "{a} seen {place}", "there {is_} {a} {place}",
         "a picture of {a} {place}", "{a} can be seen {place}")  # fmt: skip
PAIRS = ("{a} and {b} {place}", "{a} next to {b} {place}", "{a} {place} beside {b}",
         "there {is_} {a} {place} with {b}", "{b} and {a} {place}",
         "{a} with {b} {place}", "{b} near {a} {place}")  # fmt: skip


def finer(
    rng: np.random.Generator, scene: Scene, taken: AbstractSet[str] = frozenset()
) -> tuple[str, ...]:
    """Return five captions that tell a scene from its near copies."""
    # The writers of one picture agree on its nouns.
    nouns = [pick(rng, NOUNS[group.category.name]) for group in scene.groups]
    said: list[str] = []
    spare: list[str] = []
    for _ in range(TRIES):
        caption = _caption(rng, scene, nouns)
        (spare if caption in taken or caption in said else said).append(caption)
        if len(said) == NUMBER:
            break
    return (*said, *spare)[:NUMBER]


def _caption(rng: np.random.Generator, scene: Scene, nouns: list[str]) -> str:
    order = rng.permutation(len(scene.groups))
    if rng.random() > BOTH:
        order = order[:1]
    things = [_thing(rng, scene.groups[i], nouns[i]) for i in order]
    place = pick(rng, PHRASES[scene.place]) if rng.random() < PLACE else ""
    a, b = things[0], things[-1]
    text = pick(rng, ALONE if len(things) == 1 else PAIRS)
    said = text.format(a=a, b=b, place=place, is_="is" if a[0] == "a" else "are")
    return " ".join(said.split()).removesuffix(" seen").removesuffix(" can be")


def _thing(rng: np.random.Generator, group: Group, noun: str) -> str:
    """Return for instance ``"two spotted red buses"``."""
    colour = [group.colour] if rng.random() < COLOUR else []
    before, after = "", ""
    if group.texture != "plain" and rng.random() < PATTERN:
        before, after = PATTERNS[group.texture]
        before, after = (before, "") if rng.random() < 0.7 else ("", after)  # noqa: PLR2004
    if group.category.name == "person":
        return _dressed(
            rng, group, noun, [*([before] if before else []), *colour], after
        )
    words = [*([before] if before else []), *colour]
    thing = " ".join([*words, noun if group.number == 1 else plural(noun)])
    counted = article(thing) if group.number == 1 else f"{_many(rng, group)} {thing}"
    return f"{counted} {after}".strip()


def _dressed(
    rng: np.random.Generator, group: Group, noun: str, shirt: list[str], after: str
) -> str:
    """Return for instance ``"a man in a striped red shirt and blue trousers"``."""
    one = group.number == 1
    who = article(noun) if one else f"{_many(rng, group)} {plural(noun)}"
    wear = []
    if shirt or after:
        top = " ".join([*shirt, "shirt"])
        wear.append(f"{article(top) if one else top + 's'} {after}".strip())
    if rng.random() < SECOND:
        wear.append(f"{group.second} {pick(rng, ('trousers', 'pants'))}")
    return f"{who} in {' and '.join(wear)}" if wear else who


def _many(rng: np.random.Generator, group: Group) -> str:
    return pick(rng, NUMBERS[group.number])
