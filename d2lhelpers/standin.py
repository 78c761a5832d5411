"""A stand-in for Fashion-MNIST for learners who are offline: the same ten classes of garment, drawn at random.

An outline is a few corners in a frame of 28 x 28 pixels, with x counted from the middle and y from the top. numpy
computes the corners of all garments of a class at once, Pillow fills them on one tall canvas, garment below garment,
and numpy turns the flat shapes into cloth. The classes are hard to tell apart for the reason the real ones are: shirts,
pullovers and coats share most of their proportions. No garment carries a label other than its own.
"""

from collections import namedtuple

import numpy as np
from PIL import Image, ImageDraw

from .validation import check_whole_number

STANDIN_VERSION = 1  # Part of the name of the cached file: raise it whenever the drawings change.

_SIDE = 28
_OVERSAMPLING = 3  # Drawn at 84 x 84 and averaged down, outlines get soft edges.
_BATCH = 1000  # Garments on a canvas: enough to amortise numpy's calls, few enough for the processor's cache.

# An upper-body garment: means of its seven proportions in pixels (half widths from shoulder to hem, length, width of a
# sleeve's end, depth of the neckline), then the shares of the class with long or short sleeves, buttons and so on.
_Top = namedtuple("_Top", "shoulder chest waist hem length cuff neckline long short opening buttons collar motif")
_TOP_SPREAD = (0.9, 0.9, 0.9, 1.2, 0.9, 0.6, 1.0)  # The standard deviations of the seven proportions.


class _Sheet:
    """A tall canvas with a cell for each garment of a batch, on which all the garments are painted layer by layer."""

    def __init__(self, rng, count):
        """Chooses how bright each garment is, and how it is scaled, turned and shifted in its cell."""
        self._rng, self._count = rng, count
        self._tone = 255 * rng.beta(3.0, 1.0, count)  # Mostly bright, some dark, as in Fashion-MNIST.
        scale, angle = rng.uniform(0.95, 1.04, count), rng.normal(0, 0.05, count)
        self._cos, self._sin = scale * np.cos(angle), scale * np.sin(angle)
        self._shift = rng.normal(_SIDE / 2, 0.7, (2, count))
        self._canvas = Image.new("L", (_SIDE * _OVERSAMPLING, _SIDE * _OVERSAMPLING * count))
        self._pen = ImageDraw.Draw(self._canvas)

    def normal(self, mean, deviation):
        """Draws a number for each garment, at most two deviations from the mean lest outlines turn inside out."""
        return mean + deviation * np.clip(self._rng.standard_normal(self._count), -2, 2)

    def uniform(self, low, high):
        """Draws a number between low and high for each garment."""
        return self._rng.uniform(low, high, self._count)

    def chance(self, share):
        """Picks this share of the garments at random, as a mask."""
        return self._rng.random(self._count) < share

    def fill(self, x, y, shade=1.0, where=True, smooth=False):
        """Paints one polygon on each garment that the mask `where` picks.

        The lists x and y hold the corners' coordinates in pixels, as numbers or (count,) arrays. The shade is a
        multiple of the garment's own brightness, and 0 cuts a hole; `smooth` cuts off the corners.
        """
        points = np.stack([[np.broadcast_to(value, self._count) for value in values] for values in (x, y)])
        if smooth:
            ahead = np.roll(points, -1, axis=1)
            points = np.stack([3 * points + ahead, points + 3 * ahead], axis=2).reshape(2, -1, self._count) / 4
        x, y = points[0], points[1] - _SIDE / 2
        x, y = self._cos * x - self._sin * y + self._shift[0], self._sin * x + self._cos * y + self._shift[1]
        y = np.clip(y, 0, _SIDE - 1 / _OVERSAMPLING)  # Nothing spills into the cells above and below.
        points = np.rint(np.stack([x, y + _SIDE * np.arange(self._count)]) * _OVERSAMPLING).astype(int)
        outlines = points.transpose(2, 1, 0).reshape(self._count, -1)
        tones = np.clip(self._tone * shade, 0, 255).astype(int)
        chosen = np.flatnonzero(np.broadcast_to(where, self._count))
        for outline, tone in zip(outlines[chosen].tolist(), tones[chosen].tolist(), strict=True):
            self._pen.polygon(outline, tone)

    def fill_mirrored(self, x, y, *args, **kwargs):
        """Paints one symmetric polygon on each garment, given the corners of its right half."""
        self.fill([*x, *(-value for value in reversed(x))], [*y, *reversed(y)], *args, **kwargs)

    def fill_pair(self, x, y, *args, **kwargs):
        """Paints a polygon and its mirror image on each garment."""
        self.fill(x, y, *args, **kwargs)
        self.fill([-value for value in x], y, *args, **kwargs)

    def images(self):
        """Returns what is painted so far as (count, 28, 28) uint8."""
        return np.asarray(self._canvas.reduce(_OVERSAMPLING)).reshape(self._count, _SIDE, _SIDE)


