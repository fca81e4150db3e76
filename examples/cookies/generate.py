"""Draw a data set of cookies on a baking tray, whole and damaged, so that the example needs no download.

Every picture depends only on (seed, class, number), so the same command writes the same bytes and a larger
set contains the smaller one. Coordinates are in half picture widths: the picture spans -1..1 both ways.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZE = 176
"""Width and height of a picture in pixels."""
CLASSES = ("normal", "anomaly")
VERSION = 1
"""Raised whenever the drawing changes, so that an older folder is drawn again."""
STAMP = ".drawn.json"

Plane = NDArray[np.float32]
"""One value a pixel, `[SIZE, SIZE]`, or a picture, `[SIZE, SIZE, 3]` in 0..1."""

ROWS, COLUMNS = (plane.astype(np.float32) for plane in np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j])


@dataclass(frozen=True, kw_only=True)
class Textures:
    """Noise drawn once and cropped at random for each picture; every plane has mean 0 and deviation 1."""

    grain: Plane
    crumb: Plane
    lumps: Plane
    folds: Plane


@dataclass(frozen=True, kw_only=True)
class Cookie:
    """One cookie's shape while it is being drawn."""

    inside: Plane
    """Signed distance to the outline, positive inside; damage lowers it."""
    dome: Plane
    """Height of the whole cookie, 0 at its outline to 1."""
    centre: tuple[float, float]
    radius: float
    outline: Callable[[Plane], Plane]
    """Radius of the outline at each angle."""

    @property
    def mask(self) -> Plane:
        """How much of each pixel the cookie covers, 0..1."""
        return _unit(self.inside * SIZE / 2 + 0.5)


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What is wrong with one cookie: planes in 0..1, zero where it is sound."""

    cracked: Plane
    """Depth of cracks; the tray shows where it is deep."""
    broken: Plane
    """Distance rule of the break: lowers `Cookie.inside`; large where nothing is missing."""
    stained: Plane
    stain: tuple[float, float, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pictures unless the folder already holds exactly them."""
    arguments = _parse_arguments(argv)
    wanted = {"version": VERSION, "seed": arguments.seed, "count": arguments.count}
    if _read_stamp(arguments.out) == wanted and _count_pictures(arguments.out) == arguments.count:
        print(f"{arguments.out} already holds these {arguments.count} pictures")
        return 0
    write_pictures(arguments.out, count=arguments.count, seed=arguments.seed)
    (arguments.out / STAMP).write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    print(f"drew {arguments.count} pictures in {arguments.out}")
    return 0


