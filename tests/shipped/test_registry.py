"""Models by name: found, verified, refused in words where they are not what they were."""

import http.client
import io
import json
import shutil
import urllib.error
import urllib.request

import pytest
from shipped_models import SHA, write_model

import segtumor
from segtumor.commands import infer, models
from segtumor.errors import ConfigError, DataError, ModelError
from segtumor.shipped import fetching, registry
from segtumor.shipped.entry import read_entry
from segtumor.shipped.fetching import fetch_model
from segtumor.shipped.registry import find_model, model_folder, starting_weights
from segtumor.synthesis.phantoms import write_phantom_dataset


@pytest.fixture(autouse=True)
def roots(tmp_path, monkeypatch):
    """Folders in place of the package's and the user's models; the first holds the default model."""
    package, user = tmp_path / "package", tmp_path / "user"
    monkeypatch.setattr(registry, "_IN_PACKAGE", package)
    monkeypatch.setenv("SEGTUMOR_MODELS", str(user))
    write_model(package, registry.DEFAULT)
    return package, user


def test_the_entry_is_what_was_written(roots):
    entry = find_model("btxrd-lite")
    assert (entry.name, entry.version, entry.temperature) == ("btxrd-lite", "3", 1.5)
    assert entry.measured[0].n == "371 lesions" and entry.operating_points[0].score_threshold == 0.25
    assert set(entry.files) == {"config.yaml", "export/export.json", "export/whole.onnx"}


def test_an_existing_path_is_no_name(roots, tmp_path):
    (tmp_path / "btxrd-lite").mkdir()
    assert model_folder(tmp_path / "btxrd-lite") == tmp_path / "btxrd-lite"
    assert model_folder("btxrd-lite") == model_folder() == roots[0] / "btxrd-lite" / "export"
    assert starting_weights("btxrd-lite") == roots[0] / "btxrd-lite" / "export" / "export.json"
    assert str(starting_weights("nothing.pth")) == "nothing.pth"


def test_a_fetched_model_never_hides_a_shipped_one(roots):
    write_model(roots[1], "btxrd-lite", version="evil")
    write_model(roots[1], "mine")
    assert find_model("btxrd-lite").version == "3" and find_model("mine").version == "3"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("export/export.json", b"{}", "damaged, or changed"),
        ("export/export.json", None, "is missing"),
        ("export/whole.onnx", b"other", "damaged, or changed"),
    ],
)
def test_a_file_that_is_not_as_registered_is_refused(roots, file, content, message):
    path = roots[0] / "btxrd-lite" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        model_folder()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 3}, "version"),
        ({"version": None}, "version is missing"),
        ({"more": 1}, "more is unknown"),
        ({"schema_version": 1}, "schema_version"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"dataset_sha256": SHA[:-1]}, "dataset_sha256"),
        ({"files": {"../weights.pth": SHA}}, "leads out"),
        ({"files": {"/etc/passwd": SHA}}, "leads out"),
        ({"files": {}}, "files"),
        ({"files": ["weights.pth"]}, "files"),
        ({"files": {"weights.pth": "no hash"}}, "files.weights.pth"),
        ({"measured": []}, "measured"),
        (
            {
                "operating_points": [
                    {"name": "a", "of": "image", "score_threshold": 1.5, "sensitivity": 1, "specificity": 1}
                ]
            },
            "operating_points",
        ),
    ],
)
def test_an_entry_edited_by_hand_is_refused(tmp_path, changes, field):
    with pytest.raises(ModelError, match=field):
        read_entry(write_model(tmp_path, "edited", **changes))


@pytest.mark.parametrize(
    ("written", "edited"),
    [
        ('"score_threshold": 0.25', '"score_threshold": 0.001'),
        ('"value": 45.25', '"value": 99.0'),
        ('"low": 40.0', '"low": 98.0'),
        ('"research use"', '"any use"'),
        ('"entry_sha256": "', '"entry_sha256": "0'),
    ],
)
def test_plausible_edits_are_noticed_too(roots, written, edited):
    path = write_model(roots[1], "mine") / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2, sort_keys=True))
    assert find_model("mine")
    content = path.read_text()
    assert content.count(written) == 1
    path.write_text(content.replace(written, edited))
    with pytest.raises(ModelError, match="entry_sha256 does not fit the other fields"):
        find_model("mine")


def test_a_folder_of_another_name_is_refused_by_its_name_and_read_as_a_folder(roots):
    folder = write_model(roots[1], "mine").rename(roots[1] / "copied")
    with pytest.raises(ModelError, match=r"name is not its folder's.*mine"):
        find_model("copied")
    assert model_folder(folder) == folder / "export"
    assert starting_weights(folder) == folder / "export" / "export.json"
    (folder / "export" / "export.json").write_bytes(b"{}")
    with pytest.raises(ModelError, match="damaged"):
        model_folder(folder)


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"', "\udcff"])
def test_what_is_no_entry_is_refused(tmp_path, content):
    folder = write_model(tmp_path, "broken")
    (folder / "model.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError):
        read_entry(folder)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="btxrd-lite"):
        find_model("btxrd-light")


