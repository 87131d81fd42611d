from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

import vision.detect.registry as registry_module
from vision.cli import app
from vision.detect.registry import (
    MODELS_VARIABLE,
    ModelEntry,
    find_registry,
    load_registry,
    remove_entry,
    write_entry,
)
from vision.errors import ConfigError, ModelError


def test_the_default_model_and_its_files(registry_file):
    entry = load_registry(registry_file).model()
    assert entry.name == "m"
    assert entry.classes == ("car", "heap")
    assert [p.name for p in entry.verified_files("openvino-int8")] == ["m.xml", "m.bin"]


def test_an_unknown_model_is_named_with_those_there_are(registry_file):
    with pytest.raises(ModelError, match=r"registry\.yaml.*'x'.*there are m"):
        load_registry(registry_file).model("x")


def test_a_runtime_without_files_is_named(registry_file):
    with pytest.raises(ModelError, match=r"model m.*'onnx'.*openvino-int8"):
        load_registry(registry_file).model().verified_files("onnx")


def test_a_changed_file_is_named(registry_file):
    path = registry_file.parent / "m" / "m.bin"
    entry = load_registry(registry_file).model()
    entry.verified_files("openvino-int8")
    path.write_bytes(b"other")
    with pytest.raises(ModelError, match=r"m\.bin: SHA-256 is"):
        entry.verified_files("openvino-int8")


def test_a_missing_file_is_named(registry_file):
    (registry_file.parent / "m" / "m.bin").unlink()
    with pytest.raises(ModelError, match=r"m\.bin: cannot be read"):
        load_registry(registry_file).model().verified_files("openvino-int8")


def test_a_file_is_hashed_once(registry_file, monkeypatch):
    entry = load_registry(registry_file).model()
    entry.verified_files("openvino-int8")
    monkeypatch.setattr(
        registry_module.hashlib, "file_digest", lambda *_: pytest.fail("hashed again")
    )
    entry.verified_files("openvino-int8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    task: detect", "    tusk: detect", r"registry\.yaml:4: models\.m\.tusk: unknown key"),
        ("default: m", "default: n", "no model 'n'"),
        ("heap: 0.25", "heap: 1.25", r"registry\.yaml:13: .*thresholds\.heap"),
        (", heap: 0.25", "", "thresholds.*heap"),
        ("output: raw", "output: roh", r"models\.m\.output"),
        ("m/m.xml", "../m.xml", r"files\.openvino-int8.*inside the registry folder"),
        ("m/m.xml", "/etc/passwd", r"files\.openvino-int8.*inside the registry folder"),
        ("[car, heap]", "[car, car]", "given twice"),
        ("    output: raw", "    output: raw\n    input_size: 650", "multiple of the stride 32"),
        ("openvino-int8:", "tensorrt:", r"files\.tensorrt"),
    ],
)
def test_a_wrong_registry_is_refused_with_file_and_key(registry_file, old, new, said):
    registry_file.write_text(registry_file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=said):
        load_registry(registry_file)


def test_the_registry_is_looked_for_at_one_place_after_the_other(
    registry_file, tmp_path, monkeypatch
):
    package = tmp_path / "checkout" / "vision"
    (package / "detect").mkdir(parents=True)
    monkeypatch.setattr(registry_module, "__file__", str(package / "detect" / "registry.py"))
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=r"shipped/models/registry\.yaml, .*checkout/models"):
        find_registry()

    def put(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "registry.yaml").write_text(registry_file.read_text())
        return folder / "registry.yaml"

    checkout = put(tmp_path / "checkout" / "models")
    assert find_registry() == checkout
    shipped = put(package / "shipped" / "models")
    assert find_registry() == shipped
    named = put(tmp_path / "named")
    monkeypatch.setenv(MODELS_VARIABLE, str(named.parent))
    assert find_registry() == named
    assert find_registry(registry_file) == find_registry(registry_file.parent) == registry_file


def test_a_named_place_without_registry_is_an_error_and_no_other_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="nowhere"):
        load_registry()