def write_pictures(out: Path, *, count: int, seed: int) -> None:
    """Draw `count` pictures, half of them damaged, into `out/normal` and `out/anomaly`; older ones go."""
    textures = _draw_textures(np.random.default_rng(seed))
    for label, name in enumerate(CLASSES):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-*.jpg"):
            old.unlink()
        for number in range((count + 1 - label) // 2):
            picture = draw(np.random.default_rng([seed, label, number]), textures, damaged=bool(label))
            picture.save(folder / f"{name}-{number:04d}.jpg", quality=90)


def draw(rng: np.random.Generator, textures: Textures, *, damaged: bool) -> Image.Image:
    """Draw one RGB picture of SIZE x SIZE pixels."""
    cookie = _shape(rng, textures)
    damage = _damage(rng, cookie, textures) if damaged else _sound()
    torn = _unit((cookie.inside - damage.broken) / 0.04) * _unit(damage.broken / -0.1 + 1)
    cookie = Cookie(
        inside=np.minimum(cookie.inside, damage.broken),
        dome=cookie.dome,
        centre=cookie.centre,
        radius=cookie.radius,
        outline=cookie.outline,
    )
    tray = _tray(rng, textures, cookie)
    surface = _surface(rng, textures, cookie, damage, torn)
    visible = (cookie.mask * (1 - _unit(damage.cracked * 3 - 1.6)))[..., None]
    picture = tray * (1 - visible) + surface * visible
    _scatter_crumbs(rng, picture, cookie)
    return _photograph(rng, textures, picture)


# --- the cookie ---------------------------------------------------------------------------------------------


def _shape(rng: np.random.Generator, textures: Textures) -> Cookie:
    radius = rng.uniform(0.56, 0.67)
    centre = (rng.uniform(-0.14, 0.14), rng.uniform(-0.14, 0.14))
    outline = _outline(rng, radius)
    down, right = ROWS - centre[0], COLUMNS - centre[1]
    edge = outline(np.arctan2(down, right))
    inside = edge - np.hypot(down, right) + 0.006 * _crop(rng, textures.crumb)
    rise = _unit(inside / (0.5 * radius))
    return Cookie(inside=inside, dome=rise * (2 - rise), centre=centre, radius=radius, outline=outline)


def _outline(rng: np.random.Generator, radius: float) -> Callable[[Plane], Plane]:
    """A round shape with a few dents: radius times one plus falling harmonics."""
    angles = np.linspace(-math.pi, math.pi, 361)
    orders = np.arange(2, 9)
    heights = rng.normal(size=7) * 0.026 / orders
    phases = rng.uniform(0, 2 * math.pi, size=7)
    radii = radius * (1 + (heights * np.cos(np.outer(angles, orders) + phases)).sum(axis=1))
    return lambda angle: np.interp(angle, angles, radii).astype(np.float32)


def _surface(
    rng: np.random.Generator, textures: Textures, cookie: Cookie, damage: Damage, torn: Plane
) -> Plane:
    lumps, crumb = _crop(rng, textures.lumps), _crop(rng, textures.crumb)
    folds = _unit(1 - np.abs(_crop(rng, textures.folds)) / rng.uniform(0.08, 0.16)) * _unit(0.5 + lumps * 0.7)
    height = cookie.dome * 0.16 + lumps * 0.008 + crumb * rng.uniform(0.0015, 0.0035)
    height -= folds * rng.uniform(0.005, 0.014) + damage.cracked * 0.05
    colour = _dough(rng, cookie, lumps, crumb)
    colour *= 1 - (folds * rng.uniform(0.05, 0.18))[..., None]
    colour += (torn * (0.06 + 0.05 * crumb))[..., None] * _float32([1, 0.95, 0.8])
    colour += (damage.stained * rng.uniform(0.75, 0.95))[..., None] * (_float32(damage.stain) - colour)
    for _ in range(rng.integers(3, 9)):
        _press_chip(rng, colour, height, cookie)
    colour *= 1 - (_unit(damage.cracked) * 0.35)[..., None]
    return _float32(colour * _light(rng, height)[..., None])


def _dough(rng: np.random.Generator, cookie: Cookie, lumps: Plane, crumb: Plane) -> Plane:
    """Golden dough that browns towards the rim and on its lumps."""
    pale = _float32([0.84, 0.66, 0.42]) * rng.uniform(0.92, 1.06) + _float32(rng.normal(0, 0.015, 3))
    brown = _float32([0.6, 0.38, 0.19]) * rng.uniform(0.9, 1.1)
    baked = _unit(rng.uniform(0.05, 0.5) * (1 - cookie.dome) ** 1.5 + rng.uniform(0.02, 0.13) * (lumps + 0.5))
    return _float32((pale + baked[..., None] * (brown - pale)) * (1 + 0.035 * crumb[..., None]))


def _press_chip(rng: np.random.Generator, colour: Plane, height: Plane, cookie: Cookie) -> None:
    """Press one chocolate chip into the surface, in place."""
    angle, reach = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 0.7)) * cookie.radius
    row, column = cookie.centre[0] + reach * math.sin(angle), cookie.centre[1] + reach * math.cos(angle)
    window = _window(row, column, 0.11)
    turn, long, short = rng.uniform(0, math.pi), rng.uniform(0.035, 0.065), rng.uniform(0.03, 0.045)
    down, right = ROWS[window] - row, COLUMNS[window] - column
    along = (down * math.sin(turn) + right * math.cos(turn)) / long
    across = (right * math.sin(turn) - down * math.cos(turn)) / short
    field = 1 - along**2 - across**2 + 0.2 * np.sin(3 * along + 2 * across)
    cover = _unit(field * 3)[..., None]
    chocolate = _float32([0.27, 0.16, 0.1]) * rng.uniform(0.75, 1.35)
    colour[window] += cover * (chocolate - colour[window])
    height[window] += 0.03 * np.sqrt(_unit(field)) - 0.01 * _unit(field + 0.5)


