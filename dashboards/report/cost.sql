-- What the images took.
select model, setting, images, failed, seconds, images_per_second, device_hours, seconds_per_finding, joules_per_image, energy
from cost
where sweep = $sweep
order by model, setting
