-- Every guided image beside the unguided one of its model, prompt and seed (`other`).
-- reads: placed_images
-- one row per: sweep, image
with placed as (
    from placed_images
)
select guided.image, unguided.image as other, guided.unit, guided.cell, guided.seed
from placed as guided
join placed as unguided using (place)
where unguided.baseline and not guided.baseline
