"""The executable `terraform-provider-crusoe`."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from crusoe_provider.host import quick_start
from crusoe_provider.version import __version__

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from crusoe_provider.elements.provider import CrusoeProvider

_USAGE: Final = f"""\
terraform-provider-crusoe {__version__}

This is a Terraform plugin: Terraform starts it, people do not. To use it, tell Terraform where it
is, in the CLI configuration (~/.terraformrc, or the file that TF_CLI_CONFIG_FILE names):

  provider_installation {{
    dev_overrides {{
      "crusoe-community/crusoe" = "{{folder}}"
    }}
    direct {{}}
  }}

and require it in the configuration:

  terraform {{
    required_providers {{
      crusoe = {{
        source = "crusoe-community/crusoe"
      }}
    }}
  }}

Options:
  --version   print the version
  --help      print this text
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve Terraform, or tell a person what this program is; return the exit code."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case ["--version"]:
            print(f"terraform-provider-crusoe {__version__}")
            return 0
        case ["--help" | "-h"]:
            print(_usage())
            return 0
    return _serve()


def _serve() -> int:
    if os.name == "nt":
        print("Windows is not supported; run Terraform in WSL instead.", file=sys.stderr)
        return 1
    # grpc reads it while it is imported: only its errors belong into Terraform's log.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    quick_start.begin()
    # Not before: --version and --help need nothing of it.
    from crusoe_provider.host.serve import (  # noqa: PLC0415
        NotStartedByTerraformError,
        serve,
    )

    try:
        serve(_new_provider)
    except NotStartedByTerraformError:
        print(_usage(), file=sys.stderr)
        return 1
    # Terraform waits for the end of this process. All is done, and taking the interpreter down in
    # good order would take longer than many a call.
    sys.stderr.flush()
    os._exit(0)


def _new_provider(stop: "threading.Event") -> "CrusoeProvider":
    from crusoe_provider.elements.provider import CrusoeProvider  # noqa: PLC0415 - see _serve
    from crusoe_provider.host.terraform_process import TerraformProcess  # noqa: PLC0415

    terraform = TerraformProcess(os.getppid())
    return CrusoeProvider(stop=stop, environ=os.environ, home=_home(), terraform=terraform)


def _home() -> "Path | None":
    from pathlib import Path  # noqa: PLC0415 - see _serve

    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry in the password database
        return None


def _usage() -> str:
    return _USAGE.replace("{folder}", os.path.dirname(os.path.realpath(sys.argv[0])))  # noqa: PTH120


if __name__ == "__main__":
    sys.exit(main())
