"""Turn denoised latents into pictures, in as little of the card's memory at once as there is."""

import torch
from PIL import Image

from fairsweep.errors import first_line
from fairsweep.families.base import Family
from fairsweep.memory import is_out_of_memory

_SLICED_PIXELS = 512 * 512
_LEAST_TILE = 32  # latent pixels a side: below, a tile is hardly more than its seams


class Decoder:
    """A pipeline's autoencoder, its decoding half: latents in, pictures out.

    height, width: of the pictures. Out of memory it decodes one picture at a time, then each in ever smaller tiles;
    what worked stays. Tiles overlap and are blended, so that their pictures differ from those decoded whole.
    """

    def __init__(self, pipe, family: Family, height: int, width: int):
        self._pipe, self._family, self._size = pipe, family, (height, width)
        self._tile: int | None = None
        vae = pipe.vae
        if family.upcasts and vae.dtype == torch.float16 and vae.config.force_upcast:
            # For good: there and back costs a pass over all weights per batch, and an error between leaves a mixture.
            vae.to(torch.float32)
        self._sliced = pipe._execution_device.type != "cpu" and height * width >= _SLICED_PIXELS
        if self._sliced:
            # Large pictures come one at a time, so that memory does not grow with the batch.
            vae.enable_slicing()

    @property
    def way(self) -> str:
        """Return how pictures are decoded now, in words."""
        if self._tile:
            return f"tiles of {self._tile} latent pixels"
        return "one at a time" if self._sliced else "whole batches"

    def decode(self, latents: torch.Tensor) -> list[Image.Image]:
        """Return the pictures of a batch of latents, as the pipeline's denoiser left them."""
        while True:
            try:
                return self._decode(latents)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                failure = torch.OutOfMemoryError(first_line(error))
            # Outside the except block, where the failed call's tensors are no longer referenced by its traceback.
            if not self._narrow():
                raise failure
            if self._pipe._execution_device.type == "cuda":
                torch.cuda.empty_cache()

    def _decode(self, latents: torch.Tensor) -> list[Image.Image]:
        vae = self._pipe.vae
        pixels = vae.decode(self._family.unscaled(self._pipe, latents.to(vae.dtype), *self._size), return_dict=False)[0]
        if getattr(self._pipe, "watermark", None) is not None:
            pixels = self._pipe.watermark.apply_watermark(pixels)
        # On the device: a byte per value crosses to the host, and the CPU has nothing left to compute.
        if pixels.dim() == 5:
            pixels = pixels[:, :, 0]  # an autoencoder of video: a picture is its first frame
        levels = (pixels * 0.5 + 0.5).clamp(0, 1).float().mul(255).round().to(torch.uint8)
        return [Image.fromarray(picture) for picture in levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()]

    def _narrow(self) -> bool:
        """Take the next way that needs less memory; tell whether there is one."""
        vae = self._pipe.vae
        if not self._sliced:
            self._sliced = True
            vae.enable_slicing()
            return True
        if not hasattr(vae, "tile_latent_min_size"):
            return False
        scale = 2 ** (len(vae.config.block_out_channels) - 1)
        tile = (self._tile or max(self._size) // scale) // 2
        if tile < _LEAST_TILE:
            return False
        self._tile = tile
        vae.tile_latent_min_size, vae.tile_sample_min_size = tile, tile * scale
        vae.enable_tiling()
        return True
