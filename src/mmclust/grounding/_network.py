"""One forward pass of a visual network: outputs and class-activation maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.boxes import min_max

if TYPE_CHECKING:
    import torch

    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]


class Network:
    """A run's visual network, and the maps of its latest batch.

    Parameters
    ----------
    model
        The word model.
    seed
        Which of its runs.
    device
        Where it runs.
    """

    def __init__(self, model: Model, seed: int, device: str = "cpu") -> None:
        import torch

        from mmclust.kernels.backbones import classifier, feature_layer, load

        facts = model.facts
        module = load(model.weights(seed), facts["backbone"], model.clusters)
        self._module = module.to(device)
        self._device = device
        self._side = model.size
        self._weight = classifier(module).weight.detach()
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(facts["mean"], device=device).view(shape)
        self._std = torch.tensor(facts["std"], device=device).view(shape)
        self._features: torch.Tensor | None = None
        feature_layer(module).register_forward_hook(self._keep)

    def _keep(self, _: Any, __: Any, output: torch.Tensor) -> None:
        self._features = output

    def outputs(self, pictures: Array) -> Array:
        """Run the network once; its maps are kept for :meth:`maps`.

        Parameters
        ----------
        pictures
            uint8 (b, side, side, 3).

        Returns
        -------
        numpy.ndarray
            float32 (b, C): raw outputs.
        """
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
            values = (values.float() / 255 - self._mean) / self._std
            found: Array = self._module(values).float().cpu().numpy()
        return found

    def maps(self, row: int, clusters: Array) -> tuple[Array, Array]:
        """Return activation maps of the latest batch, as sum_k w_ck A_k.

        Parameters
        ----------
        row
            Which picture of the batch.
        clusters
            int (m,).

        Returns
        -------
        small : numpy.ndarray
            float32 (m, h, w), min-max scaled to [0, 1]; there is no ReLU.
        large : numpy.ndarray
            float32 (m, side, side): the same, resized bicubically.
        """
        import torch

        assert self._features is not None
        if not len(clusters):
            none = np.zeros((0, self._side, self._side), np.float32)
            return none[:, : self._features.shape[2], : self._features.shape[3]], none
        with torch.inference_mode():
            weight = self._weight[torch.from_numpy(clusters).to(self._device)]
            mixed = torch.einsum("mk,khw->mhw", weight, self._features[row].float())
            small = min_max(mixed.cpu().numpy())
            large = torch.nn.functional.interpolate(
                torch.from_numpy(small)[:, None],
                size=(self._side, self._side),
                mode="bicubic",
                align_corners=False,
            )
        return small, large[:, 0].numpy()


def prepared(rgb: Array, side: int) -> Array:
    """Resize a picture to a square, as in training: uint8 (side, side, 3)."""
    from PIL import Image

    small = Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR)
    return np.array(small)
