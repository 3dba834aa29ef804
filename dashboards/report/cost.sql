-- What the images took; nothing of those that were made elsewhere.
select model, setting, images, failed, seconds, images_per_second, device_hours, seconds_per_finding, joules_per_image, energy
from cost
where sweep = $sweep and images + failed > 0
order by model, setting
