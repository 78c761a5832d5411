"""Pictures: garments, feature maps, and what a network makes of them."""

import numpy as np
from matplotlib.figure import Figure

from ..arguments import as_numpy, check_named, check_numbers, check_whole_number
from ..language import say
from .style import BLUE, GREEN, tidy

TEXT = 9.7  # points of a figure with 90 dots an inch: 9 points on a page
MAPS = 8  # that fit beside a prediction


def show_fashion_mnist(images, labels):
    """Draw images in a row, with a caption each.

    Args:
        images (NDArray | numpy.ndarray): of shape (n, 28, 28), (n, 1, 28, 28) or (n, 784), or a list of such images.
        labels (list[str]): at least n captions, for example from `get_fashion_mnist_labels`.

    Returns:
        Figure: one row of n pictures.

    Raises:
        ValueError: there are no images, an image has another shape or no caption.

    Source: `d2lzh.show_fashion_mnist`.
    """
    if not len(images) or len(images) > len(labels):
        sentence = "there are {images} images and {labels} labels; there must be one for each."
        raise ValueError(say(sentence, images=len(images), labels=len(labels)))
    figure = Figure(figsize=(1.2 * len(images), 1.5), layout="constrained")
    for ax, image, label in zip(figure.subplots(1, len(images), squeeze=False)[0], images, labels, strict=False):
        image = image.reshape((28, 28)) if image.size == 784 else image.squeeze()
        ax.imshow(check_numbers(say("an image"), image, (None, None)), cmap="gray")
        ax.set_title(label, fontsize="small")
        ax.set_axis_off()
    return figure


def plot_maps(
    rows,
    titles=(),
    *,
    backgrounds=None,
    place=(0, 1),
    cmap="viridis",
    scale="own",
    smooth=False,
    side=1.1,
    label_width=None,
    figure=None,
):
    """Draw two-dimensional arrays as small pictures, such as feature maps, filters or class maps.

    Args:
        rows (dict[str, Sequence[numpy.ndarray]]): row name → pictures of shape (height, width), which may all differ.
        titles (Sequence[str]): captions of the columns, written once at the top.
        backgrounds (dict[str, numpy.ndarray], optional): row name → a grey square picture, which is drawn first and
            then shines through every map of the row.
        place (tuple[float, float]): where the maps begin and end on their background, as shares of its side.
        cmap (str): name of matplotlib's colour map.
        scale (str): `own`, each picture uses all colours; `row`, a colour means one value in all pictures of a row;
            `symmetric`, the same with 0 in the middle of the colour map; `all`, a colour means one value everywhere.
        smooth (bool): whether to interpolate between the pixels of the pictures.
        side (float): of a picture, in inches.
        label_width (int, optional): characters to leave room for in front of a row; by default the longest name's.
            Give it where the names depend on a result: then the size of the figure does not.
        figure (Figure, optional): an earlier result with as many pictures of the same shapes, to be redrawn in place;
            of the other arguments it takes `rows`, `backgrounds` and `scale`.

    Returns:
        Figure: a grid of pictures.

    Raises:
        ValueError: an argument is not as described.
    """
    check_named("rows", rows, say("name → pictures"))
    if scale not in ("own", "row", "symmetric", "all"):
        raise ValueError(say("scale is {scale!r}; it must be 'own', 'row', 'symmetric' or 'all'.", scale=scale))
    rows = {
        name: [
            check_numbers(say("a picture in rows[{name!r}]", name=name), picture, (None, None)) for picture in pictures
        ]
        for name, pictures in rows.items()
    }
    for name, pictures in rows.items():
        if not pictures or backgrounds and name not in backgrounds:
            missing = say("background") if pictures else say("pictures")
            raise ValueError(say("rows[{name!r}] has no {missing}.", name=name, missing=missing))
    backgrounds = {name: as_numpy(background) for name, background in (backgrounds or {}).items()}
    columns = max(map(len, rows.values())) + bool(backgrounds)
    if figure is None:
        label_width = label_width or max(len(line) for name in rows for line in name.split("\n"))
        size = (side * columns + 0.08 * label_width + 0.2, (side + 0.05) * len(rows) + 0.3)
        figure = Figure(size, dpi=90, layout="constrained")
        style = {"cmap": cmap, "interpolation": "bilinear" if smooth else None}
        if backgrounds:
            low, high = place
            style |= {"extent": (low, high, 1 - high, 1 - low), "alpha": 0.6}
        for axes, pictures in zip(figure.subplots(len(rows), columns, squeeze=False), rows.values(), strict=True):
            for i, ax in enumerate(axes):
                if backgrounds:
                    if i <= len(pictures):
                        ax.imshow(np.zeros((1, 1)), cmap="gray", extent=(0, 1, 0, 1))
                    ax.set(xlim=(0, 1), ylim=(0, 1))
                if bool(backgrounds) <= i < len(pictures) + bool(backgrounds):
                    ax.imshow(pictures[i - bool(backgrounds)], **style)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
        for ax, title in zip(figure.axes, titles, strict=False):
            ax.set_title(title, fontsize=TEXT)
    everything = np.concatenate([np.ravel(picture) for pictures in rows.values() for picture in pictures])
    for row, (name, pictures) in enumerate(rows.items()):
        axes = figure.axes[row * columns : (row + 1) * columns]
        values = everything if scale == "all" else np.concatenate([np.ravel(picture) for picture in pictures])
        limits = {"symmetric": (-abs(values).max(), abs(values).max())}
        limits |= dict.fromkeys(("row", "all"), (values.min(), values.max()))
        if backgrounds:
            for ax in axes[: len(pictures) + 1]:
                ax.images[0].set(data=backgrounds[name], clim=(np.min(backgrounds[name]), np.max(backgrounds[name])))
        for ax, picture in zip(axes[bool(backgrounds) :], pictures, strict=False):
            clim = limits.get(scale) or (np.min(picture), np.max(picture))
            ax.images[-1].set(data=picture, clim=clim)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=TEXT)
    return figure


