"""Charts show the numbers that they are given."""

import io

import d2lhelpers as d2l
import mxnet as mx
import numpy as np
import pytest
from d2lhelpers.drawing import style
from d2lhelpers.drawing.style import PALETTE
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from matplotlib_inline.config import InlineBackend
from mxnet import nd
from traitlets.config import Config


def lengths(ax):
    return [patch.get_width() for patch in ax.patches]


def notes(ax):
    return [text.get_text() for text in ax.texts]


def test_plain_bars():
    figure = d2l.plot_bars({"parameters": {"a": 1_000, "b": 3_000}, "MACs": {"a": 5, "b": 5}})
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("parameters", "MACs")
    assert lengths(left) == [1_000, 3_000]
    assert notes(left) == ["1.0 k", "3.0 k"]
    assert notes(d2l.plot_bars({"x": {"a": 832, "b": 0.25, "c": 0}}).axes[0]) == ["832", "0.25", "0"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b"]
    assert not figure.legends


DRAW = {
    "show_fashion_mnist": lambda values: d2l.show_fashion_mnist(values, "abc"),
    "plot_maps": lambda values: d2l.plot_maps({"a": values}, backgrounds={"a": values[0]}),
    "plot_prediction": lambda values: d2l.plot_prediction(values[0], values[0][0], 1, "abcd", {"map": values[1]}),
    "plot_batch_norm": d2l.plot_batch_norm,
    "plot_distributions": lambda values: d2l.plot_distributions({"a": {"b": values}}),
    "plot_by_layer": lambda values: d2l.plot_by_layer({"a": {"b": values[0][0]}}),
    "plot_lines": lambda values: d2l.plot_lines({"x": {"a": values[0][:2]}}, "y"),
    "plot_confusion": lambda values: d2l.plot_confusion(values[0], "abcd"),
}


@pytest.mark.parametrize("convert", [nd.array, mx.np.array], ids=["mx.nd", "mx.np"])
@pytest.mark.parametrize("name", DRAW)
def test_arrays_of_mxnet_are_drawn_like_those_of_numpy(name, convert):
    values = np.arange(48, dtype=np.float32).reshape(3, 4, 4)
    drawn = []
    for given in (values, convert(values)):
        DRAW[name](given).savefig(picture := io.BytesIO(), format="png", dpi=20)
        drawn.append(picture.getvalue())
    assert drawn[0] == drawn[1]


def test_shares_and_common_scale():
    figure = d2l.plot_bars({"x": {"a": 1, "b": 3}, "y": {"a": 10, "b": 30}}, shares=True, same_scale=True)
    assert notes(figure.axes[0]) == notes(figure.axes[1]) == ["25.0%", "75.0%"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[0].get_xlim()[1] > 30


def test_stacked_bars():
    figure = d2l.plot_bars({"MACs": {"lean": {"p": 1, "q": 2}, "naive": {"p": 3, "q": 4}}})
    (ax,) = figure.axes
    assert [(patch.get_x(), patch.get_width()) for patch in ax.patches] == [(0, 1), (0, 3), (1, 2), (3, 4)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["p", "q"]


def test_more_parts_than_colours():
    (ax,) = d2l.plot_bars({"MACs": {"net": dict.fromkeys("abcdefgh", 1)}}).axes
    assert lengths(ax) == [1] * 8


@pytest.mark.parametrize("other", [{"p": 1}, {"p": 1, "q": 2, "r": 3}, 3])
def test_bars_of_different_parts(other):
    bars = {"lean": {"p": 1, "q": 2}, "naive": other}
    for panels in ({"MACs": bars}, {"MACs": {"lean": bars["lean"]}, "bytes": {"lean": other}}):
        with pytest.raises(ValueError, match="panels has .*, but p, q in .*; they must be the same"):
            d2l.plot_bars(panels)


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """An IPython that nobody has chosen anything in."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InlineBackend.clear_instance()
    yield InteractiveShell()
    InlineBackend.clear_instance()


def config(shell, **options):
    InlineBackend.instance(parent=shell, shell=shell).update_config(Config(InlineBackend=options))


@pytest.mark.parametrize(
    ("choose", "kind", "sharp"),
    [
        (lambda shell: None, "image/png", True),
        (lambda shell: select_figure_formats(shell, "png"), "image/png", True),  # as every inline kernel does
        (lambda shell: select_figure_formats(shell, "svg"), "image/svg+xml", False),
        (lambda shell: config(shell, figure_formats={"svg"}), "image/svg+xml", False),
        (lambda shell: config(shell, figure_formats={"png"}), "image/png", False),
    ],
)
def test_a_notebook_shows_figures_sharply_unless_something_else_was_chosen(shell, choose, kind, sharp):
    choose(shell)
    style._sharpen(shell)
    data, metadata = shell.display_formatter.format(d2l.plot_bars({"x": {"a": 1}}))
    assert set(data) == {"text/plain", kind}
    assert ("width" in metadata.get(kind, {})) == sharp


def pixels(figure):
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def batch(size, scale):
    return np.random.default_rng(0).normal(size=size) * scale


MAPS = np.random.default_rng(0).normal(size=(2, 4, 3, 3))


@pytest.mark.parametrize(
    ("chart", "first", "second"),
    [
        (d2l.plot_batch_norm, (batch(64, 1), 1, 0), (batch(16, 5), 2, -1)),
        (d2l.plot_bars, [{"a": {"x": 1, "y": 2}}], [{"a": {"x": 3, "y": 0}}]),
        (d2l.plot_bars, [{"a": {"x": {"p": 1, "q": 2}}}], [{"a": {"x": {"p": 3, "q": 5}}}]),
        (d2l.plot_maps, [{"a": MAPS[0], "b": MAPS[1]}], [{"a": MAPS[1], "b": MAPS[0] * 2}]),
        (d2l.plot_maps, [{"a": MAPS[0]}, (), {"a": MAPS[0, 0]}], [{"a": MAPS[1]}, (), {"a": MAPS[1, 1]}]),
        (
            d2l.plot_prediction,
            (MAPS[0, 0], np.array([0.2, 0.8]), 1, ("bag", "coat"), dict(zip("abcd", MAPS[0], strict=True))),
            (MAPS[0, 1], np.array([0.7, 0.3]), 1, ("bag", "coat"), dict(zip("efgh", MAPS[1], strict=True))),
        ),
    ],
)
def test_redrawing_in_place_gives_the_same_picture_as_drawing_anew(chart, first, second):
    def draw(arguments, figure=None):
        names = {"backgrounds": arguments[2]} if chart is d2l.plot_maps and len(arguments) > 2 else {}
        return chart(*arguments[:2] if names else arguments, **names, figure=figure)

    figure = draw(first)
    before = pixels(figure)
    assert draw(second, figure) is figure
    assert pixels(figure) == pixels(draw(second)) != before


def test_batch_norm_histograms():
    values = np.random.default_rng(0).normal(3, 2, size=500)
    before, normalised, after = d2l.plot_batch_norm(values, gamma=0.5, beta=-1).axes
    assert sum(bar.get_height() for bar in before.patches) == 500
    assert before.get_title() == f"before\nmean {values.mean():.2f}, std {values.std():.2f}"
    assert normalised.get_title() == "normalised\nmean 0.00, std 1.00"
    assert after.get_title() == "γ = 0.5, β = −1\nmean −1.00, std 0.50"
    assert [ax.texts[:] for ax in (before, normalised, after)] == [[], [], []]


def test_the_least_and_the_greatest_value_are_in_the_middle_of_their_bars():
    values = np.array([2.0, -1, 1.5, 1])
    for ax in d2l.plot_batch_norm(values, gamma=2, mark=0).axes:
        first, last = (ax.patches[i].get_x() + ax.patches[i].get_width() / 2 for i in (0, -1))
        assert last == pytest.approx(ax.lines[1].get_xdata()[0])
        assert (first - ax.lines[0].get_xdata()[0]) / (last - ax.lines[0].get_xdata()[0]) == pytest.approx(
            (values.min() - values.mean()) / (values.max() - values.mean())
        )


def test_a_marked_value_moves_with_its_batch():
    def places(figure):
        return [ax.lines[1].get_xdata()[0] for ax in figure.axes]

    figure = d2l.plot_batch_norm(np.array([2.0, 0, 1, 1]), gamma=3, beta=1, mark=0)
    assert places(figure) == pytest.approx([2, 2**0.5, 1 + 3 * 2**0.5], rel=1e-3)
    d2l.plot_batch_norm(np.array([5.0, 0]), mark=0, figure=figure)
    assert places(figure) == pytest.approx([5, 1, 1], rel=1e-3)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 2]


def test_a_sweep_shows_every_run_and_their_mean():
    panel = {"plain": {0.1: [1, 100]}, "normed": {1: [2], 0.1: [4, 9]}}
    (ax,) = d2l.plot_sweep({"both": panel}, "rate", log=True, colours=(1, 0)).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1", "1"]
    assert ax.get_yscale() == "log"
    runs, mean, other, line = ax.lines
    assert (list(runs.get_ydata()), list(other.get_ydata())) == ([1, 100], [2, 4, 9])
    assert (list(mean.get_ydata()), list(line.get_ydata())) == (pytest.approx([10]), pytest.approx([2, 6]))
    assert np.round(other.get_xdata()).tolist() == [1, 0, 0]
    assert len(ax.figure.legends) == 1
    assert mean.get_color() == runs.get_color() == PALETTE[1] != other.get_color()


def test_a_single_line_stands_above_its_settings_and_needs_no_legend():
    figure = d2l.plot_sweep({"": {"batch norm": {2: [1, 3], 8: [2]}}}, "batch size", colours=(1,))
    runs, mean = figure.axes[0].lines
    assert (list(runs.get_xdata()), list(mean.get_xdata())) == ([0, 0, 1], [0, 1])
    assert not figure.legends


def test_prediction_says_whether_it_is_right():
    right, wrong = (d2l.plot_prediction(MAPS[0, 0], np.array(p), 0, ("bag", "coat")) for p in ([0.9, 0.1], [0.1, 0.9]))
    assert right.axes[0].get_title() == "bag"
    assert wrong.axes[0].get_title() == "coat?\nNo: bag"
    assert [bar.get_width() for bar in wrong.axes[1].patches] == [0.1, 0.9]
    assert [label.get_text() for label in wrong.axes[1].get_yticklabels()] == ["▸ bag", "coat"]


def test_confusion():
    figure = d2l.plot_confusion(np.array([[8, 2], [0, 5]]), ("bag", "coat"))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0, 0.2], [0, 0]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["8", "2", "", "5"]


def test_maps():
    rows = {"four": np.arange(16.0).reshape(4, 2, 2), "two": np.zeros((2, 5, 3))}
    figure = d2l.plot_maps(rows, ("a", "b"), scale="row")
    assert len(figure.axes) == 8
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert figure.axes[1].images[0].get_clim() == (0, 15)
    assert figure.axes[1].get_title() == "b"
    assert figure.axes[4].get_ylabel() == "two"


def test_maps_on_one_scale_and_smooth():
    figure = d2l.plot_maps({"low": np.zeros((1, 2, 2)), "high": np.full((1, 2, 2), 7.0)}, scale="all", smooth=True)
    assert [ax.images[0].get_clim() for ax in figure.axes] == [(0, 7)] * 2
    assert [ax.images[0].get_interpolation() for ax in figure.axes] == ["bilinear"] * 2


def test_maps_have_a_size_that_names_may_not_change():
    sizes = {
        tuple(d2l.plot_maps({name: np.zeros((2, 5, 5))}, label_width=20).get_size_inches())
        for name in ("bag", "ankle boot")
    }
    assert len(sizes) == 1


def test_maps_with_zero_in_the_middle():
    figure = d2l.plot_maps({"filters": np.array([[[-1, 3]], [[0, 2]]])}, scale="symmetric")
    assert [ax.images[0].get_clim() for ax in figure.axes] == [(-3, 3), (-3, 3)]


def test_maps_over_a_picture():
    picture = np.zeros((28, 28))
    figure = d2l.plot_maps({"shirt": np.ones((3, 5, 5))}, backgrounds={"shirt": picture}, place=(0.1, 0.8))
    assert [len(ax.images) for ax in figure.axes] == [1, 2, 2, 2]
    assert all(ax.images[0].get_array().shape == (28, 28) for ax in figure.axes)
    np.testing.assert_allclose(figure.axes[1].images[1].get_extent(), (0.1, 0.8, 0.2, 0.9))


def test_lines_by_layer():
    figure = d2l.plot_by_layer({"activations": {"He": [1, 2, 3]}, "gradients": {"He": [4, 5, 6]}})
    assert [ax.get_title() for ax in figure.axes] == ["activations", "gradients"]
    assert list(figure.axes[1].lines[0].get_ydata()) == [4, 5, 6]
    assert figure.axes[0].get_yscale() == "log"


def test_lines_carry_their_names_and_no_name_covers_another():
    lines = {"LeNet": ([1, 2, 3], [0.1, 0.8, 0.9]), "VGG": ([1, 2], [0.3, 0.9]), "NiN": ([1, 2], [0.3, 0.9])}
    figure = d2l.plot_lines({"images": lines, "seconds": lines}, "accuracy")
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel(), left.get_ylabel()) == ("images", "seconds", "accuracy")
    assert [tuple(map(list, line.get_data())) for line in left.lines] == list(lines.values())
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in right.texts}
    assert set(boxes) == set(lines)
    assert not boxes["VGG"].overlaps(boxes["NiN"])
    colours = [text.get_color() for text in sorted(right.texts, key=lambda text: list(lines).index(text.get_text()))]
    assert colours == [line.get_color() for line in right.lines]


def test_histories_by_epoch_and_within():
    history = d2l.History(loss=[2, 1], train_acc=[0.3, 0.6], steps=[(0.5, 3, 0.1), (1, 2, 0.4), (2, 1, 0.6)])
    coarse = d2l.plot_histories({"run": history}, ("loss",)).axes[0].lines[0]
    fine = d2l.plot_histories({"run": history}, ("loss", "train_acc"), fine=True)
    assert np.array_equal(coarse.get_data(), [[1, 2], [2, 1]])
    assert np.array_equal(fine.axes[0].lines[0].get_data(), [[0.5, 1, 2], [3, 2, 1]])
    assert np.array_equal(fine.axes[1].lines[0].get_data(), [[0.5, 1, 2], [0.1, 0.4, 0.6]])


def test_several_histories_of_one_name_have_one_colour():
    runs = [d2l.History(loss=[2.0, loss]) for loss in (1.0, 0.5, 0.7)]
    figure = d2l.plot_histories({"sick": runs[:2], "cured": runs[2]}, ("loss",))
    first, second, other = figure.axes[0].lines
    assert first.get_color() == second.get_color() != other.get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["sick", "cured"]
    assert [line.get_color() for line in legend.get_lines()] == [first.get_color(), other.get_color()]


def test_shares_of_nothing():
    figure = d2l.plot_bars({"MACs": {"pooling": 0, "dropout": 0}}, shares=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.0%", "0.0%"]
