"""Take pictures out of a store: a few by their id, or the same seeds of the same prompts for every cell."""

import base64
import io
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import duckdb
from PIL import Image, ImageDraw, ImageFont

from fairsweep.errors import StoreError
from fairsweep.measure.sql import rows
from fairsweep.sources import open_pictures
from fairsweep.store import Store
from fairsweep.store.pictures import read_or_refer

_AT_ONCE = 8

# Files of pictures, each with the ids of those to read.
Located = list[tuple[str, list[str]]]


def located(connection: duckdb.DuckDBPyConnection, image_ids: Collection[str]) -> Located:
    """Return the files that hold these images, each with the ids of those that it holds."""
    if not image_ids:
        return []
    # One look at the ids of all files tells which few of them to open.
    connection.execute("create temp table if not exists picture_files as select image_id, filename from pictures")
    query = """
        select filename, list(image_id) from picture_files
        where image_id in (select unnest($ids)) group by filename"""
    return connection.execute(query, {"ids": list(image_ids)}).fetchall()


def read(store: Store, connection: duckdb.DuckDBPyConnection, image_ids: list[str]) -> dict[str, bytes]:
    """Return the encoded pictures of these images that the store has, reading no others."""
    held = _held(store, located(connection, image_ids))
    return {image_id: picture for image_id, picture in held.items() if isinstance(picture, bytes)}


def opened(store: Store, connection: duckdb.DuckDBPyConnection, image_ids: list[str]) -> dict[str, Image.Image]:
    """Return these pictures, of the store or of where they lie, in this order; what cannot be read is left out."""
    pictures = open_located(store, located(connection, image_ids))
    return {key: pictures[key] for key in image_ids if key in pictures}


def open_located(store: Store, files: Located) -> dict[str, Image.Image]:
    """Return the pictures that these files hold or refer to; what cannot be read is left out."""
    pictures = open_pictures(_held(store, files))
    return {key: picture for key, picture in pictures.items() if isinstance(picture, Image.Image)}


def _held(store: Store, files: Located) -> dict[str, bytes | str | None]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        parts = pool.map(lambda file: read_or_refer(store.place, store.place.key(file[0]), file[1]), files)
        return {image_id: picture for part in parts for image_id, picture in part.items()}


def fixed_set(
    connection: duckdb.DuckDBPyConnection, sweep: str, prompts: int, seeds: int, first: tuple[str, ...] = ()
) -> list[dict]:
    """List the images of the lowest seeds of a few prompts, alike in all cells: model, setting, ..., image_id.

    prompts, seeds: how many of each at most; first: prompt names to prefer, in this order. What the pictures
    show plays no part, so that cells compare like with like.
    """
    query = """
        with few_seeds as (select distinct seed from plan where sweep = $sweep order by seed limit $seeds),
        few_prompts as (
            select distinct prompt_name, coalesce(nullif(list_position($first, prompt_name), 0), 1e9) as place
            from plan where sweep = $sweep order by place, prompt_name limit $prompts
        )
        select model, setting, prompt_name, seed, image_id
        from plan join few_seeds using (seed) join few_prompts using (prompt_name)
        where sweep = $sweep
        order by model, setting, place, prompt_name, seed"""
    params = {"sweep": sweep, "prompts": prompts, "seeds": seeds, "first": list(first) or [""]}
    return rows(connection.sql(query, params=params))


def thumbnail(picture: bytes, size: int = 96) -> str:
    """Return an encoded picture as a data: address, at most `size` pixels wide and high."""
    webp = small(Image.open(io.BytesIO(picture)), size)
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def small(picture: Image.Image, size: int) -> bytes:
    """Return a picture as WebP, at most `size` pixels wide and high."""
    image = picture.convert("RGB")
    image.thumbnail((size, size))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82)
    return buffer.getvalue()


def grid(store: Store, connection: duckdb.DuckDBPyConnection, sweep: str, prompt: str, seeds: int = 8) -> Image.Image:
    """Return the pictures of one prompt (its name or its text): a column per seed, unguided above guided.

    Raises StoreError for a prompt that the sweep has not got.
    """
    query = """
        with shown as (
            select model, setting, seed, image_id from planned
            where sweep = $sweep and $prompt in (prompt, prompt_name)
            qualify dense_rank() over (order by seed) <= $seeds
        )
        select model, setting, list(image_id order by seed) as image_ids
        from shown left join settings using (model, setting)
        where settings.sweep = $sweep
        group by model, setting, baseline
        order by model, baseline desc, setting"""
    rows = connection.execute(query, {"sweep": sweep, "prompt": prompt, "seeds": seeds}).fetchall()
    if not rows:
        prompts = connection.execute("select distinct prompt_name from planned where sweep = ? order by all", [sweep])
        names = ", ".join(row[0] for row in prompts.fetchall()[:20])
        raise StoreError(f"sweep {sweep!r} has no prompt {prompt!r}: choose one of {names}")
    images = {key: Image.open(io.BytesIO(png)) for row in rows for key, png in read(store, connection, row[2]).items()}
    side = max((max(image.size) for image in images.values()), default=64)
    font = ImageFont.load_default(max(11, side // 6))
    labels = [f"{model}\n{setting}" for model, setting, _ in rows]
    margin = 8 + max(int(font.getlength(line)) for label in labels for line in label.split("\n")) + 8
    sheet = Image.new("RGB", (margin + (side + 4) * len(rows[0][2]), (side + 4) * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for down, (label, (_, _, image_ids)) in enumerate(zip(labels, rows, strict=True)):
        draw.multiline_text((8, down * (side + 4) + side // 2), label, "#333333", font, anchor="lm")
        for across, image_id in enumerate(image_ids):
            if image_id in images:
                sheet.paste(images[image_id], (margin + across * (side + 4), down * (side + 4)))
    return sheet