def _light(rng: np.random.Generator, height: Plane) -> Plane:
    """Shade a height map with one lamp from a random side."""
    towards = rng.uniform(0, 2 * math.pi)
    down, right = np.gradient(height, 2 / SIZE)
    slope = down * math.sin(towards) + right * math.cos(towards)
    return _float32(np.clip(1 - rng.uniform(0.3, 0.6) * slope, 0.35, 1.5))


# --- damage -------------------------------------------------------------------------------------------------


def _sound() -> Damage:
    nothing = np.zeros((SIZE, SIZE), np.float32)
    return Damage(cracked=nothing, broken=nothing + 9, stained=nothing, stain=(0, 0, 0))


def _damage(rng: np.random.Generator, cookie: Cookie, textures: Textures) -> Damage:
    """One kind of damage, now and then two."""
    kinds = rng.permutation(3)[: 1 + (rng.random() < 0.2)]
    cracked, broken, stained = _sound().cracked, _sound().broken, _sound().stained
    stain: tuple[float, float, float] = (0, 0, 0)
    if 0 in kinds:
        cracked = _crack(rng, cookie)
    if 1 in kinds:
        broken = _bite(rng, cookie, textures)
    if 2 in kinds:
        stained, stain = _stain(rng, cookie, textures)
    return Damage(cracked=cracked, broken=broken, stained=stained, stain=stain)


def _crack(rng: np.random.Generator, cookie: Cookie) -> Plane:
    """One or two jagged cracks from the rim inwards, some right across."""
    sheet = Image.new("L", (SIZE * 2, SIZE * 2))
    pen = ImageDraw.Draw(sheet)
    for _ in range(1 + (rng.random() < 0.25)):
        start = rng.uniform(0, 2 * math.pi)
        end = start + math.pi + rng.normal(0, 0.45)
        length = 1.08 if rng.random() < 0.45 else rng.uniform(-0.7, -0.1)
        path = _jagged(rng, _rim_point(cookie, start, 1.08), _rim_point(cookie, end, length))
        _draw_tapered(pen, path, width=rng.uniform(0.07, 0.13), taper=0.5 if length < 1 else 0.8)
    sheet = sheet.filter(ImageFilter.GaussianBlur(1.2)).resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(sheet, np.float32) / 255


def _jagged(
    rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float]
) -> NDArray[np.float64]:
    """Break a straight line up by moving midpoints sideways, five times over; `[33, 2]` as row, column."""
    points = np.array([start, end])
    sway = 0.13 * math.dist(start, end)
    for _ in range(5):
        middles = (points[:-1] + points[1:]) / 2 + rng.normal(0, sway / 2, (len(points) - 1, 2))
        merged = np.empty((len(points) + len(middles), 2))
        merged[0::2], merged[1::2] = points, middles
        points, sway = merged, sway * 0.55
    return points


