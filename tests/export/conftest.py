from tests.benchmarks.conftest import coco

__all__ = ["coco"]
