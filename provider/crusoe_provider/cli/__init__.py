"""The command line for people: Terraform starts this program without arguments."""