def _draw_tops(sheet, kind):
    shoulder, chest, waist, hem, length, cuff, neckline = map(sheet.normal, kind, _TOP_SPREAD)  # Not the shares.
    neck, armpit = shoulder * sheet.uniform(0.35, 0.6), sheet.normal(9, 0.7)

    choice = sheet.uniform(0, 1)
    long, sleeved = choice < kind.long, choice < kind.long + kind.short
    reach = np.where(long, sheet.normal(22.5, 1.5), sheet.normal(7.0, 1.8))
    angle = np.radians(sheet.normal(44, 3) - 1.25 * reach)  # From the vertical: the longer a sleeve, the more it hangs.
    across, down = np.sin(angle), np.cos(angle)
    outer_x, outer_y = shoulder + reach * across, 2.5 + reach * down
    inner_x, inner_y = outer_x - cuff * down, outer_y + cuff * across
    x = [shoulder - 1, shoulder + across, outer_x, inner_x, chest - 0.4]
    sheet.fill_pair(x, [1.8, 3, outer_y, inner_y, armpit], sheet.uniform(0.75, 1.05), sleeved)
    sheet.fill_mirrored([neck, shoulder, chest, waist, hem], [0.8, 2.2, armpit, 16, length])
    x = [chest - 0.3, inner_x, inner_x - sheet.uniform(0.5, 1.5)]
    sheet.fill_pair(x, [armpit, inner_y, inner_y], sheet.uniform(0, 0.5), long)  # The gap between sleeve and body.

    sheet.fill_mirrored([neck, 0.8 * neck, 0.35 * neck], [0, 0.7 * neckline, neckline], sheet.uniform(0, 0.5))
    x = [neck, neck + 0.8, 0.6 * neck, 0.4]
    sheet.fill_pair(x, [0.2, 2.4, 5, 3], sheet.uniform(0.7, 1.2), sheet.chance(kind.collar))
    sheet.fill_mirrored([0.35, 0.35], [2.5, length], sheet.uniform(0.4, 0.9), sheet.chance(kind.opening))
    shade, buttoned = sheet.uniform(0.4, 0.9), sheet.chance(kind.buttons)
    for y in range(5, 24, 4):
        sheet.fill_mirrored([0.4, 0.4], [y, y + 1], shade, buttoned)
    x, y = sheet.uniform(1.5, 4), sheet.uniform(1, 4)
    sheet.fill_mirrored([x, x], [10 - y, 10 + y], sheet.uniform(0.2, 1.5), sheet.chance(kind.motif), smooth=True)


def _draw_trousers(sheet):
    waist, crotch, length = sheet.normal(4.4, 0.5), sheet.normal(9.5, 1), sheet.normal(27.2, 0.5)
    hip, ankle, width = sheet.normal(5, 0.5), sheet.normal(5, 0.8), sheet.normal(3.2, 0.6)
    sheet.fill_pair([0, waist, hip, ankle, ankle - width, 0.3], [0.8, 0.8, 7, length, length, crotch])


