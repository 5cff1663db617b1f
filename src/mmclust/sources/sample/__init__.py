"""The built-in world: drawn scenes with captions, in the publishers' own formats.

Read in this order: ``world`` (which categories, how often, in which colours and
places), ``recipes`` (what each looks like), ``shapes`` (how a recipe becomes
polygons), ``scene`` (what stands where), ``paint`` (pixels, masks, boxes),
``words`` and ``captions`` (what people would say), ``plan`` and ``coco`` (COCO 2017's
pictures and files), ``draw``. Then the other sources: ``pascal``, ``flickr``, ``fine``
and ``finer`` (near copies, and captions that tell them apart), ``enlarged`` and
``fine_grained`` (the benchmarks' plan and files), ``nouns``; last ``pack`` and
``make``.
"""
