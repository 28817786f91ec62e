import json
import subprocess
import sys

import pytest

from edgenas.cli.main import main


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; return status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["edgenas", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'onnx', 'onnxruntime', 'numpy', 'scipy', 'sklearn', 'pydantic', 'matplotlib', 'sqlalchemy'}"
    code = f"import sys, edgenas.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_zoo_as_json_has_the_documented_keys(monkeypatch, capsys) -> None:
    status, output, _ = run(monkeypatch, capsys, "zoo", "--json")
    rows = json.loads(output)
    assert status == 0
    assert {tuple(row) for row in rows} == {("name", "resolution", "params", "macs")}
    assert {"name": "mobilenet_v3_large", "resolution": 224, "params": 5483032, "macs": 216589760} in rows


def test_show_takes_a_name_a_file_and_a_notation(monkeypatch, capsys, tmp_path) -> None:
    status, output, _ = run(monkeypatch, capsys, "show", "mobilenet_v3_small", "--json")
    document = json.loads(output)
    file = tmp_path / "network.json"
    file.write_text(json.dumps(document["architecture"] | {"notation": None}))
    assert status == 0
    status, output, _ = run(monkeypatch, capsys, "show", document["architecture"]["notation"])
    assert status == 0
    assert "56,510,400" in output
    assert "stages.0.0.squeeze" in output


def test_show_prints_fvcore_beside_ours(monkeypatch, capsys) -> None:
    notation = "r32 | stem_k3_s2_c8_hs | mb_k3_e4_c8_se8_hs | head_c16_hs | n10"
    status, output, _ = run(monkeypatch, capsys, "show", notation, "--fvcore")
    line = next(line for line in output.splitlines() if line.startswith("fvcore conv + linear"))
    ours = line.split("ours ")[1].split(";")[0]
    assert status == 0
    assert line.startswith(f"fvcore conv + linear {ours};")
    assert "aten::hardswish" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "mobilenet_v3_lrge"), "did you mean 'mobilenet_v3_large'"),
        (("show", "none.json"), "cannot read the architecture none.json"),
        (("show", "r32 | stem_c8"), "a notation needs"),
        (("run", "none.yaml"), "cannot read the configuration none.yaml"),
        (("run", "quickstart", "--set", "data.sorce=npz"), "did you mean 'source'"),
        (("config", "check", "quickstart", "--set", "seed=x"), "seed: must be a whole number; got 'x'"),
        (("space", "show", "tinny"), "did you mean 'tiny'"),
    ],
)
def test_bad_input_is_one_clear_message_and_no_traceback(monkeypatch, capsys, arguments, message) -> None:
    status, _, errors = run(monkeypatch, capsys, *arguments)
    assert status == 2
    assert errors.startswith("error: ")
    assert message in errors
    assert "Traceback" not in errors


def test_the_schema_accepts_the_shipped_configurations(monkeypatch, capsys) -> None:
    import jsonschema
    import yaml

    from edgenas.api.config import find_configuration

    _, output, _ = run(monkeypatch, capsys, "config", "schema")
    schema = json.loads(output)
    for name in ("quickstart", "image_folder", "arrays", "idx", "huggingface"):
        jsonschema.validate(yaml.safe_load(find_configuration(name).read_text()), schema)
        status, _, _ = run(monkeypatch, capsys, "config", "check", name)
        assert status == 0


def test_a_folder_of_a_configurations_name_does_not_hide_it(tmp_path, monkeypatch) -> None:
    from edgenas.api.config import find_configuration

    (tmp_path / "quickstart").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_configuration("quickstart").is_file()
