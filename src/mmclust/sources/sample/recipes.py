"""What each category looks like: one recipe a line, drawn on a grid of 100 x 100.

A recipe is a list of parts, back to front, separated by semicolons. A part reads
``kind paint x y width height [angle]`` with (x, y) its centre, y downwards and
angles clockwise in degrees; ``line paint x1 y1 x2 y2 thickness`` is the exception.
Kinds are the outlines in ``shapes``. Paint ``a`` is the colour of the instance and
``b`` a second one; ``dark`` and ``lite`` are shades of ``a``; others are names.

Categories of one supercategory share a build, so that they look alike: animals
stand on four legs, vehicles roll on wheels, appliances are boxes with a door.
"""

from __future__ import annotations

RECIPES = """
person: pill a 50 40 28 40; pill skin 34 42 7 36 10; pill skin 66 42 7 36 -10; \
pill b 43 76 12 48; pill b 57 76 12 48; oval skin 50 12 18 20; dome brown 50 6 20 10

bicycle: ring black 24 74 42 42; ring black 76 74 42 42; line a 24 74 42 48 4; \
line a 42 48 70 48 4; line a 42 48 50 76 4; line a 50 76 70 48 4; \
line a 24 74 50 76 4; line a 76 74 68 38 4; line black 62 38 76 36 4; \
box black 42 45 14 4
motorcycle: oval black 22 76 38 38; oval grey 22 76 16 16; oval black 78 76 38 38; \
oval grey 78 76 16 16; box steel 50 74 24 16; pill a 50 58 46 20; \
pill dark 34 48 30 8; line steel 78 76 66 38 5; line black 58 36 72 34 5
car: trap glass 48 46 58 28; box dark 48 46 4 28; pill a 50 66 98 26; \
oval black 26 80 22 22; oval grey 26 80 9 9; oval black 74 80 22 22; \
oval grey 74 80 9 9
airplane: tri dark 10 36 18 34 -15; tri b 54 34 18 40 -25; pill a 50 52 98 18; \
tri b 46 74 22 46 200; line glass 26 49 78 49 4; oval glass 92 50 9 6
bus: pill a 50 55 98 60; box glass 50 42 88 20; box a 28 42 4 22; box a 50 42 4 22; \
box a 72 42 4 22; box lite 50 66 98 6; oval black 22 86 20 20; oval black 78 86 20 20
train: box steel 50 93 120 3; pill a 24 62 56 44; pill a 84 62 56 44; \
box dark 54 70 8 10; box glass 12 54 13 14; box glass 34 54 13 14; \
box glass 72 54 13 14; box glass 96 54 13 14; line lite 0 74 110 74 5; \
oval black 8 87 11 11; oval black 40 87 11 11; oval black 68 87 11 11; \
oval black 100 87 11 11
truck: box a 36 45 70 54; box dark 36 70 70 5; pill b 86 60 28 42; \
box glass 90 50 16 15; oval black 18 84 21 21; oval black 46 84 21 21; \
oval black 86 84 21 21
boat: line wood 50 72 50 6 4; tri white 68 40 30 56; tri lite 34 44 24 44; \
trap a 50 82 92 26 180; line dark 8 74 92 74 4

traffic light: box black 50 82 7 40; pill a 50 36 32 72; oval red 50 14 19 19; \
oval yellow 50 36 19 19; oval green 50 58 19 19
fire hydrant: pill a 50 66 36 60; dome a 50 32 34 22; box dark 50 42 48 7; \
oval dark 29 60 16 18; oval dark 71 60 16 18; oval steel 50 62 17 17; \
box dark 50 96 50 8
stop sign: box steel 50 78 7 46; oct white 50 32 64 64; oct a 50 32 57 57; \
box white 33 32 7 13; box white 45 32 5 13; ring white 55 32 10 14; \
box white 66 32 5 13
parking meter: box steel 50 76 8 50; pill a 50 32 32 48; dome dark 50 9 30 12; \
box glass 50 26 21 15; box black 50 44 10 4
bench: box black 14 68 5 62; box black 86 68 5 62; box a 50 66 98 7; \
box dark 50 74 94 4; box a 50 40 94 7; box a 50 52 94 7

bird: tri dark 14 54 18 34 250; line orange 42 70 40 96 3; line orange 52 70 54 96 3; \
oval a 46 55 56 36; oval dark 40 52 36 18 -15; oval a 72 36 26 25; \
tri orange 90 37 10 16 90; oval black 76 33 5 5

backpack: ring black 50 14 24 24; pill dark 18 70 12 34; pill dark 82 70 12 34; \
pill a 50 58 62 78; pill b 50 76 46 30; line dark 22 44 78 44 4
umbrella: line black 50 10 50 94 4; ring black 56 93 14 14; dome a 50 32 98 46; \
dome b 50 32 34 46; tri black 50 7 5 7
handbag: ring dark 50 34 48 50; trap a 50 68 80 48; line dark 14 54 86 54 5; \
oval yellow 50 58 9 9
tie: trap dark 50 10 20 16 180; diamond a 50 58 28 86; line b 40 46 60 40 5; \
line b 40 64 60 56 5
suitcase: ring black 50 18 30 30; pill a 50 60 84 64; box dark 30 60 7 64; \
box dark 70 60 7 64; oval black 24 94 9 9; oval black 76 94 9 9; box yellow 50 34 9 5

frisbee: oval dark 50 54 88 36; oval a 50 48 86 34; oval dark 50 46 58 20; \
oval lite 50 45 50 14
skis: line a 14 96 62 2 6; line a 38 98 86 4 6; line black 4 88 30 10 2; \
line black 70 92 96 14 2
snowboard: pill a 50 50 100 24 -28; pill b 50 50 32 24 -28; box black 34 58 6 22 -28; \
box black 66 42 6 22 -28
sports ball: oval a 50 50 78 78; hex black 50 50 24 24; line dark 50 12 50 38 3; \
line dark 16 34 40 44 3; line dark 84 34 60 44 3; line dark 30 80 43 60 3; \
line dark 70 80 57 60 3
kite: line black 46 62 10 98 2; tri b 32 76 9 14 60; tri b 20 90 9 14 60; \
diamond a 56 34 58 68 25; diamond b 56 34 28 34 25; line black 42 66 70 4 2; \
line black 32 22 80 44 2
baseball bat: trap a 50 46 10 96 205; pill a 62 22 15 46 25; oval dark 30 90 10 10
baseball glove: pill a 26 30 16 44 -18; pill a 43 24 16 48 -4; pill a 60 24 16 48 6; \
pill dark 84 52 16 42 42; oval a 48 62 66 60; oval dark 50 62 34 28
skateboard: line a 6 50 16 57 8; line a 94 50 84 57 8; pill a 50 58 78 11; \
oval b 26 70 15 15; oval b 74 70 15 15
surfboard: oval a 50 50 28 104 18; oval lite 50 50 14 90 18; line b 36 92 64 8 4
tennis racket: ring a 50 32 54 64; line white 50 6 50 58 2; line white 37 10 37 54 2; \
line white 63 10 63 54 2; line white 28 24 72 24 2; line white 28 40 72 40 2; \
line dark 50 62 50 100 7

bottle: pill a 50 68 36 66; box a 50 28 14 30; box b 50 10 17 9; box lite 50 68 36 24
wine glass: oval glass 50 95 40 8; line glass 50 60 50 92 5; \
dome glass 50 30 48 66 180; dome a 50 42 42 42 180
cup: ring a 78 56 36 38; trap a 46 56 56 62 180; oval dark 46 26 54 12
fork: line a 50 40 50 100 8; box a 50 34 28 9; line a 39 4 39 34 5; \
line a 50 4 50 34 5; line a 61 4 61 34 5
knife: pill black 50 80 11 42; dome a 54 34 68 20 90; box a 50 58 12 12
spoon: line a 50 40 50 100 7; oval a 50 22 30 42; oval dark 50 22 18 30
bowl: dome a 50 62 98 60 180; oval lite 50 34 98 22; oval b 50 34 76 14; \
box dark 50 92 36 7

banana: crescent a 50 44 96 72; box brown 8 34 8 7; box brown 92 34 8 7
apple: line brown 50 28 56 10 5; oval green 66 16 24 10 -25; oval a 40 60 52 66; \
oval a 60 60 52 66; oval lite 34 48 12 18
sandwich: pill tan 50 74 92 22; box green 50 62 98 8; box a 50 54 92 10; \
box yellow 50 46 94 6; dome tan 50 30 92 30
orange: oval a 50 55 84 84; oval lite 36 40 18 14; oval dark 50 18 9 6; \
oval green 64 12 26 11 -20
broccoli: trap green 50 76 34 50 180; cloud a 30 46 46 40; cloud a 70 46 46 40; \
cloud a 50 30 60 46; cloud dark 44 36 18 12
carrot: tri green 40 10 10 28 -18; tri green 50 8 10 28; tri green 60 10 10 28 18; \
tri a 50 60 30 80 180; line dark 40 40 50 41 2; line dark 60 54 51 55 2
hot dog: pill tan 50 62 98 36; pill a 50 50 104 19; line yellow 12 48 30 53 4; \
line yellow 30 53 48 47 4; line yellow 48 47 66 53 4; line yellow 66 53 88 47 4
pizza: oval white 50 54 110 104; oval tan 50 50 96 92; oval a 50 50 82 78; \
oval red 34 34 15 14; oval red 66 36 15 14; oval red 36 66 15 14; \
oval red 62 68 15 14; oval green 50 50 9 8; line tan 12 46 88 54 3; \
line tan 54 10 46 90 3
donut: torus tan 50 54 94 88; torus a 50 48 84 74; line white 22 40 30 36 3; \
line b 70 32 76 38 3; line white 40 20 48 22 3; line b 26 60 30 66 3; \
line white 70 64 76 58 3
cake: oval white 50 86 104 20; box a 50 66 84 40; oval lite 50 46 84 24; \
box b 50 70 84 6; line b 34 42 34 22 4; line b 50 44 50 20 4; line b 66 42 66 22 4; \
oval yellow 34 18 5 8; oval yellow 50 16 5 8; oval yellow 66 18 5 8

chair: box dark 30 78 6 44; box dark 72 78 6 44; box a 28 34 8 62; \
pill a 34 28 12 46; pill a 50 60 56 10
couch: box black 16 90 6 8; box black 84 90 6 8; pill dark 50 48 92 44; \
pill a 32 66 40 24; pill a 68 66 40 24; pill a 8 66 18 40; pill a 92 66 18 40
potted plant: oval green 50 26 16 54; oval green 32 36 14 50 -35; \
oval green 68 36 14 50 35; oval green 22 52 12 36 -65; oval green 78 52 12 36 65; \
trap a 50 82 44 36 180; box dark 50 66 48 7
bed: box wood 6 54 8 78; box wood 95 70 8 46; box wood 50 84 90 8; \
pill a 52 70 88 24; pill white 22 54 28 16; pill lite 64 62 60 14
dining table: line dark 22 50 14 98 6; line dark 78 50 86 98 6; \
line dark 34 50 32 88 4; line dark 66 50 68 88 4; oval a 50 46 102 24; \
oval lite 50 43 92 16
toilet: pill a 26 34 26 52; box dark 26 16 30 6; oval grey 33 26 6 5; \
trap a 56 90 30 26; dome a 60 66 64 44 180; oval lite 60 50 66 16; \
oval dark 60 50 50 9

tv: box black 50 84 12 14; pill black 50 92 50 6; pill black 50 44 102 66; \
box a 50 44 90 54; tri lite 30 34 26 20 30
laptop: pill black 50 40 78 58; box a 50 40 68 46; trap grey 50 80 104 24; \
trap black 50 76 78 10
mouse: line black 50 30 60 2 3; oval a 50 62 50 74; line dark 50 26 50 56 3; \
oval black 50 44 7 15
remote: pill a 50 50 26 100 12; oval red 56 14 8 8; oval lite 54 32 12 12; \
box lite 51 52 16 6 12; box lite 48 64 16 6 12; box lite 46 76 16 6 12
keyboard: pill a 50 56 108 40; line lite 4 46 96 46 6; line lite 4 56 96 56 6; \
line lite 16 67 84 67 6
cell phone: pill black 50 50 52 100; box a 50 47 44 78; box lite 50 26 32 10; \
box lite 42 46 12 12; box b 58 46 12 12; box b 42 62 12 12; box lite 58 62 12 12; \
oval grey 50 93 9 7

microwave: pill a 50 56 104 66; box black 40 56 66 48; box glass 40 56 52 34; \
line steel 76 34 76 78 4; box green 90 38 14 8; oval dark 90 56 9 9; \
oval dark 90 72 9 9
oven: box a 50 54 84 92; box black 50 66 64 44; box glass 50 68 48 28; \
line steel 22 38 78 38 4; oval dark 22 20 10 10; oval dark 40 20 10 10; \
oval dark 60 20 10 10; oval dark 78 20 10 10
toaster: pill tan 36 30 26 36; pill tan 64 30 26 36; pill a 50 66 88 56; \
box black 50 42 64 5; box black 94 62 8 10; oval dark 80 80 9 9
sink: ring steel 50 22 32 44; box steel 36 36 7 36; trap a 50 76 98 40 180; \
oval lite 50 56 100 22; oval dark 50 56 80 13
refrigerator: pill a 50 50 58 102; line dark 22 36 78 36 3; line steel 30 12 30 30 4; \
line steel 30 44 30 74 4

book: box dark 54 54 62 84 -10; box white 52 51 58 80 -10; box a 48 48 60 82 -10; \
box b 46 36 36 10 -10; box lite 50 58 28 5 -10
clock: oval dark 50 50 96 96; oval lite 50 50 80 80; line black 50 50 50 20 4; \
line black 50 50 70 58 5; box black 50 16 3 7; box black 50 84 3 7; \
box black 16 50 7 3; box black 84 50 7 3; oval a 50 50 9 9
vase: line green 50 40 30 10 2; line green 50 40 50 6 2; line green 50 40 70 10 2; \
cloud b 30 10 18 18; cloud b 50 6 18 18; cloud b 70 10 18 18; trap a 50 44 26 30 180; \
oval a 50 74 54 52; line lite 30 70 70 70 4
scissors: tri steel 42 30 10 70 12; tri steel 58 30 10 70 -12; ring a 32 80 30 36 20; \
ring a 68 80 30 36 -20; oval black 50 56 6 6
teddy bear: oval a 30 12 18 18; oval a 70 12 18 18; oval a 22 58 18 32 35; \
oval a 78 58 18 32 -35; oval a 34 88 24 24; oval a 66 88 24 24; oval a 50 66 50 50; \
oval lite 50 68 28 30; oval a 50 28 46 40; oval lite 50 34 20 15; \
oval black 41 24 5 5; oval black 59 24 5 5; oval black 50 31 7 5
hair drier: pill b 46 76 14 44 8; trap a 80 34 24 26 90; oval a 42 34 62 42; \
oval dark 34 34 26 26
toothbrush: line a 4 78 66 46 7; line a 66 46 94 32 6; box white 82 30 28 13 -27
"""

