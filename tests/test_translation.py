"""The Chinese edition: its sentences, and that its notebooks follow the English ones."""

import ast
import collections
import importlib.util
import re
from pathlib import Path

import autocorrect_py
import d2lhelpers as d2l
import nbformat
import pytest
from d2lhelpers import language
from d2lhelpers.language import HOLE, Sentence, catalogue, columns, say
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "notebooks", ROOT / "notebooks" / "zh")
spec = importlib.util.spec_from_file_location("translation", ROOT / "tools" / "translation.py")
translation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(translation)


@pytest.fixture
def chinese():
    d2l.set_language("zh")
    yield
    d2l.set_language("en")


# What the package says


def test_the_catalogue_holds_the_sentences_of_the_code():
    assert translation.CATALOGUE.read_bytes() == translation.as_po(translation.merged()), "run `make translation`"


def test_every_sentence_is_translated_with_all_its_holes():
    for message in translation.merged():
        if message.id:
            assert message.string and not message.fuzzy, message.id
            holes, others = (collections.Counter(HOLE.findall(text)) for text in (message.id, message.string))
            assert holes == others, message.id
            assert autocorrect_py.format(message.string) == message.string


CODE = """
def check(answer):
    expect(answer > f(0, [1, 2]), "{what} is " "small.", what=say("the answer", of=answer))
    sentence = "in a variable"
    expect(answer < 9, sentence)
    refuse("answer", answer, "a number")
    print("no sentence", sentence)

@exercises.add("name", title="A title", difficulty="●○○", why="Be" "cause.", hints=("First.", "Second."))
def other():
    raise ValueError(say("an error"))
"""
FOUND = {"{what} is small.", "the answer", "in a variable", "a number", "A title", "Because.", "First.", "Second."}


def test_what_is_a_sentence():
    assert {sentence for _, sentence in translation.sentences(CODE)} == FOUND | {"an error"}


@pytest.mark.parametrize("path", sorted(translation.PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_a_template_gets_the_values_that_it_names(path):
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Assign, ast.Call))]
    sentence = None  # what the variable of this name holds at this line
    for node in sorted(nodes, key=lambda node: node.lineno):
        if isinstance(node, ast.Assign):
            sentence = node.value if ast.unparse(node.targets[0]) == "sentence" else sentence
            continue
        place = translation.TEMPLATES.get(ast.unparse(node.func), len(node.args))
        template = next(iter(node.args[place:]), None)
        template = sentence if isinstance(template, ast.Name) and template.id == "sentence" else template
        assert not isinstance(template, ast.JoinedStr), ast.unparse(node)
        if isinstance(template, ast.Constant) and all(word.arg for word in node.keywords):
            names = {re.match(r"\w+", hole[1:])[0] for hole in HOLE.findall(template.value)}
            assert names == {word.arg for word in node.keywords}, template.value


def test_a_changed_sentence_keeps_its_translation_and_is_said_in_english_until_someone_has_looked(
    monkeypatch, tmp_path
):
    english = next(message.id for message in translation.merged() if message.id and "no batches" in message.id)
    changed, whole = english.replace("needed", "wanted"), translation.extracted()
    whole.delete(english)
    whole.add(changed)
    monkeypatch.setattr(translation, "extracted", lambda: whole)
    message = translation.merged()[changed]
    assert message.string and message.fuzzy

    file = tmp_path / translation.CATALOGUE.relative_to(translation.PACKAGE)
    file.parent.mkdir(parents=True)
    file.write_bytes(translation.as_po(translation.merged()))
    monkeypatch.setattr(language, "__file__", str(tmp_path / "language.py"))
    assert language.catalogue.__wrapped__("zh").keys() == catalogue("zh").keys() - {english}


def test_a_sentence_is_in_the_language_that_is_chosen_when_it_is_read(chinese):
    verdict = d2l.check("bn.momentum", 3, 3)
    assert str(verdict).startswith("bn.momentum：还不对。十个批量之后，移动均值不是 3。")
    assert "<b>✗ 还不对。</b>" in verdict._repr_html_()
    d2l.set_language("en")
    assert str(verdict).startswith("bn.momentum: not yet. The moving mean after ten batches is not 3.")
    assert verdict.status == "not yet"


