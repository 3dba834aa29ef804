"""Semantic Guidance written plainly from its formula: one image, one text, one forward at a time."""

import torch


def sega(concepts, unconditional, edit, step, momentum):
    """Return the edit and the new momentum of one image; concepts, unconditional: [channels, height, width].

    The formula of arXiv 2301.12247 as diffusers' SemanticStableDiffusionPipeline reads it.
    """
    total, partial, live = torch.zeros_like(unconditional), torch.zeros_like(unconditional), 0.0
    warm = [step >= concept.warmup_steps for concept in edit.concepts]
    for output, concept, is_warm in zip(concepts, edit.concepts, warm, strict=True):
        if concept.cooldown_steps is not None and step >= concept.cooldown_steps:
            continue
        sign = -1 if concept.reverse else 1
        guidance = sign * concept.scale * (output - unconditional)
        for channel in guidance:
            channel[channel.abs() < torch.quantile(channel.abs(), concept.threshold)] = 0
        total += concept.weight * guidance
        if is_warm:
            partial += concept.weight * guidance
            live += concept.weight
    total = total + edit.momentum_scale * momentum
    momentum = edit.momentum_beta * momentum + (1 - edit.momentum_beta) * total
    if all(warm):
        return total, momentum
    return (partial / live if live else partial), momentum


@torch.no_grad()
def generate(pipe, kind, prompt, seed, edit, steps, scale, negative_prompt=None, picture=None, strength=1.0, skip=None):
    """Return one image's latents by classifier-free guidance (none where scale is None) plus the edit.

    picture: where image to image starts, `strength` of the way up. skip: SD3's skip-layer guidance as
    (layers, scale, the steps between which it acts, both exclusive).
    """
    embed = EMBED[kind]
    conditional, unconditional = embed(pipe, prompt), embed(pipe, negative_prompt)
    texts = [embed(pipe, concept.text) for concept in edit.concepts]
    latents, inputs, layout = START[kind](pipe, torch.Generator().manual_seed(seed), steps)
    times, momentum, begun = pipe.scheduler.timesteps, 0.0, 0
    bounds = {bound for concept in edit.concepts for bound in (concept.warmup_steps, concept.cooldown_steps)}
    if picture is not None:
        latents, times = start_picture(pipe, torch.Generator().manual_seed(seed), picture, times, strength)
    for step, t in enumerate(times):
        scaled = latents if kind in ("sd3", "flux") else pipe.scheduler.scale_model_input(latents, t)

        def predict(text, scaled=scaled, t=t, **options):
            return PREDICT[kind](pipe, scaled, t, text, inputs, **options)

        plain, base = predict(conditional), predict(unconditional)
        begun = step if step in bounds else begun
        if (step - begun) % edit.concepts_every == 0:
            concepts, beside = [layout(predict(text)) for text in texts], layout(base)
        added, momentum = sega(concepts, beside, edit, step, momentum)
        guided = plain if scale is None else base + scale * (plain - base)
        if skip is not None:
            layers, amount, after, before = skip
            guided = guided + amount * (plain - predict(conditional, skip_layers=layers)) * (after < step < before)
        guided = guided + (pack(added) if kind == "flux" else added[None])
        latents = pipe.scheduler.step(guided, t, latents, return_dict=False)[0]
    return latents


def embed_sd(pipe, text):
    return pipe.encode_prompt(text or "", "cpu", 1, False)[:1]


def embed_xl(pipe, text):
    # The unconditional input of SDXL is zeros.
    embeds, _, pooled, _ = pipe.encode_prompt(text or "", do_classifier_free_guidance=False)
    return (embeds, pooled) if text else (torch.zeros_like(embeds), torch.zeros_like(pooled))


def embed_3(pipe, text):
    embeds, _, pooled, _ = pipe.encode_prompt(
        text or "", None, None, do_classifier_free_guidance=False, max_sequence_length=32
    )
    return embeds, pooled


def embed_flux(pipe, text):
    return pipe.encode_prompt(text or "", None, max_sequence_length=32)


def start_latents(pipe, generator, steps):
    pipe.scheduler.set_timesteps(steps)
    config = (pipe.unet if hasattr(pipe, "unet") else pipe.transformer).config
    shape = (1, config.in_channels, config.sample_size, config.sample_size)
    noise = torch.randn(shape, generator=generator, dtype=pipe.dtype) * getattr(pipe.scheduler, "init_noise_sigma", 1.0)
    return noise, torch.tensor([[32.0, 32, 0, 0, 32, 32]]), lambda output: output[0]


def start_picture(pipe, generator, picture, times, strength):
    times = times[len(times) - int(len(times) * strength) :]
    encoded = pipe.vae.encode(pipe.image_processor.preprocess(picture)).latent_dist.sample(generator)
    latents = encoded * pipe.vae.config.scaling_factor
    return pipe.scheduler.add_noise(latents, torch.randn(latents.shape, generator=generator), times[:1]), times


def start_flux(pipe, generator, steps):
    import numpy as np
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    noise = torch.randn(1, 4, 8, 8, generator=generator)
    mu = calculate_shift(16)
    pipe.scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    ids = pipe._prepare_latent_image_ids(1, 4, 4, torch.device("cpu"), torch.float32)
    return pack(noise[0]), ids, lambda output: unpack(output[0])


def pack(latents):
    """[channels, 8, 8] -> [1, 16, channels * 4]."""
    return latents.view(1, -1, 4, 2, 4, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 16, -1)


def unpack(packed):
    """[16, channels * 4] -> [channels, 8, 8]."""
    return packed.view(4, 4, -1, 2, 2).permute(2, 0, 3, 1, 4).reshape(-1, 8, 8)


def predict_sd(pipe, latents, t, text, _):
    return pipe.unet(latents, t, encoder_hidden_states=text[0]).sample


def predict_xl(pipe, latents, t, text, time_ids):
    added = {"text_embeds": text[1], "time_ids": time_ids}
    return pipe.unet(latents, t, encoder_hidden_states=text[0], added_cond_kwargs=added).sample


def predict_3(pipe, latents, t, text, _, **options):
    return pipe.transformer(
        latents, timestep=t.expand(1), encoder_hidden_states=text[0], pooled_projections=text[1], **options
    ).sample


def predict_flux(pipe, latents, t, text, image_ids):
    guidance = torch.full([1], 3.5) if pipe.transformer.config.guidance_embeds else None
    return pipe.transformer(
        latents,
        timestep=t.expand(1) / 1000,
        guidance=guidance,
        encoder_hidden_states=text[0],
        pooled_projections=text[1],
        txt_ids=text[2],
        img_ids=image_ids,
    ).sample


EMBED = {"sd": embed_sd, "sdxl": embed_xl, "sd3": embed_3, "flux": embed_flux}
START = {"sd": start_latents, "sdxl": start_latents, "sd3": start_latents, "flux": start_flux}
PREDICT = {"sd": predict_sd, "sdxl": predict_xl, "sd3": predict_3, "flux": predict_flux}
