"""What the Terraform Registry, filesystem mirrors and a Python package index expect of a release.

- `version`: may this be released, and what is new in it?
- `build`: the package for the platform that it runs on.
- `contents`: what a package bundles: licences, and a bill of materials.
- `smoke`: does a package start?
- `checksums`: over the packages of all platforms, signed.

Only `build` and `contents` need anything installed. How they work together is told in
docs/development/releases.md.
"""
