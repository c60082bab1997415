"""Builds a Solana program with the Rust and the LLVM that Debian packages.

One module per step, in the order in which `build` calls them:

* `packages`   which Debian packages it takes, and that they fit together;
* `compile`    cargo and rustc: crate -> bitcode of it, its dependencies and std;
* `lower`      link, `passes/` (a plugin of LLVM), llc: bitcode -> BPF object;
* `relink`     BPF object -> sBPF v3 program, which needs no relocation at load time;
* `idl`        the interface description, printed by the crate's own tests on the host.

`docs/toolchain.md` says why it is done this way and what to watch for.
"""
