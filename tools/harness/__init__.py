"""The real Terraform, started by tests, demonstration, benchmarks and pictures alike.

- `terraforms`: which Terraform, or OpenTofu.
- `features`: what not every version has.
- `sandbox`: the environment in which it sees one plugin and nothing else of this machine.
- `workspace`: a configuration with its state, and the commands.
- `process`: one running command, which can be interrupted and killed.
- `result`: what a command has printed, in a form that can be asked about.
"""