def test_writing_keeps_the_other_models_and_reads_back_the_same(registry_file):
    registry = load_registry(registry_file)
    other = registry.model().model_copy(update={"name": "a", "metrics": {"街": 0.5}})
    write_entry(registry_file.parent, other)
    again = load_registry(registry_file)
    assert again.default == "m"
    assert list(again.models) == ["a", "m"]
    assert again.model("m") == registry.model("m")
    assert again.model("a") == other
    before = registry_file.read_text()
    write_entry(registry_file.parent, other)
    assert registry_file.read_text() == before
    write_entry(registry_file.parent, other, default=True)
    assert load_registry(registry_file).default == "a"


def test_a_model_is_taken_out_and_the_others_stay(registry_file):
    folder = registry_file.parent
    entry = load_registry(folder).model()
    write_entry(folder, entry.model_copy(update={"name": "old"}))
    assert remove_entry(folder, "old").name == "old"
    assert load_registry(folder).models == {"m": entry}


def test_retiring_a_model_deletes_the_files_that_were_its_own(registry_file):
    folder = registry_file.parent
    (folder / "old").mkdir()
    files = []
    for file in (folder / "m").iterdir():
        copy = Path(shutil.copy(file, folder / "old"))
        files.append({"path": f"old/{copy.name}", "sha256": sha256(copy.read_bytes()).hexdigest()})
    (folder / "old" / "notes.md").write_text("why it was made")
    row = load_registry(folder).model().model_dump() | {"name": "old"}
    write_entry(folder, ModelEntry.model_validate(row | {"files": {"openvino-int8": files}}))
    retire = ["retire", "old", "--models", str(folder), "--delete"]
    done = CliRunner().invoke(app, retire)
    assert done.exit_code == 0, done.output
    assert list(load_registry(folder).models) == ["m"]
    assert [path.name for path in (folder / "old").iterdir()] == ["notes.md"]
    load_registry(folder).model().verified_files("openvino-int8")


def test_a_model_in_use_is_not_taken_out(registry_file):
    folder = registry_file.parent
    entry = load_registry(folder).model()
    write_entry(folder, entry.model_copy(update={"name": "works"}), zones=["site"])
    with pytest.raises(ModelError, match=r"registry\.yaml: m is the default$"):
        remove_entry(folder, "m")
    with pytest.raises(ModelError, match="works is the model of zones for site"):
        remove_entry(folder, "works")
    assert set(load_registry(folder).models) == {"m", "works"}


def test_the_zones_of_a_camera_choose_its_model(registry_file):
    folder = registry_file.parent
    entry = load_registry(registry_file).model()
    write_entry(folder, entry.model_copy(update={"name": "site"}), zones=["site", "hoarding_line"])
    write_entry(folder, entry.model_copy(update={"name": "third"}))
    registry = load_registry(registry_file)
    assert registry.model_for(["footway", "site"]).name == "site"
    assert registry.model_for(["hoarding_line"]).name == "site"
    assert registry.model_for(["footway"]).name == "m"
    assert registry.model_for([]).name == "m"


def test_a_zone_of_a_model_that_is_not_there_is_refused(registry_file):
    text = registry_file.read_text().replace("models:", "zones: {site: none}\nmodels:", 1)
    registry_file.write_text(text)
    with pytest.raises(ConfigError, match=r"zones\.site: no detector 'none'"):
        load_registry(registry_file)


def test_an_entry_with_wrong_hashes_is_not_written(registry_file):
    entry = load_registry(registry_file).model()
    (registry_file.parent / "m" / "m.bin").write_bytes(b"other")
    before = registry_file.read_text()
    with pytest.raises(ModelError, match="SHA-256"):
        write_entry(registry_file.parent, entry.model_copy(update={"name": "b"}))
    assert registry_file.read_text() == before


def test_thresholds_can_be_overruled_by_class(registry_file):
    entry = load_registry(registry_file).model()
    assert entry.decoding({"heap": 0.5}).thresholds.tolist() == [0.5, 0.5]
    with pytest.raises(ModelError, match="no class bin; it has car, heap"):
        entry.decoding({"bin": 0.5})


def test_one_sha256_stands_for_all_files_of_a_runtime(registry_file):
    entry = load_registry(registry_file).model()
    assert len(entry.sha256("openvino-int8")) == 64
    single = {"openvino-int8": entry.files["openvino-int8"][:1]}
    assert (
        entry.model_copy(update={"files": single}).sha256("openvino-int8")
        == entry.files["openvino-int8"][0].sha256
        != entry.sha256("openvino-int8")
    )
