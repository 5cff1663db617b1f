"""The world's facts: COCO's 80 categories, how often each stands alone, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The number is how many train images show nothing else. The 43 categories of
# COCO-all keep their real order, compressed (9.62 times the fourth root of the real
# number); the other 37 stay below MIN_IMAGES, at an eighth of their real count.
MIN_IMAGES = 31
TABLE = """
 1 | person         | person     | 42 | blue red grey        | street field beach
 2 | bicycle        | vehicle    |  9 | red blue green       | street park
 3 | car            | vehicle    | 34 | red white blue       | street
 4 | motorcycle     | vehicle    | 39 | red black            | street
 5 | airplane       | vehicle    | 60 | white grey blue      | sky runway
 6 | bus            | vehicle    | 39 | yellow red           | street
 7 | train          | vehicle    | 58 | green red blue       | field street
 8 | truck          | vehicle    | 42 | white orange blue    | street field
 9 | boat           | vehicle    | 45 | white red brown      | water beach
10 | traffic light  | outdoor    | 46 | black yellow         | street sky
11 | fire hydrant   | outdoor    | 45 | red yellow           | street park
13 | stop sign      | outdoor    | 47 | red                  | street field
14 | parking meter  | outdoor    | 13 | grey black           | street
15 | bench          | outdoor    | 45 | brown green          | park beach
16 | bird           | animal     | 58 | brown white blue     | park water sky
17 | cat            | animal     | 45 | orange black grey    | room
18 | dog            | animal     | 42 | brown black white    | park room
19 | horse          | animal     | 49 | brown black          | field
20 | sheep          | animal     | 52 | white grey           | field
21 | cow            | animal     | 54 | brown black white    | field
22 | elephant       | animal     | 55 | grey                 | savanna
23 | bear           | animal     | 51 | brown black          | field water
24 | zebra          | animal     | 59 | white                | savanna field
25 | giraffe        | animal     | 62 | yellow orange brown  | savanna field
27 | backpack       | accessory  |  0 | blue green red       | street park
28 | umbrella       | accessory  | 31 | red blue purple      | street beach
31 | handbag        | accessory  |  1 | brown pink black     | street room
32 | tie            | accessory  |  6 | red blue             | room
33 | suitcase       | accessory  | 36 | black blue red       | room street
34 | frisbee        | sports     |  2 | red yellow           | park beach
35 | skis           | sports     |  2 | blue red             | snow
36 | snowboard      | sports     |  2 | green purple         | snow
37 | sports ball    | sports     |  1 | white orange         | park
38 | kite           | sports     | 32 | red yellow purple    | sky beach
39 | baseball bat   | sports     |  1 | brown                | park
40 | baseball glove | sports     |  0 | brown                | park
41 | skateboard     | sports     |  4 | black red            | street
42 | surfboard      | sports     |  5 | white yellow         | beach water
43 | tennis racket  | sports     |  1 | blue red             | park
44 | bottle         | kitchen    |  4 | green brown          | table kitchen
46 | wine glass     | kitchen    |  2 | red yellow           | table
47 | cup            | kitchen    |  2 | white blue red       | table kitchen
48 | fork           | kitchen    |  0 | grey                 | table
49 | knife          | kitchen    |  4 | grey                 | table kitchen
50 | spoon          | kitchen    |  1 | grey                 | table
51 | bowl           | kitchen    |  2 | white blue           | table kitchen
52 | banana         | food       | 40 | yellow green         | table kitchen
53 | apple          | food       |  9 | red green            | table
54 | sandwich       | food       | 32 | pink brown           | table
55 | orange         | food       | 34 | orange               | table kitchen
56 | broccoli       | food       | 40 | green                | table kitchen
57 | carrot         | food       |  7 | orange               | table kitchen
58 | hot dog        | food       | 31 | red brown            | table street
59 | pizza          | food       | 43 | orange yellow        | table kitchen
60 | donut          | food       | 38 | pink brown white     | table
61 | cake           | food       | 35 | pink white brown     | table
62 | chair          | furniture  |  3 | brown black          | room kitchen
63 | couch          | furniture  |  2 | red grey blue        | room
64 | potted plant   | furniture  |  4 | orange brown         | room
65 | bed            | furniture  | 41 | blue white pink      | room
67 | dining table   | furniture  |  3 | brown                | room kitchen
70 | toilet         | furniture  | 55 | white pink grey      | bathroom
72 | tv             | electronic |  6 | blue black           | room
73 | laptop         | electronic |  4 | blue grey            | room table
74 | mouse          | electronic |  1 | white black          | table
75 | remote         | electronic |  8 | black grey           | room table
76 | keyboard       | electronic |  4 | black white          | table
77 | cell phone     | electronic | 32 | blue black           | table room
78 | microwave      | appliance  |  8 | white black          | kitchen
79 | oven           | appliance  | 32 | white grey black     | kitchen
80 | toaster        | appliance  |  1 | grey red             | kitchen
81 | sink           | appliance  | 40 | white grey           | bathroom kitchen
82 | refrigerator   | appliance  | 32 | white grey           | kitchen
84 | book           | indoor     |  1 | red green blue       | room table
85 | clock          | indoor     | 59 | black brown white    | room street
86 | vase           | indoor     | 46 | blue white red       | table room
87 | scissors       | indoor     | 36 | red orange black     | table
88 | teddy bear     | indoor     | 44 | brown pink           | room
89 | hair drier     | indoor     |  0 | pink black           | bathroom
90 | toothbrush     | indoor     |  8 | blue red green       | bathroom
"""


@dataclass(frozen=True)
class Category:
    """One of COCO's categories, and its habits in this world.

    Parameters
    ----------
    id, name, supercategory
        As COCO publishes them.
    alone
        Train images that show nothing else.
    colours, places
        Those it prefers; it also comes in others.
    """

    id: int
    name: str
    supercategory: str
    alone: int
    colours: tuple[str, ...]
    places: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return the entry of COCO's ``categories`` list."""
        return {
            "supercategory": self.supercategory,
            "id": self.id,
            "name": self.name,
        }