# Four-legged animals are one recipe with numbers: length and girth of the body,
# legs (length, width), neck (length, width, lean from upright in degrees), head
# (length, height), ears, and what else hangs on the head, relative to its centre.
QUADRUPED = (
    "line dark {tail} {back} {tip} {low} 3; "
    "box dark {far0} {shin} {leg_width} {leg}; "
    "box dark {far1} {shin} {leg_width} {leg}; "
    "{body} a 45 {middle} {length} {girth}; "
    "box a {near0} {shin} {leg_width} {leg}; box a {near1} {shin} {leg_width} {leg}; "
    "line a {shoulder} {nape} {head_x} {head_y} {neck_width}"
)
HEADS = {
    "long": "oval a 4 2 {w} {h} 25; tri dark -6 -8 5 9; oval black 2 -1 3 3",
    "round": "oval a 2 0 {w} {h}; oval dark -7 -8 8 8; oval dark 8 -8 8 8; "
    "oval lite 8 4 9 7; oval black 4 -2 3 3; oval black 12 3 4 3",
    "pointed": "oval a 2 0 {w} {h}; tri a -5 -11 8 12; tri a 7 -11 8 12; "
    "oval black 4 -2 3 3; oval black 11 3 3 3",
    "floppy": "oval a 2 0 {w} {h}; oval lite 12 4 13 9; oval dark -5 2 8 18 10; "
    "oval black 5 -3 3 3; oval black 18 2 4 4",
    "horned": "oval a 4 2 {w} {h} 20; tri white -7 -11 5 11 -35; "
    "tri white 5 -11 5 11 25; "
    "oval lite 11 6 10 9; oval dark -9 -2 10 6 20; oval black 3 -2 3 3",
    "woolly": "oval black 5 2 {w} {h} 20; cloud a -1 -5 17 11; oval black -8 0 9 5 20",
    "knobbed": "oval a 5 2 {w} {h} 25; line dark -2 -4 -3 -13 3; "
    "line dark 3 -4 3 -13 3; "
    "oval black 3 0 3 3",
    "trunk": "line a 10 0 18 26 9; line a 18 26 14 42 6; tri white 14 14 5 16 130; "
    "oval a 2 0 {w} {h}; oval dark -9 2 20 26; oval black 8 -4 3 3",
}
# name: body outline, length, girth, legs, leg width, neck, neck width, lean, head
ANIMALS = """
cat        oval   50 24 22  6 14 12 50 pointed 22 20
dog        oval   54 24 28  7 18 13 45 floppy  24 20
horse      oval   60 27 40  7 32 14 42 long    28 14
sheep      cloud  66 42 24  6 10 14 60 woolly  22 17
cow        pill   66 36 28  8 16 17 60 horned  26 19
elephant   oval   68 50 30 14 12 24 60 trunk   30 30
bear       oval   70 42 22 14 14 24 65 round   30 26
zebra      oval   58 28 38  7 28 14 42 long    26 14
giraffe    oval   44 24 52  6 60 10 22 knobbed 22 11
"""