def test_tables_hints_claims_and_errors(chinese, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("D2L_BUDGET", "cpu")
    monkeypatch.setenv("D2L_PROGRESS", str(tmp_path / "progress.json"))
    assert d2l.hint("bn.bug").startswith("提示 1/3：")
    assert "提示 1/3。" not in d2l.hint("bn.bug") and "<b>提示 3/3。</b>" in d2l.hint("bn.bug")._repr_html_()
    assert "完成了 0 个练习，共 8 个" in str(d2l.progress("vgg"))
    assert d2l.progress("vgg")[0].title == "VGG-16 and VGG-19 from a table"  # a value, which `to_csv` gives
    d2l.claim("学得更快", False)
    assert capsys.readouterr().out == "与正文不同，这里并非如此：学得更快。\n"
    with pytest.raises(ValueError, match="^lr 的值是 -1，应为不小于 0 的数。$"):
        d2l.fit(None, lr=-1, batch_size=8, num_epochs=1)


@pytest.mark.parametrize("name", ["fr", "", None, ["zh"]])
def test_an_unknown_language(name, chinese):
    with pytest.raises(ValueError, match="language 的值是"):
        d2l.set_language(name)
    d2l.set_language("en")
    with pytest.raises(ValueError, match="; it must be 'en' or 'zh'"):
        d2l.set_language(name)


def test_what_fills_a_sentence_is_written_down_at_once():
    values = [1]
    sentence = say("{values} and {n:,}: {inner}", values=values, n=10**6, inner=say("{x!r}", x="a"))
    values.append(2)
    assert str(sentence) == "[1] and 1,000,000: 'a'"
    assert repr(say("{n:,}", n=1000)) == "'1,000'"
    assert isinstance(sentence.parts["{inner}"], Sentence)
    assert str(say("f(**{...}) of {n:g}", n=2.5)) == "f(**{...}) of 2.5"
    assert sentence.translated({"{x!r}": "（{x!r}）", "{values} and {n:,}: {inner}": "{inner}"}) == "（'a'）"


def test_chinese_characters_take_two_places():
    assert columns([("层", "12"), ("abc", "3")], left=1) == ["层   12", "abc   3"]
    assert columns([("：", "12"), ("abc", "3")]) == ["：   12", "abc  3 "]


# The notebooks


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "notebooks" / "zh").glob("*.ipynb")])
def test_a_chinese_notebook_follows_the_english_one(name):
    assert not list(translation.problems(*(translation.read(folder / f"{name}.ipynb") for folder in FOLDERS)))


def write(folder, **sources):
    """Write a chapter with these cells by id; those of code are tagged."""
    cells = []
    for id, source in sources.items():
        if source.startswith("#"):
            cells.append(new_markdown_cell(source, id=id))
        else:
            cells.append(new_code_cell(source, id=id, metadata={"tags": ["exercise"]}))
    folder.mkdir(exist_ok=True)
    (folder / "01_one.ipynb").write_text(nbformat.writes(new_notebook(cells=cells)))


ENGLISH = {
    "title": "# One",
    "code": 'print(f"{a} of {b}", d2l.check("bn.bug", a))  # shown',
    "end": "# The end\n```python\na = 1  # one\n```",
}
CHINESE = {
    "title": "# 一",
    "code": '# 显示\nd2l.set_language("zh")\nprint(f"{b} 中的 {a}", d2l.check("bn.bug", a))',
    "end": "# 完\n```python\na = 1  # 一\n```",
}


@pytest.fixture
def folder(tmp_path):
    """A chapter in both languages."""
    write(tmp_path, **ENGLISH)
    translation.start("01_one", tmp_path)
    change(tmp_path, **CHINESE)
    translation.done("01_one", folder=tmp_path)
    return tmp_path