def _draw_tapered(pen: ImageDraw.ImageDraw, path: NDArray[np.float64], *, width: float, taper: float) -> None:
    """Draw a path that narrows to `taper` of its width; `width` in half picture widths."""
    pixels = (path + 1) * SIZE
    widths = np.linspace(width, width * taper, len(path)) * SIZE
    for (row, column), (next_row, next_column), wide in zip(pixels[:-1], pixels[1:], widths, strict=False):
        pen.line((column, row, next_column, next_row), fill=255, width=max(2, round(wide)))


def _bite(rng: np.random.Generator, cookie: Cookie, textures: Textures) -> Plane:
    """A missing piece: a rough notch at the rim, or everything beyond a rough line."""
    angle = rng.uniform(0, 2 * math.pi)
    rough = 0.022 * _crop(rng, textures.lumps) + 0.012 * _crop(rng, textures.crumb)
    row, column = _rim_point(cookie, angle, rng.uniform(0.88, 1.05))
    if rng.random() < 0.4:
        depth = rng.uniform(0.36, 0.62) * cookie.radius
        beyond = (ROWS - row) * math.sin(angle) + (COLUMNS - column) * math.cos(angle)
        return _float32(-beyond - depth + rough)
    size, stretch = rng.uniform(0.42, 0.62) * cookie.radius, rng.uniform(0.65, 1.1)
    along = (ROWS - row) * math.sin(angle) + (COLUMNS - column) * math.cos(angle)
    across = (COLUMNS - column) * math.sin(angle) - (ROWS - row) * math.cos(angle)
    return _float32(np.hypot(along * stretch, across) - size + 1.4 * rough)


def _stain(
    rng: np.random.Generator, cookie: Cookie, textures: Textures
) -> tuple[Plane, tuple[float, float, float]]:
    """A burnt, raw or mouldy patch with a soft, uneven border."""
    stains = ((0.2, 0.12, 0.07), (0.87, 0.82, 0.72), (0.46, 0.47, 0.38))
    row, column = _rim_point(cookie, rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.75))
    size = rng.uniform(0.5, 0.72) * cookie.radius
    field = size - np.hypot(ROWS - row, (COLUMNS - column) * rng.uniform(0.7, 1.3))
    field += 0.05 * _crop(rng, textures.lumps) + 0.015 * _crop(rng, textures.crumb)
    return _unit(field / rng.uniform(0.06, 0.14)), stains[rng.integers(len(stains))]


# --- the picture around it ----------------------------------------------------------------------------------


def _tray(rng: np.random.Generator, textures: Textures, cookie: Cookie) -> Plane:
    """A dark, grainy pan with the cookie's shadow on it."""
    base = _float32([0.23, 0.235, 0.235]) * rng.uniform(0.8, 1.2)
    grain = _crop(rng, textures.grain) * rng.uniform(0.02, 0.06) + _crop(rng, textures.lumps) * 0.025
    slope = 1 + rng.uniform(-0.18, 0.18) * ROWS + rng.uniform(-0.18, 0.18) * COLUMNS + grain
    down, right = rng.integers(-7, 8, size=2)
    shadow = _unit(np.roll(cookie.inside, (down, right), axis=(0, 1)) / 0.08 + 0.9) * rng.uniform(0.3, 0.6)
    return _float32(base * (slope * (1 - shadow))[..., None])


def _scatter_crumbs(rng: np.random.Generator, picture: Plane, cookie: Cookie) -> None:
    """Drop crumbs around the cookie, whole cookies' too, so that crumbs alone give nothing away."""
    for _ in range(rng.integers(0, 9)):
        row, column = _rim_point(cookie, rng.uniform(0, 2 * math.pi), rng.uniform(1.08, 1.6))
        window = _window(row, column, 0.05)
        field = 1 - np.hypot(ROWS[window] - row, COLUMNS[window] - column) / rng.uniform(0.012, 0.026)
        colour = _float32([0.74, 0.55, 0.33]) * rng.uniform(0.7, 1.1)
        picture[window] += _unit(field * 3)[..., None] * (colour - picture[window])


