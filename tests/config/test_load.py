import pytest

from edgenas.config import apply_overrides, load, validate
from edgenas.errors import ConfigError


def _write(tmp_path, text: str):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ndata:\n  sorce: digits\n", r"line 3: data.sorce: unknown key \(did you mean 'source'\?\)"),
        ("name: x\nsuprnet: {}\n", r"line 2: suprnet: unknown key \(did you mean 'supernet'\?\)"),
        ("name: x\nsearch:\n  evaluations: many\n", "line 3: search.evaluations: must be a whole number; got 'many'"),
        ("name: x\nsearch: {evaluations: 0}\n", "greater than or equal to 1"),
        ("name: x\ntarget: {budget_ms: -2}\n", "target.budget_ms: not usable; got -2; allowed: greater than 0"),
        ("name: x\ntarget: {budget_ms: 2, budget_share: 0.5}\n", "one of budget_ms and budget_share"),
        ("name: x\nsearch: {objectives: [accuracy, speed]}\n", r"search.objectives\[1\].*got 'speed'"),
        ("name: x\nsearch: {objectives: [macs, macs]}\n", "all different"),
        ("name: x\ndata: {source: folder}\n", "set data.path"),
        ("name: x\nsearch: 3\n", "search: must be a mapping; got 3; allowed: a section"),
        (
            "name: x\nsearch: {strategy: darts_second_order}\nsupernet: {averaging_decay: 0.9}\n",
            "no supernet.averaging_decay with darts_second_order",
        ),
        ("seed: 1\n", "name: is missing"),
        ("name: a/b\n", "name: not usable"),
        ("name: ..\n", "name: not usable; got '..'"),
        ("name: .\n", "name: not usable"),
        ("name: x\n  bad: [\n", "is not YAML"),
        ("- 1\n", "a configuration is a mapping"),
        ("name: x\nsupernet: {learning_rate: true}\n", "learning_rate"),
        ("name: x\ntarget: {budget_ms: .inf}\n", "line 2, column 21: no number: it is not finite"),
        ("name: x\ntrain: {learning_rate: .nan}\n", "not finite"),
        ("name: x\nseed: 010\n", "leading zero"),
        ("name: x\nseed: 1\nseed: 2\n", "line 3, column 1: the key 'seed' is given twice"),
        ("name: x\ndata: {cache: yes}\n", "data.cache: must be true or false; got 'yes'.*Write true or false"),
        ("name: x\ndata: &d {}\nspace: *d\n", "aliases and anchors"),
        ("name: x\ndata: {resolution: 2147483648}\n", "data.resolution: not usable"),
        ('name: x\noutput: "a\\0b"\n', "control characters"),
        ("name: x\noutput: " + "y" * 5000 + "\n", "5,000 bytes"),
        ("name: x\ntrain: {teacher: " + "y" * 300 + "}\n", "300 bytes"),
        ("name: x\nmangled: " + "[" * 50_000, "too deeply nested"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(_write(tmp_path, text))


def test_all_mistakes_are_reported_at_once(tmp_path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(_write(tmp_path, "name: x\nseed: -1\ndata: {noise_std: 7}\n"))
    assert str(caught.value).count("\n") == 1


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load(tmp_path / "none.yaml")


def test_overrides_replace_and_create_keys(tmp_path) -> None:
    settings = load(_write(tmp_path, "name: x\n"), ["seed=7", "data.source=npz", "data.path=images.npz"])
    assert (settings.seed, settings.data.source, settings.data.path) == (7, "npz", "images.npz")


def test_overrides_leave_the_document_alone() -> None:
    document = {"data": {"source": "digits"}}
    assert apply_overrides(document, ["data.noise_std=0.1"])["data"] == {"source": "digits", "noise_std": 0.1}
    assert document == {"data": {"source": "digits"}}


@pytest.mark.parametrize(("text", "message"), [("seed", "KEY=VALUE"), ("=3", "KEY=VALUE"), ("seed=[", "not YAML")])
def test_a_broken_override_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_overrides({}, [text])


def test_an_override_cannot_descend_into_a_value() -> None:
    with pytest.raises(ConfigError, match="seed is no section"):
        apply_overrides({"seed": 3}, ["seed.x=1"])


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.e-3", "1.0e-3", "0.001"])
def test_a_learning_rate_may_be_written_with_an_exponent(tmp_path, text: str) -> None:
    path = _write(tmp_path, f"name: x\nsupernet: {{learning_rate: {text}}}\n")
    settings = load(path, [f"train.learning_rate={text}"])
    assert settings.supernet.learning_rate == settings.train.learning_rate == 0.001


def test_what_only_looks_like_a_number_stays_a_text(tmp_path) -> None:
    settings = load(_write(tmp_path, "name: x\n"), ["data.source=npz", "data.path=e5-1e3x"])
    assert settings.data.path == "e5-1e3x"


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("search.strategy", "nsga", "nsga2"),
        ("data.source", "digit", "digits"),
        ("supernet.scheme", "sandwhich", "sandwich"),
        ("supernet.optimizer", "adam", "adamw"),
        ("train.optimizer", "sdg", "sgd"),
    ],
)
def test_a_name_that_no_registry_has_is_refused_with_the_nearest(tmp_path, key: str, value: str, meant: str) -> None:
    told = rf"{key}: unknown value \(did you mean '{meant}'\?\); got '{value}'; allowed: "
    with pytest.raises(ConfigError, match=told):
        load(_write(tmp_path, "name: x\n"), [f"{key}={value}"])


def test_the_schema_lists_the_names_of_the_registries() -> None:
    from edgenas.config import RunSettings
    from edgenas.search import STRATEGIES

    schema = RunSettings.model_json_schema()["$defs"]
    assert schema["SearchSection"]["properties"]["strategy"]["enum"] == list(STRATEGIES)
    assert schema["DataSection"]["properties"]["source"]["enum"][0] == "digits"


def test_a_message_fits_a_screen_whatever_the_file_holds(tmp_path) -> None:
    for text in ("x" * 90_000 + ": 1\n", "".join(f"key{i}: 1\n" for i in range(5000)), "name: " + "y" * 200_000):
        with pytest.raises(ConfigError) as caught:
            load(_write(tmp_path, text))
        assert len(str(caught.value)) < 2500


@pytest.mark.parametrize("text", ["target.budget_ms=.inf", "seed=010", "train.learning_rate=1e400", "a..b=1", ".=1"])
def test_an_override_is_read_as_strictly_as_the_file(tmp_path, text: str) -> None:
    with pytest.raises(ConfigError):
        load(_write(tmp_path, "name: x\n"), [text])


def test_numbers_that_are_not_finite_are_refused_from_python_too() -> None:
    with pytest.raises(ConfigError, match="target.budget_ms: must be a finite number"):
        validate({"name": "x", "target": {"budget_ms": float("inf")}}, source="x")