def _draw_sandals(sheet):
    rise = np.maximum(sheet.normal(2.5, 4), 0)  # Of the heel; about a quarter of the sandals are flat.
    height, sole, strap = rise + sheet.normal(8, 1.5), sheet.uniform(1.2, 2.6), sheet.uniform(1, 2.8)
    ground, ankle = (_SIDE + height) / 2, sheet.normal(2, 1.5)
    top, front, back = ground - height, ground - sole, ground - rise - sole
    x = [-12, -10, -5, ankle, 12.5, 13, 4, -5]  # The upper of a shoe; its holes leave the straps.
    sheet.fill(x, [front, front - 2, front - 4, top, top, back, back, front])
    x, y = [ankle + strap, 12.5 - strap, 12.5 - strap, ankle + 2 + strap], [top + strap, top + strap, back, back]
    sheet.fill(x, y, 0, sheet.chance(0.75))
    x, end = sheet.uniform(-6, -2), sheet.uniform(-4, 3)
    sheet.fill([x, ankle - strap, end + 2, end], [front - 2, top + 2 * strap, back, front], 0, sheet.chance(0.7))
    x = sheet.uniform(-11, -8)
    sheet.fill([x, x + 1, x + 3, x + 1], [front - 3, front - 5, front, front], 0, sheet.chance(0.5))
    x, y = [-13, -13, -4, 6, 13, 13, 6, -4], [ground, front, front, back, back, back + sole, back + sole, ground]
    sheet.fill(x, y, sheet.uniform(0.5, 1.1))
    sheet.fill([8, 13, 12.5, sheet.uniform(2, 11.5)], [back, back, ground, ground], where=rise > 1)


def _draw_sneakers(sheet):
    height = sheet.normal(10.5, 2) + sheet.chance(0.2) * sheet.uniform(0, 7)  # A few are as high as boots.
    ground, tongue = (_SIDE + height) / 2, sheet.normal(2, 1.5)
    top, vamp = ground - height, ground - 0.62 * height
    x = [-13, -13, -10, -5, tongue, tongue + 3, 11, 13, 13]
    y = [ground, ground - 2.5, ground - 4.2, vamp, top, top + 1.2, top + sheet.uniform(0, 2), ground - 4, ground]
    sheet.fill(x, y, smooth=True)
    x, y = [tongue, tongue + 2.5, 11, 9, tongue + 2], [top - 0.2, top + 0.3, top + 0.4, top + 1.8, top + 2]
    sheet.fill(x, y, sheet.uniform(0, 0.8), smooth=True)
    sheet.fill_mirrored([13, 13], [ground - sheet.uniform(1, 2), ground], sheet.uniform(0.3, 1.5))
    start, shade, striped = sheet.uniform(-4, 1), sheet.uniform(0, 1.3), sheet.chance(0.5)
    for x in (start, start + 2, start + 4):
        sheet.fill([x, x + 1, x - 1, x - 2], [ground - 2, ground - 2, ground - 6, ground - 6], shade, striped)


def _draw_boots(sheet):
    height, front = sheet.normal(17, 4), sheet.normal(0, 1.2)
    ground = (_SIDE + height) / 2
    top, floor = ground - height, ground - np.clip(sheet.normal(2, 3), 0.7, 0.35 * height)  # The heel is below floor.
    x = [-12.5, -12.5, -9, front - 1, front, 11, 11.5, 12.5, 4, -3]
    y = [ground, ground - 3, ground - 5, floor - 6, top, top, floor - 5, floor, floor, ground]
    sheet.fill(x, y, smooth=True)
    x = [6, 12.3, 11.5, sheet.uniform(6.5, 10)]
    sheet.fill(x, [floor - 1, floor - 1, ground, ground], sheet.uniform(0.5, 1.1))


def _draw_bags(sheet):
    half, height, taper = sheet.normal(10.8, 2.2), sheet.normal(17, 4), sheet.normal(0, 1.2)
    handle = np.minimum(sheet.chance(0.65) * sheet.uniform(3, 12), 27 - height)
    bottom = (_SIDE + height + handle) / 2
    top, reach, thick = bottom - height, half * sheet.uniform(0.3, 0.9), sheet.uniform(0.8, 1.8)
    for inset, shade in ((0, 0.9), (thick, 0)):
        x = [0.4 * reach - 0.3 * inset, reach - inset, reach - inset]
        y = [top - handle + inset, top - handle / 2, top + 1]
        sheet.fill_mirrored(x, y, shade, handle > 1, smooth=True)
    sheet.fill_mirrored([half - taper, half, half + taper - 0.5], [top, top + height / 2, bottom])
    x, y = [half - taper, half - 0.5, half * 0.3], [top, top + height * 0.4, top + height * 0.5]
    sheet.fill_mirrored(x, y, sheet.uniform(0.7, 1.1), sheet.chance(0.4))
    y = top + 0.4 * height
    sheet.fill_mirrored([1, 1], [y, y + 2], sheet.uniform(0.2, 1.4), sheet.chance(0.5))


