"""What Terraform starts in place of a plugin that is ready; see `ready_plugins`.

Arguments: the folder of the package, the address of the process that forks plugins, the module that
makes the provider, and its arguments. Like the launcher of warm starts, it imports next to nothing.
"""

import _socket
import signal
import sys

sys.path.insert(0, sys.argv[1])

from crusoe_provider.providerserver.warm_start.launcher import answer, go_between

signal.signal(signal.SIGINT, signal.SIG_IGN)
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
connection.connect(b"\0" + sys.argv[2].encode())
connection.send("\0".join(sys.argv[3:]).encode())
line, _, log = answer(connection).partition(b"\n")
go_between(connection, line + b"\n", log)