def _category(line: str) -> Category:
    number, name, supercategory, alone, colours, places = (
        cell.strip() for cell in line.split("|")
    )
    return Category(
        int(number),
        name,
        supercategory,
        int(alone),
        tuple(colours.split()),
        tuple(places.split()),
    )


CATEGORIES = {c.id: c for c in map(_category, TABLE.strip().splitlines())}

RGB = {
    "red": (200, 45, 40), "orange": (230, 130, 40), "yellow": (235, 200, 60),
    "green": (80, 150, 70), "blue": (60, 105, 185), "purple": (130, 80, 160),
    "pink": (230, 150, 175), "brown": (125, 82, 50), "black": (45, 45, 50),
    "grey": (140, 140, 145), "white": (232, 230, 225),
}  # fmt: skip
# Paints that recipes use and captions never name.
PAINT = {
    **RGB,
    "skin": (215, 170, 135), "steel": (170, 175, 182), "wood": (150, 108, 68),
    "glass": (175, 205, 220), "tan": (214, 170, 108),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A backdrop.

    Parameters
    ----------
    above, below
        RGB of what is over and under the horizon.
    horizon
        Its height, as a part of the image from the top.
    decor
        Things drawn behind, by name; see :data:`DECOR`.
    phrases
        How captions name it.
    """

    above: tuple[int, int, int]
    below: tuple[int, int, int]
    horizon: float
    decor: tuple[str, ...]
    phrases: tuple[str, ...]


PLACES = {
    "street": Place((178, 192, 205), (118, 118, 122), 0.55, ("house", "tree", "lamp"),
        ("on the street", "in the city", "by the side of the road", "in town")),
    "field": Place((180, 205, 225), (125, 160, 90), 0.45, ("tree", "hill", "fence"),
        ("in a grassy field", "in the grass", "in a meadow", "on a farm")),
    "savanna": Place((205, 215, 215), (190, 165, 105), 0.5, ("tree", "hill", "rock"),
        ("in the wild", "at the zoo", "on the dry plain", "in the tall grass")),
    "park": Place((175, 200, 190), (110, 150, 85), 0.4, ("tree", "bush", "fence"),
        ("in the park", "on the lawn", "in the grass", "outside on a sunny day")),
    "beach": Place((175, 210, 230), (225, 205, 160), 0.4, ("wave", "rock", "cloud"),
        ("on the beach", "by the sea", "on the sand", "near the water")),
    "water": Place((185, 205, 220), (85, 130, 160), 0.4, ("hill", "wave", "cloud"),
        ("on the water", "on a lake", "near the water", "in the harbor")),
    "snow": Place((190, 205, 225), (235, 240, 245), 0.4, ("tree", "hill", "cloud"),
        ("in the snow", "on a snowy hill", "on a mountain", "in winter")),
    "sky": Place((125, 170, 215), (150, 185, 215), 0.9, ("cloud", "cloud", "hill"),
        ("in the air", "in the blue sky", "high above the ground", "under the clouds")),
    "runway": Place((175, 200, 220), (140, 142, 145), 0.5, ("house", "cloud", "lamp"),
        ("at the airport", "on the runway", "on the ground", "on a cloudy day")),
    "kitchen": Place((215, 205, 185), (165, 140, 115), 0.65, ("window", "shelf"),
        ("in the kitchen", "on the counter", "in a small apartment", "at home")),
    "table": Place((200, 190, 180), (160, 115, 75), 0.3, ("plate", "frame", "window"),
        ("on the table", "on a plate", "on a wooden desk", "at home")),
    "room": Place((205, 195, 200), (150, 120, 100), 0.65, ("window", "frame", "shelf"),
        ("in the living room", "in a room", "on the floor", "at home")),
    "bathroom": Place((195, 215, 215), (170, 180, 185), 0.65, ("tiles", "window"),
        ("in the bathroom", "in a tiled room", "in a small room", "next to the wall")),
}  # fmt: skip

# Drawn like categories but never annotated; captions mention them in passing.
DECOR = """
tree: box wood 50 76 12 50; cloud green 50 32 78 60
bush: cloud green 50 64 96 60
house: box tan 50 60 80 80; tri brown 50 12 100 26; box glass 30 48 16 18; \
box glass 68 48 16 18; box wood 50 82 16 36
lamp: line black 50 10 50 100 5; oval yellow 50 8 24 14
hill: dome green 50 70 220 80
fence: line wood -60 60 160 60 6; line wood -60 80 160 80 6; \
line wood -40 46 -40 100 6; line wood 20 46 20 100 6; line wood 80 46 80 100 6; \
line wood 140 46 140 100 6
rock: dome grey 50 76 70 50
wave: line white -40 60 60 60 4; line white 40 80 150 80 4
cloud: cloud white 50 40 120 44
window: box white 50 50 70 90; box glass 50 50 58 78; line white 50 10 50 90 5
frame: box wood 50 50 70 60; box tan 50 50 56 46; tri green 50 56 34 26
shelf: line wood -20 70 120 70 6; box red 10 54 10 26; box blue 24 56 10 22; \
box green 38 52 10 30; oval white 76 58 24 20
plate: oval white 50 60 120 44; oval grey 50 60 84 28
tiles: line white -60 20 160 20 3; line white -60 50 160 50 3; \
line white -60 80 160 80 3; line white -20 -10 -20 110 3; line white 20 -10 20 110 3; \
line white 60 -10 60 110 3; line white 100 -10 100 110 3
"""
