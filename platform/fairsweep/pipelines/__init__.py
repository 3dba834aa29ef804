"""Loading diffusers pipelines, and making images with them."""


def load(model, device=None, edits=False):
    """Load the pipeline of a ModelSpec onto a device; see `fairsweep.pipelines.loading.load_pipeline`."""
    from fairsweep.pipelines.loading import load_pipeline

    return load_pipeline(model, device, edits)
