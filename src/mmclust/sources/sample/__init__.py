"""The built-in world: drawn scenes with captions, in the publishers' own formats.

Read in this order: ``world`` (which categories, how often, in which colours and
places), ``recipes`` (what each looks like), ``shapes`` (how a recipe becomes
polygons), ``scene`` (what stands where), ``paint`` (pixels, masks, boxes),
``words`` and ``captions`` (what people would say), ``coco`` (the files), ``make``.
"""
