"""An encoder that loses a row of each batch."""

from tests.encode.toys.model import Params, prepare

__all__ = ["Params", "prepare"]
VIEWS = ("image",)


def encode_image(batch, params, fitted, *, device):
    return batch.images.reshape(len(batch.images), -1)[1:].astype("float32")
