"""The quota: how many keys a user may have in an organization, for plans and for applies.

The one door to it. Plans and applies share the count of one user's keys (`quota_keys`), and nothing
else: what a plan asks is in `quota_plans`, what an apply asks in `quota_slots`.
"""

from crusoe_provider.tokens.quota_plans import PlanQuota
from crusoe_provider.tokens.quota_slots import SlotQuota


class Quota(PlanQuota, SlotQuota):
    """The quota of the caller in one organization. Safe under threads."""
