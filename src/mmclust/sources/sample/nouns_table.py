"""The sample's nouns: synsets in WordNet's manner, with definitions of our own."""

from __future__ import annotations

# Lemmas of one meaning, then what it is; from the general to the particular.
GENERAL = """
entity: that which exists by itself
physical_entity: an entity that takes up space
abstraction abstract_entity: a general idea that takes up no space
thing: a separate entity whose name does not matter
object physical_object: something that can be seen and touched
whole unit: parts that are taken as one
artifact artefact: a thing that somebody made
living_thing animate_thing: something that is alive
organism being: a living thing that acts by itself
animal animate_being beast creature fauna: a living thing that moves at will
plant flora plant_life: a living thing that grows in one place
person individual someone somebody soul: a human being
vehicle: something that carries people or goods
machine: a device that does work with moving parts
device gadget: a thing made for one purpose
appliance: a machine for the house
furniture piece_of_furniture: what makes a room fit to live in
food nutrient: what is eaten to live
snack: a little food between meals
meal repast: the food of one sitting
fruit: the ripe part of a plant that holds the seeds, often sweet
vegetable veggie: a plant part that is eaten with the main dish
tool: a thing held in the hand to do work with
utensil: a tool of the kitchen or the table
container: a thing that holds other things
clothing clothes apparel: what people wear
toy plaything: a thing for children to play with
item point: one thing of a list
group grouping: several things taken together
crowd: many people in one place
place spot: a part of space with its own use
color colour coloring: what the eye tells apart when shape and size are equal
shape form: the outline of a thing
material stuff: what a thing is made of
number figure: what counts how many
part portion component: one of the pieces of a whole
light visible_light: what makes things seen
line: a long thin mark
line: people who wait one behind the other
line: a row of words on a page
line: a wire or rope that joins two points
head: the upper part of a body, with eyes and mouth
head: somebody who leads others
head: the top of a thing
point: a place without any size
point: the sharp end of a thing
point: what counts in an argument
"""
# COCO's categories; the words of the captions are their further lemmas.
CATEGORIES = """
person: a human being
bicycle: a vehicle of two wheels that is driven by the feet
car: a motor vehicle for a few people
motorcycle: a vehicle of two wheels with a motor
airplane: a flying vehicle with fixed wings
bus: a long vehicle for many passengers
train: coupled cars that run on rails
truck: a motor vehicle that carries goods
boat: a small vessel for travel on water
traffic light: lamps in red, yellow and green that rule a crossing
fire hydrant: an upright pipe in the street that gives water against fire
stop sign: a red board with eight sides that tells drivers to stop
parking meter: a machine on a post that takes coins for parking
bench: a long seat for several people
bird: an animal with feathers and wings
cat: a small furry animal that catches mice
dog: a furry animal that barks and guards
horse: a large animal that is ridden
sheep: a woolly animal that lives in flocks
cow: a large horned animal that gives milk
elephant: a very large grey animal with a trunk
bear: a heavy furry animal with claws
zebra: an animal like a horse with black and white stripes
giraffe: an animal with a very long neck and brown spots
backpack: a bag that is carried on the back
umbrella: a round cover on a stick, against rain or sun
handbag: a small bag carried in the hand
tie: a band of cloth worn around the neck
suitcase: a flat box with a handle for travel
frisbee: a light disc thrown in play
skis: two long boards for gliding over snow
snowboard: a wide board for riding down snow
sports ball: a round thing that is kicked, hit or thrown
kite: a light frame with cloth that flies on a string
baseball bat: a club for hitting a ball
baseball glove: a padded glove for catching a ball
skateboard: a short board on four wheels
surfboard: a long board for riding waves
tennis racket: a frame with strings for hitting a ball
bottle: a vessel of glass with a narrow neck
wine glass: a stemmed glass for drinking wine
cup: a small open vessel for drinking
fork: a tool with prongs for eating
knife: a tool with a blade for cutting
spoon: a tool with a small bowl for eating
bowl: a round open dish
banana: a long curved yellow fruit
apple: a round crisp fruit
sandwich: slices of bread with something between
orange: a round juicy citrus fruit
broccoli: a green vegetable with a head like a small tree
carrot: a long orange root that is eaten
hot dog: a sausage in a long bun
pizza: a flat round baked dough with cheese and tomato
donut: a sweet fried ring of dough
cake: a sweet baked food
chair: a seat for one, with a back
couch: a soft seat for several
potted plant: a plant that grows in a pot
bed: a piece of furniture to sleep on
dining table: a table for meals
toilet: a bowl with water for bodily waste
tv: a set that shows broadcast pictures
laptop: a computer that is folded and carried
mouse: a device moved by the hand to point on a screen
remote: a device that steers another from afar
keyboard: a board of keys for typing
cell phone: a telephone for the pocket
microwave: an oven that heats by short waves
oven: a closed box for baking
toaster: a device that browns bread
sink: a basin with a drain
refrigerator: a cupboard that keeps food cold
book: printed pages bound together
clock: a device that shows the time
vase: a jar for cut flowers
scissors: two crossed blades for cutting
teddy bear: a soft toy in the shape of a bear
hair drier: a device that blows warm air on hair
toothbrush: a small brush for the teeth
"""
# What it is, then words that are each a meaning of their own.
KINDS = """
a color: red, orange, yellow, green, blue, purple, pink, brown, black, grey, white, \
violet, turquoise, crimson, beige
a place where people live or go: street, city, town, village, park, beach, field, \
meadow, farm, harbor, airport, runway, station, bridge, road, square, market, garden
a part of a house: room, kitchen, bathroom, living_room, bedroom, wall, floor, door, \
window, roof, stair, ceiling, chimney, shelf
a part of nature: sky, cloud, sea, lake, river, mountain, hill, savanna, plain, \
desert, forest, island, rock, snow, sand, grass, water, wave, waterfall
what things are made of: wood, metal, glass, stone, leather, wool, cotton, silk, \
paper, plastic, steel, iron, gold, silver, copper, rubber, clay, brick
a pattern on a surface: stripe, band, spot, speckle, check, dot
a plant: tree, bush, flower, rose, tulip, oak, pine, fern, moss, cactus, ivy, clover
a building: house, church, tower, castle, barn, hotel, hospital, school, theater, \
library, palace, lighthouse
an animal with fur: fox, wolf, lion, tiger, rabbit, squirrel, deer, goat, donkey, \
camel, monkey, kangaroo, otter, hedgehog, bat
an animal with feathers: duck, goose, swan, eagle, owl, penguin, ostrich, hen, crane
an animal that lives in water: fish, shark, whale, dolphin, crab, octopus, jellyfish
a small animal with six legs: ant, bee, butterfly, beetle, moth, cricket, fly
a part of the body: hand, foot, arm, leg, eye, ear, nose, mouth, neck, back, tail, \
wing, trunk, horn, heart, knee
something worn: shirt, trousers, skirt, hat, coat, shoe, glove, scarf, belt, cap, \
jacket, sock
something eaten: bread, cheese, egg, rice, soup, salad, meat, honey, sugar, salt, \
tomato, potato, onion, grape, cherry, lemon, pear, peach, nut
something drunk: coffee, tea, milk, juice, wine, beer, lemonade
a tool: hammer, saw, nail, screw, rope, ladder, needle, shovel, axe, nut, crane, file
something to play music on: piano, violin, guitar, drum, flute, trumpet, organ, horn
a game or sport: tennis, soccer, baseball, chess, golf, skiing, swimming, cricket
a person by trade: doctor, teacher, farmer, baker, driver, sailor, painter, judge, \
soldier, nurse, pilot, cook
a person by kin: mother, father, brother, sister, uncle, aunt, cousin
something that is felt: joy, fear, anger, love, hope, shame, pride, envy
something that is thought: idea, theory, belief, doubt, plan, reason, memory, truth
something that happens: war, party, storm, wedding, race, accident, earthquake, match
a stretch of time: hour, day, week, month, year, winter, summer, autumn, century
something that is measured: length, weight, speed, temperature, distance, volume
something one learns: mathematics, history, physics, music, grammar, logic
something of the law or the state: court, tax, vote, law, bank, crown, bill
a small part of something: bit, crumb, drop, grain, slice, leaf, page
a thing for the desk: pen, pencil, ruler, stamp, envelope, file, lamp, bill
"""
# Names keep their capitals, and their underscores.
NAMES = """
a city: Paris, London, Rome, Berlin, Tokyo, Cairo, New_York, Rio_de_Janeiro
a country: France, Italy, Japan, Egypt, Brazil, Canada, India, Kenya
a sea or an ocean: Atlantic_Ocean, Pacific_Ocean, Mediterranean_Sea, Baltic_Sea
a river: Nile, Amazon, Danube, Mississippi
a mountain: Mount_Everest, Mont_Blanc, Kilimanjaro
a heavenly body: Sun, Moon, Mars, Venus, Jupiter, Saturn
a day of the week: Monday, Tuesday, Wednesday, Saturday, Sunday
a month: January, April, July, October
a scientist: Newton, Einstein, Darwin, Curie
a painter or a composer: Rembrandt, Monet, Mozart, Bach
a breed of dog: Dalmatian, Saint_Bernard, Great_Dane, Labrador
a breed of cat or horse: Persian_cat, Arabian, Shetland_pony
a holiday: Christmas, Easter, New_Year's_Day
"""