def change(folder, **sources):
    """Write other texts into Chinese cells, as a translator does."""
    path = folder / "zh" / "01_one.ipynb"
    notebook = translation.read(path)
    for cell in notebook["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    translation.write(path, notebook)


def problems(folder):
    ((_, english, chinese),) = translation.pairs(folder)
    return dict(translation.problems(english, chinese))


def test_a_new_notebook_has_the_english_cells_none_of_them_done(tmp_path):
    write(tmp_path, **ENGLISH)
    translation.start("01_one", tmp_path)
    assert problems(tmp_path) == dict.fromkeys(ENGLISH, "is not translated")
    nbformat.validate(nbformat.read(tmp_path / "zh" / "01_one.ipynb", as_version=4))


def test_a_chapter_that_is_translated_has_no_problems(folder):
    assert problems(folder) == {}


def test_only_what_changed_in_english_is_behind_until_it_is_done(folder):
    write(folder, **{**ENGLISH, "title": "# Two", "end": ENGLISH["end"].replace("end", "very end")})
    assert problems(folder) == {"title": "is behind", "end": "is behind"}
    translation.done("01_one", "title", folder=folder)
    assert problems(folder) == {"end": "is behind"}
    translation.done("01_one", folder=folder)
    assert problems(folder) == {}


def test_a_cell_that_is_missing_comes_in_its_place_and_one_that_is_gone_goes(folder):
    write(folder, title=ENGLISH["title"], new="# New", code=ENGLISH["code"])
    assert problems(folder) == {"new": "is missing", "end": "is gone from the English notebook"}
    translation.start("01_one", folder)
    assert problems(folder) == {"new": "is not translated"}
    assert [cell["source"] for cell in translation.read(folder / "zh" / "01_one.ipynb")["cells"]] == [
        CHINESE["title"],
        "# New",
        CHINESE["code"],
    ]


def test_order_and_tags(folder):
    path = folder / "zh" / "01_one.ipynb"
    notebook = translation.read(path)
    notebook["cells"].reverse()
    notebook["cells"][1]["metadata"]["tags"] = []
    translation.write(path, notebook)
    found = problems(folder)
    assert "order" in found["title"] and "tags" in found["code"]
    translation.start("01_one", folder)
    assert problems(folder) == {}

    english = translation.read(folder / "01_one.ipynb")
    del english["cells"][1]["metadata"]["tags"]
    translation.write(folder / "01_one.ipynb", english)
    assert "tags" in problems(folder)["code"]
    translation.start("01_one", folder)
    assert problems(folder) == {}


@pytest.mark.parametrize(
    "code",
    [
        'print(f"{b} 中的 {a}", d2l.check("bn.bag", a))',  # another key
        'print(f"{b} 中的 {b}", d2l.check("bn.bug", a))',
        'print(f"{b} 中的 {a}", d2l.check("bn.bug", a + 1))',
        'print(f"{b} from {a}", d2l.check("bn.bug", a))',
        'print(f"{a:.2f} 中的 {b}", d2l.check("bn.bug", a))',
    ],
)
def test_another_program_is_noticed(folder, code):
    change(folder, code=code, end=CHINESE["end"].replace("a = 1", "a = 2"))
    assert problems(folder) == dict.fromkeys(("code", "end"), "is another program")


def test_the_english_text_of_before_comes_from_git(tmp_path, monkeypatch):
    monkeypatch.setattr(translation, "ROOT", tmp_path)
    translation.git("init", "-q")
    for title in ("# One", "# Two"):
        write(tmp_path / "notebooks", title=title)
        translation.git("add", "notebooks")
        translation.git("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", title)
    assert translation.earlier("01_one", {"id": "title"}, translation.digest({"source": "# One"})) == "# One"
    assert translation.earlier("01_one", {"id": "title"}, "0") == ""


def test_an_unknown_cell_is_a_sentence(folder):
    with pytest.raises(SystemExit, match="01_one has no cell tilte."):
        translation.done("01_one", "title", "tilte", folder=folder)
