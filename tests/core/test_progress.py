"""What is said of long work."""

from mmclust.core.progress import pace


def test_pace_counts_from_the_start():
    """Of 1,200, two shards of 256 at once after 40 s: 12.8 a second, 54 s to go."""
    assert pace(512, 1200, 40, "images") == "13 images/s, 0:00:54 left"
    assert pace(5, 10, 100, "images") == "0.05 images/s, 0:01:40 left"
    assert pace(50_000, 90_000, 2, "rows") == "25,000 rows/s, 0:00:02 left"
    assert pace(0, 10, 1, "images") == pace(1, 10, 0, "images") == "images"
