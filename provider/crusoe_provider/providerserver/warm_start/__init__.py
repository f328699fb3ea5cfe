"""Warm starts: later plugin processes of one Terraform command are forked from the first.

`docs/development/warm-starts.md` has the drawing of who forks whom, and who ends whom.
"""
