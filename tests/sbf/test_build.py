"""The same sources give the same bytes anywhere; a check says what differs."""

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.sbf


def copied(crate, folder):
    shutil.copytree(crate, folder, ignore=shutil.ignore_patterns("target"))
    return folder


def test_other_folder_gives_the_same_bytes(crate, probe_file, target_dir, tmp_path):
    from sbf.build import Outputs, build

    other = copied(crate, tmp_path / "elsewhere" / "with a longer name")
    program = tmp_path / "probe.so"
    build(other, Outputs(program, None), target_dir)
    data = program.read_bytes()
    assert data == probe_file.read_bytes()
    for folder in (tmp_path, crate, target_dir):
        assert os.fsencode(folder) not in data
    assert b"/.cargo/" not in data


def test_check_compiles_what_seems_unchanged(crate, probe_file, target_dir, tmp_path):
    from sbf.build import Outputs, check
    from sbf.errors import BuildError

    other = copied(crate, tmp_path / "crate")
    shipped = Outputs(tmp_path / "shipped.so", None)
    shutil.copy(probe_file, shipped.program)
    check(other, shipped, target_dir)
    source = other / "src" / "lib.rs"
    before = source.stat()
    source.write_text(source.read_text().replace("_ => return 1", "_ => return 2"))
    # as if nobody had touched it: cargo goes by this
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(BuildError, match=r"shipped.so differs from what .* at byte "):
        check(other, shipped, target_dir)
    assert shipped.program.read_bytes() == probe_file.read_bytes()


def test_missing_program_fails_the_check(crate, packages, target_dir, tmp_path):
    from sbf.build import Outputs, check
    from sbf.errors import BuildError

    with pytest.raises(BuildError, match=r"absent.so is missing$"):
        check(crate, Outputs(tmp_path / "absent.so", None), target_dir)


def test_error_of_the_compiler_is_shown_in_full(crate, packages, tmp_path, target_dir):
    other = copied(crate, tmp_path / "crate")
    (other / "src" / "text.rs").write_text("pub fn format() -> u8 { nowhere }\n")
    script = crate.parents[2] / "scripts" / "build-program"
    out = tmp_path / "out.so"
    done = subprocess.run(
        [script, other, "--no-idl", "--out", out, "--target-dir", target_dir],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot find value `nowhere` in this scope" in done.stderr
    assert "src/text.rs:1:25" in done.stderr
    assert done.stderr.endswith("build-program: error: cargo failed with status 101\n")
    assert done.stdout == ""
    assert not out.exists()


def test_folder_without_a_crate_is_refused_by_name(packages, target_dir, tmp_path):
    from sbf.build import Outputs, build
    from sbf.errors import BuildError

    with pytest.raises(BuildError, match=f"^{tmp_path} has no Cargo.toml$"):
        build(tmp_path, Outputs(tmp_path / "a.so", None), target_dir)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"\x7fELF", b"\x7fELG", "at byte 3 shipped 0x46, built 0x47 (4 and 4 bytes)"),
        (b"\x7f", b"\x7fE", "at byte 1 shipped the end, built 0x45 (1 and 2 bytes)"),
        (b'{"a": [1, 2]}', b'{"a": [1, 3]}', ".a[1] is 2 shipped, 3 built"),
        (b'{"a": [1]}', b'{"a": [1, 2]}', ".a has 1 entries shipped, 2 built"),
        (b'{"a": 1}', b'{"a": 1, "b": 2}', ".b only in the built one"),
        (b'{"a": 1, "b": 2}', b'{"a": 1}', ".b only in the shipped one"),
        (b'{"a": 1}', b'{"a":1}', "only in their white space or order of keys"),
    ],
)
def test_first_difference_is_named(old, new, said):
    from sbf.build import first_difference

    assert first_difference(old, new) == said


def test_versions_that_do_not_fit_are_refused(monkeypatch, packages):
    from sbf import packages as module
    from sbf.commands import run as real
    from sbf.errors import BuildError

    def other_llvm(command, **options):
        done = real(command, **options)
        if str(command[0]).startswith("llvm-config"):
            done.stdout = "22.0.0\n"
        return done

    monkeypatch.setattr(module, "run", other_llvm)
    with pytest.raises(
        BuildError, match=r"built with LLVM \S+, but llvm-22 is 22.0.0$"
    ):
        module.require()
    monkeypatch.setattr(module, "RUST", "1.95")
    with pytest.raises(
        BuildError, match=r"is release \S+, the build is pinned to 1.95"
    ):
        module.require()


def test_missing_packages_are_named(monkeypatch):
    from sbf import packages as module
    from sbf.errors import BuildError

    monkeypatch.setitem(module.PACKAGES, "flair-no-such-package", "*")
    with pytest.raises(
        BuildError, match=r"packages are missing: .*flair-no-such-package"
    ):
        module.require()


def test_install_alone_builds_nothing(crate, packages, tmp_path):
    script = crate.parents[2] / "scripts" / "build-program"
    out = tmp_path / "out.so"
    subprocess.run([script, crate, "--install", "--out", out], check=True)
    assert not out.exists()


def test_wrapper_drops_one_flag_and_names_no_folder(crate, tmp_path):
    wrapper = crate.parents[2] / "scripts" / "sbf" / "rustc_wrapper.py"
    show = [sys.executable, "-c", "import sys; print(*sys.argv[1:], sep='\\n')"]
    given = ["--cfg", "restricted_std", "--cfg", 'feature="x"', "restricted_std", "-O"]
    variables = {
        "CARGO_MANIFEST_DIR": "/home/user/crate",
        "CARGO_PKG_NAME": "crate",
        "CARGO_PKG_VERSION": "1.2.3",
    }
    said = subprocess.run(
        [sys.executable, wrapper, *show, *given],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, **variables},
    ).stdout.splitlines()
    assert said == [
        *["--cfg", 'feature="x"', "restricted_std", "-O"],
        f"--remap-path-prefix={tmp_path}=/workspace",
        "--remap-path-prefix=/home/user/crate=/crate-1.2.3",
    ]
