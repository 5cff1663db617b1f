"""The built-in world: drawn scenes with captions, in the publishers' own formats.

Read in this order: ``world`` (which categories, how often, in which colours and
places; its tables are in ``data``), ``shapes`` (how a drawing becomes polygons),
``scene`` (what stands where), ``paint`` (pixels, masks, boxes), ``captions`` (what
people would say), ``draw``, ``coco`` (COCO's pictures and files). Then the other
sources: ``pascal``, ``flickr``, ``fine_scenes`` (near copies, and captions that tell
them apart), ``fine_grained`` (the benchmarks of these), ``norms`` (and nouns); last
``pack`` and ``make``.
"""
