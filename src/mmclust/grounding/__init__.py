"""What a visual encoder trained on words found: classes, boxes, heat maps."""