# The classes in the order of Fashion-MNIST's labels. The tops' numbers overlap on purpose: they were tuned until LeNet
# learned these classes about as fast, and as well, as the real ones.
_CLASSES = (
    (_draw_tops, _Top(6.4, 7.2, 7.0, 7.2, 26.8, 4.7, 3.4, 0.02, 0.86, 0.01, 0.02, 0.02, 0.45)),  # t-shirt
    (_draw_trousers,),
    (_draw_tops, _Top(6.4, 7.1, 6.9, 6.8, 25.2, 3.3, 2.2, 0.95, 0.04, 0.04, 0.02, 0.06, 0.25)),  # pullover
    (_draw_tops, _Top(4.7, 5.0, 4.6, 6.2, 27.2, 2.8, 3.0, 0.22, 0.42, 0.03, 0.06, 0.04, 0.05)),  # dress
    (_draw_tops, _Top(6.4, 7.2, 7.2, 7.7, 26.4, 3.7, 2.2, 0.98, 0.01, 0.88, 0.10, 0.55, 0.01)),  # coat
    (_draw_sandals,),
    (_draw_tops, _Top(6.2, 6.9, 6.7, 7.2, 26.9, 3.6, 2.8, 0.56, 0.28, 0.07, 0.64, 0.58, 0.07)),  # shirt
    (_draw_sneakers,),
    (_draw_bags,),
    (_draw_boots,),
)


def _weave(rng, count):
    """Weaves a cloth for each garment: folds, stripes, checks, blots and grain, as (count, 28, 28) factors near 1."""

    def each(low, high):
        return rng.uniform(low, high, (count, 1)).astype(np.float32)

    def stripes(share):
        return (rng.random((count, 1)) < share) * contrast * np.sin(each(8, 40) * grid + each(0, 2 * np.pi))

    grid = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    contrast = each(0.05, 0.35)
    rows, columns = stripes(0.25), stripes(0.15)
    folds = each(-0.15, 0.15) * grid + each(-0.2, 0) * grid**2
    blots = (rng.random((count, 1)) < 0.2) * contrast
    blots = blots[:, :, None] * rng.standard_normal((count, _SIDE // 2, _SIDE // 2), dtype=np.float32)
    cloth = 1 + rows[:, :, None] + (columns + folds)[:, None, :] + blots.repeat(2, axis=1).repeat(2, axis=2)
    return cloth + 0.04 * rng.standard_normal(cloth.shape, dtype=np.float32)


def _draw_split(rng, size):
    labels = rng.permutation(np.arange(size, dtype=np.int32) % len(_CLASSES))
    images = np.empty((size, _SIDE, _SIDE), np.uint8)
    for label, (artist, *proportions) in enumerate(_CLASSES):
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            sheet = _Sheet(rng, len(batch))
            artist(sheet, *proportions)
            images[batch] = np.clip(sheet.images() * _weave(rng, len(batch)), 0, 255)
    return images, labels


def draw(train_size=60_000, test_size=10_000, seed=0):
    """Draws a training and a test set of garments that can stand in for Fashion-MNIST.

    The classes, labelled as in Fashion-MNIST, are shuffled, and their sizes within a set differ by one at most. A seed
    gives the same images every time for the same sizes; for other sizes it gives others.

    Args:
        train_size: Number of training images, 0 or more.
        test_size: Number of test images, 0 or more. They are drawn independently of the training images.
        seed: Whole number, 0 or more, which the drawings depend on.

    Returns:
        train_images, train_labels, test_images, test_labels: images as (size, 28, 28) uint8 arrays, light garments on
        black; labels 0 to 9 as (size,) int32 arrays.

    Raises:
        ValueError: If an argument is not a whole number, or is negative.
    """
    for name, value in (("train_size", train_size), ("test_size", test_size), ("seed", seed)):
        check_whole_number(name, value, 0)
    rng = np.random.default_rng(seed)
    return *_draw_split(rng, train_size), *_draw_split(rng, test_size)