def _photograph(rng: np.random.Generator, textures: Textures, picture: Plane) -> Image.Image:
    """What a camera adds: exposure, colour cast, uneven light, noise and a little blur."""
    cast = rng.uniform(0.82, 1.14) * (1 + rng.normal(0, 0.02, 3))
    slope = 1 + rng.uniform(-0.12, 0.12) * ROWS + rng.uniform(-0.12, 0.12) * COLUMNS
    exposed = picture * slope[..., None] * _float32(cast)
    exposed += (_crop(rng, textures.grain) * rng.uniform(0.004, 0.016))[..., None]
    image = Image.fromarray((np.clip(exposed, 0, 1) * 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))


# --- small parts --------------------------------------------------------------------------------------------


def _draw_textures(rng: np.random.Generator) -> Textures:
    side = SIZE * 3
    return Textures(
        grain=_noise(rng, side, blur=0.5),
        crumb=_noise(rng, side, blur=1.2),
        lumps=_noise(rng, side, blur=7),
        folds=_noise(rng, side, blur=14) + 0.35 * _noise(rng, side, blur=4),
    )


def _noise(rng: np.random.Generator, side: int, *, blur: float) -> Plane:
    """Smooth noise of mean 0 and deviation 1, `[side, side]`."""
    raw = Image.fromarray(rng.normal(size=(side, side)).astype(np.float32))
    coarse = max(1, int(blur // 3))
    small = raw.resize((side // coarse, side // coarse), Image.Resampling.BOX)
    plane = np.asarray(small, np.float32)
    levels = Image.fromarray(np.clip(plane / plane.std() * 32 + 128, 0, 255).astype(np.uint8))
    smooth = levels.filter(ImageFilter.GaussianBlur(blur / coarse))
    values = np.asarray(smooth.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    return _float32((values - values.mean()) / values.std())


def _crop(rng: np.random.Generator, texture: Plane) -> Plane:
    """A random SIZE x SIZE window of a texture, turned over at random."""
    top, left = rng.integers(0, len(texture) - SIZE, size=2)
    window = texture[top : top + SIZE, left : left + SIZE]
    return window[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]


def _rim_point(cookie: Cookie, angle: float, share: float) -> tuple[float, float]:
    """The point at `share` of the way from the centre to the rim; row, column."""
    turned = _float32((angle + math.pi) % (2 * math.pi) - math.pi)
    reach = share * float(cookie.outline(turned))
    return cookie.centre[0] + reach * math.sin(angle), cookie.centre[1] + reach * math.cos(angle)


def _window(row: float, column: float, reach: float) -> tuple[slice, slice]:
    """The pixels within `reach` of a point, as slices."""

    def span(middle: float) -> slice:
        first = int((middle - reach + 1) / 2 * SIZE)
        return slice(max(0, first), max(0, min(SIZE, first + math.ceil(reach * SIZE) + 1)))

    return span(row), span(column)


def _unit(plane: Plane) -> Plane:
    return np.clip(plane, 0, 1)


def _float32(values: ArrayLike) -> Plane:
    """Values as float32, so that nothing is computed at twice the width."""
    return np.asarray(values, np.float32)


# --- the folder ---------------------------------------------------------------------------------------------


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw cookies, whole and damaged, to train on.")
    parser.add_argument("--out", type=Path, required=True, help="folder for normal/ and anomaly/")
    parser.add_argument("--count", type=int, default=480, help="how many pictures, half of them damaged")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(argv)
    if arguments.count < 2:
        parser.error("--count must be at least 2: one picture of each class")
    return arguments


def _read_stamp(out: Path) -> object:
    """What the folder was drawn with, or None where it was not drawn to the end."""
    try:
        return json.loads((out / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _count_pictures(out: Path) -> int:
    return sum(1 for name in CLASSES for _ in (out / name).glob(f"{name}-*.jpg"))


if __name__ == "__main__":
    sys.exit(main())