def plot_prediction(picture, probabilities, label, names, maps=None, *, figure=None):
    """Draw a picture, what a network makes of it, and maps from inside the network.

    Args:
        picture (numpy.ndarray): of shape (height, width).
        probabilities (numpy.ndarray): one for each class.
        label (int): the true class.
        names (Sequence[str]): of the classes.
        maps (dict[str, numpy.ndarray], optional): title → map of shape (height, width), at most eight.
        figure (Figure, optional): an earlier result with as many maps, to be redrawn in place.

    Returns:
        Figure: the picture, a bar for each class (the true one is green, and marked), and the maps.

    Raises:
        ValueError: an argument has another shape, or the label is none of the classes.
    """
    picture = check_numbers("picture", picture, (None, None))
    probabilities = check_numbers("probabilities", probabilities, (len(names),))
    check_whole_number("label", label, 0, len(names) - 1)
    maps = maps or {}
    if len(maps) > MAPS:
        raise ValueError(say("maps has {count} maps; it must have at most {most}.", count=len(maps), most=MAPS))
    maps = {title: check_numbers(f"maps[{title!r}]", values, (None, None)) for title, values in maps.items()}
    if figure is None:
        figure = Figure(figsize=(9 if maps else 5.4, 2.7), dpi=90, layout="constrained")
        columns = -(-len(maps) // 2)
        grid = figure.add_gridspec(2, 5 + columns)
        image, bars = figure.add_subplot(grid[:, :2]), figure.add_subplot(grid[:, 2:5])
        image.imshow(picture, cmap="gray")
        bars.barh(range(len(names)), probabilities)
        tidy(bars, title="probability")
        bars.set_xlim(0, 1)
        bars.invert_yaxis()
        for i, values in enumerate(maps.values()):
            figure.add_subplot(grid[i // columns, 5 + i % columns]).imshow(values, extent=(0, 1, 0, 1))
        for ax in (image, *figure.axes[2:]):
            ax.set_axis_off()
    image, bars, *axes = figure.axes
    for ax, (title, values) in zip((image, *axes), {"": picture, **maps}.items(), strict=True):
        ax.images[0].set(data=values, clim=(np.min(values), np.max(values)))
        ax.set_title(title, fontsize=TEXT)
    guess = int(np.argmax(probabilities))
    image.set_title(names[guess] if guess == label else f"{names[guess]}?\nNo: {names[label]}", fontsize="medium")
    for i, (bar, probability) in enumerate(zip(bars.patches, probabilities, strict=True)):
        bar.set(width=probability, color=GREEN if i == label else BLUE)
    bars.set_yticks(range(len(names)), [f"▸ {name}" if i == label else name for i, name in enumerate(names)])
    return figure
