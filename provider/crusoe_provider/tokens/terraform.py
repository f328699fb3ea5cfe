"""What the quota and the lifetime of tokens have to know of the Terraform that runs them."""

from typing import Protocol


class Terraform(Protocol):
    """The Terraform that has started this process."""

    def is_planning(self) -> bool:
        """Say whether it certainly plans."""

    def is_applying(self) -> bool:
        """Say whether it certainly applies."""

    def imports_only(self) -> bool:
        """Say whether its command is certainly `import`, which stores what is imported at once."""

    def creates_nothing(self) -> bool:
        """Say whether its command certainly only destroys or refreshes."""

    def only_refreshes(self) -> bool:
        """Say whether its command certainly does no more than refresh."""

    def takes_unknown_results(self) -> bool:
        """Say whether values of an ephemeral resource certainly may be unknown."""

    def loads_whole_state(self) -> bool:
        """Say whether it certainly shows this process all of its state in a plan."""

    def replaces(self, type_name: str) -> int:
        """Return how many objects of a resource type its command is told to replace."""

    def parallelism(self) -> int:
        """Return how many operations it runs at a time."""

    def other_plugins(self) -> int:
        """Return how many other plugins it has run at a time beside this one."""