def test_a_fetched_model_is_whole_or_absent(roots, tmp_path):
    source = write_model(tmp_path / "usb", "large")
    assert fetch_model("large", str(source)).folder == roots[1] / "large"
    assert find_model("large").verified("export", "config.yaml")
    shutil.rmtree(roots[1] / "large")
    (source / "config.yaml").write_bytes(b"other")
    with pytest.raises(ModelError, match="damaged"):
        fetch_model("large", str(source))
    assert list(roots[1].iterdir()) == []


class Answer(io.BytesIO):
    """What ``urlopen`` returns: content, and the address after redirections."""

    def __init__(self, content, url):
        super().__init__(content)
        self.url = url


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that is read as https://example.org/large; a function in its place answers otherwise."""
    folder = write_model(tmp_path / "server", "large")

    def answer(url, timeout):
        return Answer((folder / url.removeprefix("https://example.org/large/")).read_bytes(), url)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    return lambda other: monkeypatch.setattr(urllib.request, "urlopen", other)


def test_a_model_from_an_address(server, roots):
    assert fetch_model("large", "https://example.org/large/").folder == roots[1] / "large"


def raising(error):
    def answer(url, timeout):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "expected", "message"),
    [
        (raising(urllib.error.URLError("no route to host")), DataError, "no route to host"),
        (raising(TimeoutError("timed out")), DataError, "timed out"),
        (raising(http.client.IncompleteRead(b"half")), DataError, "cannot be fetched"),
        (lambda url, timeout: Answer(b"{}", "http://example.org/large/model.json"), ConfigError, "https"),
        (lambda url, timeout: Answer(b"{}", url), ModelError, "schema_version"),
        (lambda url, timeout: Answer(b"x" * 101, url), DataError, "too large"),
    ],
)
def test_an_address_that_does_not_give_a_model(server, roots, monkeypatch, answer, expected, message):
    monkeypatch.setattr(fetching, "MAX_BYTES", 100)
    server(answer)
    with pytest.raises(expected, match=message):
        fetch_model("large", "https://example.org/large")
    assert not (roots[1] / "large").exists()


def test_a_folder_that_is_no_model_is_not_written_into(roots, tmp_path):
    (roots[1] / "large").mkdir(parents=True)
    with pytest.raises(ConfigError, match="or a folder"):
        fetch_model("large", str(write_model(tmp_path / "usb", "large")))
    assert list((roots[1] / "large").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("btxrd-lite", "usb", "already"),
        ("../large", "usb", "not a name"),
        ("large", "http://example.org/large", "https"),
        ("large", "file:///etc", "https"),
        ("other", "usb", "another model"),
    ],
)
def test_what_cannot_be_fetched(tmp_path, monkeypatch, name, source, message):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path, "large").rename(tmp_path / "usb")
    with pytest.raises(ConfigError, match=message):
        fetch_model(name, source)


def test_the_command(roots, tmp_path, capsys):
    assert models.main([]) == 0
    assert "btxrd-lite  default  3        finds what is bright" in capsys.readouterr().out
    assert models.main(["show", "btxrd-lite"]) == 0
    shown = capsys.readouterr().out
    assert "45.2 % (40 to 50.5)" in shown and "sensitivity 0.90" in shown and "0.05 s  " in shown
    source = write_model(tmp_path / "usb", "large")
    assert models.main(["fetch", "large", "--from", str(source)]) == 0
    assert (
        models.main(["show"]) == 2
        and models.main(["list", "x"]) == 2
        and models.main(["show", "x", "--from", "y"]) == 2
    )


def test_a_broken_model_hides_no_other_and_a_name_cannot_command_the_terminal(roots, caplog, capsys):
    (write_model(roots[1], "broken") / "model.json").write_text("{")
    write_model(roots[1], "red", summary="\x1b[31mred")
    assert models.main([]) == 6
    shown = capsys.readouterr().out
    assert "btxrd-lite  default" in shown and "\\x1b[31mred" in shown and "\x1b" not in shown
    assert "broken" not in shown and "cannot be read" in caplog.text and "broken" in caplog.text
    shutil.rmtree(roots[1] / "broken")
    assert models.main([]) == 0


def test_infer_and_the_api_use_it_unasked(tmp_path):
    write_phantom_dataset(tmp_path / "phantoms", cases=2, seed=1, size_px=96, fractions=(0.5, 0.5, 0.0))
    image = next((tmp_path / "phantoms" / "images").iterdir())
    assert infer.main(["--input", str(image), "--output", str(tmp_path / "found")]) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["model"]["folder"].endswith("btxrd-lite/export")
    assert segtumor.load("btxrd-lite").class_names == ("benign", "malignant")
