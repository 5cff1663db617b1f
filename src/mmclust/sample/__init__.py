"""The built-in world: drawn scenes with captions, in the publishers' own formats.

Read in this order: ``world`` (which categories, how often, in which colours and
places; its tables are in ``data``; what people would say), ``scene`` (how a drawing
becomes polygons, and what stands where), ``draw`` (pixels, masks, boxes), ``coco``
(COCO's pictures and files, Pascal Sentences'). Then the other sources: ``fine_grained``
(near copies, and captions that tell them apart; Flickr30K), ``norms`` (and nouns); last
``make``.
"""
