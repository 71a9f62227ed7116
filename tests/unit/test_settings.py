"""Settings: where each value comes from, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.settings import FILE_NAME, Settings, default_home, load_settings

NAMES = [
    "max_pixels",
    "max_file_bytes",
    "decode_workers",
    "decode_timeout_seconds",
    "batch_size",
    "settle_seconds",
    "rescan_seconds",
    "min_free_bytes",
    "flush_points",
    "store_wait_seconds",
    "url_timeout_seconds",
    "url_max_bytes",
    "qdrant_grpc_port",
    "qdrant_shards",
    "qdrant_replicas",
    "qdrant_write_consistency",
    "qdrant_timeout_seconds",
    "qdrant_wait_seconds",
    "upgrade_grace_seconds",
]
TEXTS = [
    "url",
    "api_key",
    "qdrant_url",
    "qdrant_api_key",
    "qdrant_api_key_file",
    "qdrant_ca_file",
    "qdrant_prefix",
    "qdrant_quantization",
    "qdrant_storage",
    "models_folder",
    "roots",
    "partition",
]


def load(home: Path, file: str = "", environ: Any = None, **flags: Any) -> Any:
    (home / FILE_NAME).write_text(file, encoding="utf-8")
    return load_settings({"home": home, **flags}, environ or {})


def test_the_list_of_names_here_is_complete() -> None:
    assert {"home", *NAMES, *TEXTS} == set(Settings.__dataclass_fields__)


@pytest.mark.parametrize("name", NAMES)
def test_flag_over_environment_over_file_over_default(name: str, tmp_path: Path) -> None:
    variable = {f"LOOKALIKE_{name.upper()}": "22"}
    default = getattr(Settings(tmp_path), name)
    assert default not in (11, 22, 33)
    assert getattr(load(tmp_path), name) == default
    assert getattr(load(tmp_path, f"{name} = 11"), name) == 11
    assert getattr(load(tmp_path, f"{name} = 11", variable), name) == 22
    assert getattr(load(tmp_path, f"{name} = 11", variable, **{name: 33}), name) == 33
    assert getattr(load(tmp_path, f"{name} = 11", variable, **{name: None}), name) == 22
    assert getattr(load(tmp_path, "", variable), name) == 22
    assert getattr(load(tmp_path, "", **{name: 33}), name) == 33


@pytest.mark.parametrize("name", NAMES)
def test_each_value_has_the_kind_of_its_default(name: str, tmp_path: Path) -> None:
    kind = type(getattr(Settings(tmp_path), name))
    assert kind is (float if name.endswith("_seconds") else int)
    assert type(getattr(load(tmp_path, f"{name} = 3"), name)) is kind
    assert type(getattr(load(tmp_path, "", {f"LOOKALIKE_{name.upper()}": "3"}), name)) is kind


THREE_TEXTS = {
    "qdrant_prefix": ("one", "two", "three"),
    "qdrant_quantization": ("int8", "none", "int8"),
    "qdrant_storage": ("disk", "memory", "disk"),
}
"""Three values of texts that are no addresses; what has two values only has one of them twice."""


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_comes_from_the_same_places(name: str, tmp_path: Path) -> None:
    addresses = tuple(f"http://host{number}:8765/search" for number in (1, 2, 3))
    one, two, three = THREE_TEXTS.get(name, addresses)
    variable = {f"LOOKALIKE_{name.upper()}": two}
    default = getattr(Settings(tmp_path), name)
    assert default == {
        "qdrant_prefix": "lookalike",
        "qdrant_quantization": "none",
        "qdrant_storage": "memory",
    }.get(name)
    assert getattr(load(tmp_path), name) == default
    assert getattr(load(tmp_path, f"{name} = '{one}'"), name) == one
    assert getattr(load(tmp_path, f"{name} = '{one}'", variable), name) == two
    assert getattr(load(tmp_path, f"{name} = '{one}'", variable, **{name: three}), name) == three
    nothing = {f"LOOKALIKE_{name.upper()}": ""}
    assert getattr(load(tmp_path, f"{name} = '{one}'", nothing), name) == default
    with pytest.raises(SettingsError, match=rf"{name} \(.*\) is no text: put it in quotes"):
        load(tmp_path, f"{name} = 3")


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "HTTPS://host:1/",
        "http://[::1]:80",
        "http://a.b-c:80/x/y~z",
        "http://münchen",
    ],
)
def test_addresses_of_a_service(url: str, tmp_path: Path) -> None:
    assert load(tmp_path, "", {"LOOKALIKE_URL": url}).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("host:8765", "ftp://host", "http://", "http://host/?q", "http://host/#a", "http://a b"),
        *("http://host:port", "http://host:", "http://host/\r\nX: y", "file:///etc", "http:///x"),
    ],
)
def test_what_is_no_address_of_a_service(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"setting url is .*: it must be an http:// or https://"
    ):
        load(tmp_path, "", {"LOOKALIKE_URL": url})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    key = {"LOOKALIKE_API_KEY": "open-sesame"}
    assert "open-sesame" not in repr(load(tmp_path, "", key))
    with pytest.raises(SettingsError, match="setting api_key: it must be ASCII") as caught:
        load(tmp_path, "", {"LOOKALIKE_API_KEY": "open sesame\r\nX-Admin: yes"})
    assert "sesame" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"setting url is 'http://\.\.\.@host'") as caught:
        load(tmp_path, "", {"LOOKALIKE_URL": "http://me:sesame@host"})
    assert "sesame" not in str(caught.value)


def test_home_comes_from_the_flag_then_the_environment_then_the_platform(tmp_path: Path) -> None:
    environ = {"LOOKALIKE_HOME": str(tmp_path / "environment")}
    assert load_settings({"home": tmp_path / "flag"}, environ).home == tmp_path / "flag"
    assert load_settings({"home": str(tmp_path / "flag")}, {}).home == tmp_path / "flag"
    assert load_settings({"home": None}, environ).home == tmp_path / "environment"
    assert load_settings({}, {}).home == default_home()
    assert default_home().name == "lookalike"


def test_home_is_absolute_and_the_tilde_is_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_settings({"home": "~/pictures"}, {}).home == tmp_path / "pictures"
    assert load_settings({"home": "here"}, {}).home == tmp_path / "here"
    assert load_settings({}, {"LOOKALIKE_HOME": "~"}).home == tmp_path
    with pytest.raises(SettingsError, match="setting home is '~nobody-of-this-name/x'"):
        load_settings({"home": "~nobody-of-this-name/x"}, {})


def test_the_process_environment_is_read_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_HOME", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_BATCH_SIZE", "5")
    assert load_settings() == Settings(home=tmp_path, batch_size=5)


def test_the_callers_flags_are_untouched(tmp_path: Path) -> None:
    flags = {"home": tmp_path, "batch_size": 3}
    load_settings(flags, {})
    assert flags == {"home": tmp_path, "batch_size": 3}


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings.toml: unknown setting 'batch', known are"):
        load(tmp_path, "batch = 3")
    with pytest.raises(SettingsError, match="flags: unknown setting 'batch'"):
        load(tmp_path, batch=3)
    with pytest.raises(SettingsError, match="unknown setting 'home'"):
        load(tmp_path, "home = 'elsewhere'")


@pytest.mark.parametrize(
    "value", ["true", "[3]", "'many'", "2.5", "inf", "nan", "1979-05-27", "''"]
)
def test_what_is_no_whole_number(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"batch_size .* is .*: it must be a whole number"):
        load(tmp_path, f"batch_size = {value}")


@pytest.mark.parametrize("value", ["", "many", "2.5", "true", "1e3", "0x10"])
def test_what_is_no_whole_number_in_the_environment(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"LOOKALIKE_BATCH_SIZE is .*: it must be a whole"):
        load(tmp_path, "", {"LOOKALIKE_BATCH_SIZE": value})


@pytest.mark.parametrize("value", [True, "soon", float("inf"), float("nan"), [1], b"1"])
def test_what_is_no_number_of_seconds(value: object, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settle_seconds .* is .*: it must be a number"):
        load(tmp_path, settle_seconds=value)


@pytest.mark.parametrize("name", NAMES)
def test_ranges(name: str, tmp_path: Path) -> None:
    may_be_zero = name in (
        "decode_workers",
        "min_free_bytes",
        "store_wait_seconds",
        "qdrant_grpc_port",
        "qdrant_wait_seconds",
        "upgrade_grace_seconds",
    )
    with pytest.raises(SettingsError, match=f"setting {name} is -1.*: it must be"):
        load(tmp_path, f"{name} = -1")
    if may_be_zero:
        assert getattr(load(tmp_path, f"{name} = 0"), name) == 0
    else:
        with pytest.raises(SettingsError, match=f"setting {name} is 0"):
            load(tmp_path, f"{name} = 0")


def test_fractions_of_a_second(tmp_path: Path) -> None:
    assert load(tmp_path, "settle_seconds = 0.25").settle_seconds == 0.25


def test_a_file_that_is_no_toml_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings.toml is no TOML: .*line 1"):
        load(tmp_path, "batch_size 3")
    (tmp_path / FILE_NAME).write_bytes(b"# \xff")
    with pytest.raises(SettingsError, match=r"settings.toml cannot be read: .*utf-8"):
        load_settings({"home": tmp_path}, {})
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SettingsError, match=r"settings.toml cannot be read: Is a directory"):
        load_settings({"home": tmp_path}, {})


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="Not a directory"):
        load_settings({"home": tmp_path / "file"}, {})


def test_places_lie_in_the_home(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    places = [settings.models, settings.store, settings.journal, settings.run]
    assert len(set(places)) == 4
    assert all(place.parent == tmp_path for place in places)


def test_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(tmp_path, decode_workers=3).workers == 3
    assert Settings(tmp_path).workers >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert Settings(tmp_path).workers == 7
